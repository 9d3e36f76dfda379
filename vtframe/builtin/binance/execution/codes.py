"""Binance's error codes, sorted by what they say about an order that was sent.

https://developers.binance.com/docs/binance-spot-api-docs/errors and .../derivatives/usds-margined-futures/error-code
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from vtframe.errors import VtframeError

NO_SUCH_ORDER: Final = -2013
CANCEL_REJECTED: Final = -2011
CLOCK: Final = -1021  # timestamp outside of the receive window
TOO_MANY_REQUESTS: Final = -1003
TOO_MANY_ORDERS: Final = -1015
AMBIGUOUS: Final = frozenset({-1000, -1001, -1006, -1007})
"""After these an order may have been taken or not. So it may after any answer with status 5xx."""


class VenueError(VtframeError):
    """The venue refused a request, in its code and words. ``retry_at_ms``: its time from which it takes requests again."""

    def __init__(self, what: str, code: int, words: str, *, status: int = 400, retry_at_ms: int = 0) -> None:
        self.what = what
        self.code = code
        self.words = words
        self.status = status
        self.retry_at_ms = retry_at_ms
        super().__init__(what, code, words)

    def __str__(self) -> str:
        """With ``words`` as they are now: what they repeat of our secrets is taken out of them once it is heard."""
        return f"{self.what}: the venue refused it: {self.code} {self.words}"

    @property
    def ambiguous(self) -> bool:
        """Whether what was asked for may have been done all the same."""
        return self.code in AMBIGUOUS or self.status >= 500

    @property
    def limited(self) -> bool:
        """Whether too much was asked."""
        return self.status in {418, 429} or self.code in {TOO_MANY_REQUESTS, TOO_MANY_ORDERS}


class ErrorBody(msgspec.Struct, frozen=True):
    """``error`` of the WebSocket API, and the body of a refused REST request."""

    code: int = 0
    msg: str = ""
    data: dict[str, Any] | None = None

    def error(self, what: str, status: int) -> VenueError:
        retry = (self.data or {}).get("retryAfter", 0)
        return VenueError(what, self.code, self.msg, status=status, retry_at_ms=retry if isinstance(retry, int) else 0)
