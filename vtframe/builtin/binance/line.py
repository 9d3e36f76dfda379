"""One socket: connected, subscribed, acknowledged, and watched until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec

from vtframe.builtin.binance.places import Market
from vtframe.builtin.binance.streams import NO_ID, Stream
from vtframe.transport import Connection, Library, TransportError, connect

_HEAD: Final = len(b'{"stream":"')
_CHUNK: Final = 50  # streams asked for in one message
_LONGEST_NAME: Final = 100
_LONGEST_ANSWER: Final = 1 << 16  # bytes
_MOST_HELD: Final = 1_000  # messages of a stream that wait for another connection
_LARGEST_HELD: Final = 1 << 16  # bytes of one


class _Error(msgspec.Struct):
    code: int = 0
    msg: str = ""


class _Answer(msgspec.Struct):
    """What the venue says of a request, or of itself."""

    id: Any = None
    error: _Error | None = None
    code: int | None = None  # some errors come without a wrapping
    msg: str = ""


_ANSWERS = msgspec.json.Decoder(_Answer)


class Tap:
    """One stream on one line."""

    __slots__ = ("began_ns", "carried", "frames", "held", "moved_ns", "others", "seen", "stream", "told")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.frames = 0  # messages on this line
        self.carried = False  # acknowledged
        self.held: list[tuple[bytes, int]] | None = None  # while another connection has not come to where this one began
        self.began_ns = 0  # monotonic: acknowledged
        self.moved_ns = 0  # monotonic: when the watch last found more frames
        self.seen = 0  # frames then
        self.others = 0  # frames of the stream then, on whatever line
        self.told = False  # that it is acknowledged and silent


class LineOwner(Protocol):
    """What a line tells."""

    def on_stream_message(self, stream: Stream, data: bytes, ts_recv: int, connection: int) -> None: ...
    def on_other_message(self, data: bytes, ts_recv: int, connection: int) -> None:
        """No message of a stream that was asked for."""
        ...

    def on_carried(self, line: Line, taps: Sequence[Tap]) -> None:
        """Streams have been acknowledged."""
        ...

    def on_line_closed(self, line: Line, reason: str) -> None: ...


class Line:
    """A receiver of one connection's messages. ``number`` names the connection in the session."""

    def __init__(self, number: int, streams: Sequence[Stream], owner: LineOwner, market: Market) -> None:
        self.number = number
        self.taps = {stream.name.encode(): Tap(stream) for stream in streams}
        self.over = False
        self.stale = False  # it was given up because it was silent
        self.renew = ""  # why another is to take its place
        self.up = False  # told so
        self.wake = asyncio.Event()  # it is over, or to be replaced
        self._find: Callable[[bytes], Tap | None] = self.taps.get
        self._owner = owner
        self._market = market
        self._tell = owner.on_stream_message
        self._connection: Connection | None = None
        self._closing: asyncio.Task[None] | None = None
        self._asked: dict[int, list[Tap]] = {}  # subscriptions without an answer yet
        self._answered = asyncio.Event()
        self._refusal = ""
        self._reason = ""

    async def open(
        self, root: str, now_ns: Callable[[], int], *, library: Library, receive_buffer: int, timeout_s: float
    ) -> None:
        """Connect, and subscribe; returns once every stream is acknowledged. Raises TransportError, with the line closed."""
        url = f"{root}/stream"
        try:
            async with asyncio.timeout(timeout_s):
                self._connection = await connect(url, self, now_ns, library=library, receive_buffer=receive_buffer)
                await self._subscribe(url)
        except BaseException as e:
            asked = self._connection is not None
            self.give_up("it could not be subscribed")
            if isinstance(e, TimeoutError):
                problem = "streams were not acknowledged" if asked else "no connection"
                raise TransportError(url, f"{problem} within {timeout_s:g} s") from None
            if isinstance(e, OSError | RuntimeError):  # uvloop's word for a socket that has just gone
                raise TransportError(url, f"cannot connect: {e}") from None
            raise

    async def _subscribe(self, url: str) -> None:
        taps = list(self.taps.values())
        for request, first in enumerate(range(0, len(taps), _CHUNK), start=1):
            if request > 1:
                await asyncio.sleep(1 / self._market.messages_per_second)
            chunk = taps[first : first + _CHUNK]
            self._asked[request] = chunk
            if self._connection is not None:
                said = {"method": "SUBSCRIBE", "params": [tap.stream.name for tap in chunk], "id": request}
                self._connection.send(msgspec.json.encode(said).decode())
        while self._asked and not self._refusal and not self.over:
            self._answered.clear()
            await self._answered.wait()
        if self._refusal:
            raise TransportError(url, f"a subscription was refused: {self._refusal}")
        if self.over:
            raise TransportError(url, f"the connection ended while streams were subscribed: {self._reason}")

    def give_up(self, reason: str, *, stale: bool = False) -> None:
        """It is over from here on, whatever the other side does; what still comes is not heard."""
        if not self.over:
            self.stale = stale
            self._find = _deaf
            self.on_close(reason)
        if self._connection is not None and self._closing is None:
            self._closing = asyncio.create_task(self._connection.close())

    async def closed(self) -> None:
        """Returns when the socket is closed, where it was given up."""
        if self._closing is not None:
            await self._closing

    def ask_to_renew(self, reason: str) -> None:
        """Another is to take its place while it runs on."""
        self.renew = self.renew or reason
        self.wake.set()

    @property
    def unread(self) -> int:
        """Bytes that wait in the socket."""
        return 0 if self._connection is None or self.over else self._connection.unread()

    @property
    def buffer(self) -> int:
        """Bytes that the socket may keep unread; 0 where there is none."""
        return 0 if self._connection is None or self.over else self._connection.buffer()

    def on_message(self, data: bytes, ts_recv: int) -> None:
        end = data.find(b'"', _HEAD, _LONGEST_NAME)
        tap = self._find(data[_HEAD:end]) if end > 0 else None
        if tap is None:
            if not self.over:
                self._answer(data, ts_recv)
            return
        tap.frames += 1
        if tap.held is None:
            self._tell(tap.stream, data, ts_recv, self.number)
        else:
            self._hold(tap, data, ts_recv)

    def on_close(self, reason: str) -> None:
        if self.over:
            return
        self._reason = reason
        self.over = True
        self._answered.set()
        self.wake.set()
        for tap in self.taps.values():
            self._let_go(tap)
        self._owner.on_line_closed(self, reason)

    def hold(self, tap: Tap) -> None:
        """Another connection carries this stream: what comes here waits until that one has come to where this one begins."""
        tap.held = []
        tap.stream.holding += 1
        tap.stream.joining.append(lambda: self._try_join(tap))

    def _hold(self, tap: Tap, data: bytes, ts_recv: int) -> None:
        if tap.held is not None:
            tap.held.append((data, ts_recv))
            if len(data) > _LARGEST_HELD:
                self.release(tap)
            else:
                self._try_join(tap)

    def _try_join(self, tap: Tap) -> bool:
        """Whether nothing is held any more."""
        held, stream = tap.held, tap.stream
        if held is None:
            return True
        if stream.carried > stream.holding:  # somebody else hands it on
            if not held:
                return False
            first = stream.number(held[0][0])
            if NO_ID not in {stream.last, first} and stream.last < first and len(held) < _MOST_HELD:
                return False
        self.release(tap)
        return True

    def release(self, tap: Tap) -> None:
        """Hand on what was held; what another connection has brought already is dropped as its copy."""
        for data, ts_recv in self._let_go(tap):
            self._tell(tap.stream, data, ts_recv, self.number)

    def _let_go(self, tap: Tap) -> Sequence[tuple[bytes, int]]:
        """What was held."""
        held, tap.held = tap.held, None
        if held is None:
            return ()
        tap.stream.holding -= 1
        return held

    def _answer(self, data: bytes, ts_recv: int) -> None:
        """An answer to a subscription, the venue's word that it shuts down, or something else."""
        if len(data) <= _LONGEST_ANSWER:
            self._settle(data)
            if b'"serverShutdown"' in data[:200]:
                self.ask_to_renew("the venue says that it shuts down")
        self._owner.on_other_message(data, ts_recv, self.number)

    def _settle(self, data: bytes) -> None:
        try:
            answer = _ANSWERS.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return  # the codec says what is wrong with it
        taps = self._asked.pop(answer.id, None) if isinstance(answer.id, int) else None
        if answer.error is not None or answer.code is not None:
            error = answer.error or _Error(answer.code or 0, answer.msg)
            self._refusal = f"{error.msg[:200]} ({error.code})"
        elif taps is not None:
            for tap in taps:
                tap.carried = True
            self._owner.on_carried(self, taps)
        self._answered.set()


def _deaf(name: bytes) -> None:
    """Nothing is heard any more."""
