"""One connection to the WebSocket API: requests go out as text, answers come back by id, user data events between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from vtframe.builtin.binance.execution.codes import ErrorBody, VenueError
from vtframe.builtin.binance.execution.limits import RateLimit
from vtframe.clock import Clock
from vtframe.transport import Connection, Library, TransportError, connect

_LIMIT: Final = 1 << 20  # bytes of one message
_TIMEOUT_S: Final = 5.0


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """An answer (``id``, ``status``, and ``result`` or ``error``), or an event of a subscription (``event``)."""

    id: str | int | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw()
    error: ErrorBody | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    event: msgspec.Raw = msgspec.Raw()
    code: int = 0  # of an error that has no ``error`` around it

    def refusal(self, what: str) -> VenueError | None:
        """What the venue says against it; None where it did what was asked."""
        if self.error is None and self.status < 400:
            return None
        return (self.error or ErrorBody(self.code, f"status {self.status}")).error(what, self.status or 400)


class ApiConnection:
    """A ``Receiver``. Answers to ``ask`` go to who asked, all others to ``on_answer``; ``on_over`` is told the end, once.

    ``note`` is told the counters of every answer, ``learn`` what was refused of what was asked.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        library: Library,
        on_answer: Callable[[Answer], None],
        on_event: Callable[[msgspec.Raw], None],
        on_over: Callable[[str], None],
        on_broken: Callable[[str], None],
        admit: Callable[[], None],
        note: Callable[[tuple[RateLimit, ...]], None],
        learn: Callable[[VenueError], None],
    ) -> None:
        self._url = url
        self._clock = clock
        self._library = library
        self._on_answer = on_answer
        self._on_event = on_event
        self._on_over = on_over
        self._on_broken = on_broken
        self._admit = admit
        self._note = note
        self._learn = learn
        self._decode = msgspec.json.Decoder(Answer).decode
        self._connection: Connection | None = None
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._number = 0
        self.heard_ns = 0  # monotonic: when the last message came

    async def open(self) -> None:
        """Raises TransportError, and what ``admit`` raises where the venue wants to be left alone."""
        self._admit()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                self._connection = await connect(self._url, self, self._clock.now_ns, library=self._library, limit=_LIMIT)
        except TimeoutError:
            raise TransportError(self._url, f"does not answer within {_TIMEOUT_S:.0f} s") from None
        self.heard_ns = self._clock.monotonic_ns()

    def send(self, text: str) -> None:
        """Hand one request to the socket. Raises TransportError where nothing was sent, for certain."""
        if self._connection is None:
            raise TransportError(self._url, "is not connected")
        self._connection.send(text)

    def rehearse(self, text: str) -> None:
        """``send``, but for the sending."""
        if self._connection is not None:
            self._connection.rehearse(text)

    async def ask(self, method: str, params: Mapping[str, str | int]) -> Answer:
        """Send a request and wait for its answer. Raises VenueError, or TransportError where none came."""
        self._number += 1
        number = self._number
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            self.send(msgspec.json.encode({"id": number, "method": method, "params": params}).decode())
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await future
        except TimeoutError:
            raise TransportError(self._url, f"did not answer {method} within {_TIMEOUT_S:.0f} s") from None
        finally:
            del self._asked[number]
        if (refusal := answer.refusal(method)) is not None:
            self._learn(refusal)
            raise refusal
        return answer

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for an answer to ``ask``."""
        return bool(self._asked)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    def on_message(self, data: bytes, ts_recv: int) -> None:
        self.heard_ns = self._clock.monotonic_ns()
        try:
            answer = self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            self._on_broken(f"a message of the WebSocket API cannot be read: {e}")
            return
        if answer.rate_limits:
            self._note(answer.rate_limits)
        if answer.event:
            self._on_event(answer.event)
        elif isinstance(answer.id, int) and (future := self._asked.get(answer.id)) is not None:
            if not future.done():
                future.set_result(answer)
        else:
            self._on_answer(answer)

    def on_close(self, reason: str) -> None:
        self._connection = None
        for future in self._asked.values():
            if not future.done():
                future.set_exception(TransportError(self._url, f"the connection was lost: {reason}"))
        self._on_over(reason)


def result_of(answer: Answer, kind: type[Any]) -> Any:
    """The result as ``kind``. Raises VenueError where it is another."""
    try:
        return msgspec.json.decode(answer.result, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise VenueError("an answer", 0, f"is no {kind.__name__}") from None
