"""Names of our orders, derived from the session and a sequence: no clock and no chance, so that a replay names them alike."""

from __future__ import annotations

import hashlib
import re

_LONGEST = 36  # what Binance takes, the strictest venue we know
_SEQUENCE_DIGITS = 8
_ALLOWED = re.compile(r"[A-Za-z0-9_-]+")


class ClientOrderIds:
    """``SESSION-SEQUENCE``, at most 36 characters of ``A-Z a-z 0-9 _ -``.

    A session id that is too long or has other characters is replaced by a digest of itself.
    """

    def __init__(self, session_id: str, *, start: int = 1) -> None:
        if not session_id:
            raise ValueError("session_id is empty; client order IDs need one")
        fits = _ALLOWED.fullmatch(session_id) and len(session_id) <= _LONGEST - _SEQUENCE_DIGITS - 1
        self._prefix = session_id if fits else hashlib.blake2s(session_id.encode(), digest_size=10).hexdigest()
        self._sequence = start

    @property
    def sequence(self) -> int:
        """The number that the next order gets."""
        return self._sequence

    def next(self) -> str:
        """A name that this session has not used."""
        name = f"{self._prefix}-{self._sequence}"
        self._sequence += 1
        return name
