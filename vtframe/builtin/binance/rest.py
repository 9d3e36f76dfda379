"""Binance's REST API: its weights kept to, its refusals obeyed, answers of bounded size."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from vtframe.builtin.binance.weights import BANNED, Weights
from vtframe.errors import VtframeError

_LIMITED: Final = 429
_CODE = re.compile(rb'"code"\s*:\s*(-?\d{1,9})')
_MESSAGE = re.compile(rb'"msg"\s*:\s*"([^"]{0,200})')
SMALL: Final = 8 << 20  # bytes of an answer
LARGE: Final = 64 << 20  # of exchangeInfo


class RestError(VtframeError):
    """A request was not answered: ``status`` is the venue's (0 where there was none), ``code`` its own error number."""

    def __init__(self, url: str, problem: str, *, status: int = 0, code: int = 0) -> None:
        self.url = url
        self.problem = problem
        self.status = status
        self.code = code
        super().__init__(f"{url}: {problem}")


class RestClient:
    """Unsigned GET requests to one market, one at a time or several; an async context manager. TLS is always verified."""

    def __init__(self, root: str, weights: Weights, *, timeout_s: float) -> None:
        self._root = root
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self.weights = weights
        self.requests = 0
        self.slow = 0  # answers that took more than a quarter of the time that they may take
        self.slowest_ns = 0
        self._slow_ns = int(timeout_s * 0.25e9)
        self.failures: Counter[str] = Counter()
        self._clock = weights.clock.monotonic_ns
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout, auto_decompress=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, *, weight: int, most_bytes: int = SMALL, **parameters: str) -> bytes:
        """The body of the answer. Waits for its turn where the venue's limits ask for it. Raises RestError."""
        if self._session is None:
            raise RuntimeError("a RestClient is used inside its async with block")
        while (wait := self.weights.wait_s(weight)) > 0:
            await asyncio.sleep(wait)
        url = f"{self._root}/{path}"
        self.requests += 1
        began = self._clock()
        try:
            async with self._session.get(url, params=parameters, allow_redirects=False) as answer:
                self.weights.heard(answer.headers.get("X-MBX-USED-WEIGHT-1M"))
                body = await _read(answer, most_bytes)
                if answer.status in (_LIMITED, BANNED):
                    seconds = self.weights.refused(answer.status, answer.headers.get("Retry-After"))
                    raise self._failed(url, f"asked too often; left alone for {seconds:g} s", answer.status, body)
                if answer.status != 200:
                    raise self._failed(url, f"answered {answer.status}", answer.status, body)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as e:  # ValueError: headers that are none
            self.failures[type(e).__name__] += 1
            raise RestError(url, f"no answer: {str(e) or type(e).__name__}") from None
        finally:
            took = self._clock() - began
            self.slow += took > self._slow_ns
            self.slowest_ns = max(self.slowest_ns, took)
        if body is None:
            self.failures["too large"] += 1
            raise RestError(url, f"an answer of more than {most_bytes} bytes")
        return body

    def report(self) -> dict[str, Any]:
        """Numbers for report.json."""
        return {
            "requests": self.requests,
            "weight_used": self.weights.used,
            "weight_limit": self.weights.limit,
            "refused": {str(status): count for status, count in self.weights.refusals.items()},
            "failures": dict(self.failures),
            "slow": self.slow,
            "slowest_ns": self.slowest_ns,
        }

    def _failed(self, url: str, problem: str, status: int, body: bytes | None) -> RestError:
        self.failures[str(status)] += 1
        code, message = _CODE.search(body or b""), _MESSAGE.search(body or b"")
        said = f": {message[1].decode(errors='replace')} ({int(code[1])})" if code and message else ""
        return RestError(url, problem + said, status=status, code=int(code[1]) if code else 0)


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The body; None where it is larger than ``limit``."""
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.content.iter_any():
        size += len(piece)
        if size > limit:
            answer.close()
            return None
        pieces.append(piece)
    return b"".join(pieces)
