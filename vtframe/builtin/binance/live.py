"""A live market: its connections, its books' snapshots and the watch over both, for as long as a session runs.

Everything happens in the session's event loop. A message goes from the socket to the session in one call; whatever else is
done (snapshots, connecting, watching) is done beside it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from vtframe.api import Clock, FeedSink
from vtframe.builtin.binance.back_off import BackOff
from vtframe.builtin.binance.exchange_info import TRADING, Listed
from vtframe.builtin.binance.instrument_watch import InstrumentWatch
from vtframe.builtin.binance.keeper import Keeper
from vtframe.builtin.binance.lateness import Lateness
from vtframe.builtin.binance.line import Line, Tap
from vtframe.builtin.binance.live_settings import Settings
from vtframe.builtin.binance.notes import State, note
from vtframe.builtin.binance.places import Market, Place
from vtframe.builtin.binance.rest import RestClient, RestError
from vtframe.builtin.binance.resync import Resync, last_update_id
from vtframe.builtin.binance.silence import SilenceWatch
from vtframe.builtin.binance.streams import Stream
from vtframe.builtin.binance.weights import Weights
from vtframe.domain import BookState, Instrument

_TURN_S: Final = 0.02  # between two looks at whether the session wants to stop
_STOP_S: Final = 5.0
_PROBE_LEVELS: Final = 5
_AT_ONCE: Final = 8  # snapshots that are asked for at the same time
_OURS: Final = 0  # the connection number of what no socket brought; theirs begin at 1
_NUMBERS: Final = re.compile(r"\d+")


class LiveMarket:
    """Runs once. It is the owner of its lines and of the watch."""

    def __init__(
        self,
        market: Market,
        place: Place,
        instruments: Sequence[Instrument],
        streams: Sequence[Stream],
        *,
        settings: Settings,
        clock: Clock,
        generator: np.random.Generator,
        listed: Mapping[str, Listed],
        weights: Weights,
    ) -> None:
        self.losses: Counter[str] = Counter()  # of books, by what was lost
        self.failures: Counter[str] = Counter()  # attempts that came to nothing, by what was attempted
        self.silent: Counter[str] = Counter()  # streams that were acknowledged and silent, by name
        self.lateness = Lateness()
        self.round_trips: list[int] = []  # of snapshots, ns; the newest 1,000
        self._market = market
        self._place = place
        self._instruments = tuple(instruments)
        self._streams = tuple(streams)
        self._of = [[one for one in streams if one.instrument == index] for index in range(len(instruments))]
        self._settings = settings
        self._clock = clock
        self._generator = generator
        self.client = RestClient(place.rest, weights, timeout_s=settings.request)
        self._instrument_watch = InstrumentWatch(
            market,
            self.client,
            listed,
            every_s=settings.refresh,
            changed=lambda where, problem: self._tell(self._sink.on_damage, where, problem),
            traded=self._traded,
            failed=self._failed,
        )
        self.watch = SilenceWatch(streams, settings.silence, self)
        self._keepers: list[Keeper] = []
        self.resyncs: list[Resync] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._lines = 0
        self._latest = 0  # ts_recv of the newest message handed on
        self._alarms = 0
        self._failure: BaseException | None = None
        self._stopped = False
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self.most_unread = 0
        self.least_buffer = 0

    async def run(self, sink: FeedSink) -> None:
        """Until the sink is stopping. Raises what the session raised."""
        self._sink = sink
        settings = self._settings
        self._hand_on = sink.on_message
        self._books = sink.books
        self._alarms = self._books.alarms
        self.resyncs = [self._resync(index, one) for index, one in enumerate(self._instruments)]
        self._keepers = self._plan()
        async with self.client:
            for main in (*(keeper.run() for keeper in self._keepers), *(one.run() for one in self.resyncs)):
                self._begin(main)
            self._begin(self._watch())
            self._begin(self._instrument_watch.run())
            try:
                async with asyncio.timeout(settings.duration) as until:
                    while not sink.stopping and self._failure is None:
                        await asyncio.sleep(_TURN_S)
            except TimeoutError:
                if not until.expired():
                    raise
            finally:
                await self._stop()
        if self._failure is not None:
            raise self._failure

    def report(self) -> dict[str, Any]:
        """Numbers for report.json."""
        trips = np.array(self.round_trips or [0], np.int64)
        shares = np.array([took / trip for one in self.resyncs for took, trip in one.mended] or [np.nan])
        return {
            "connections": self._lines,
            "reconnects": sum(keeper.reconnects for keeper in self._keepers),
            "renewals": sum(keeper.renewals for keeper in self._keepers),
            "losses": dict(self.losses),
            "failures": dict(self.failures),
            "silent": dict(self.silent),
            "quiet": self.watch.quiet,
            "duplicates": sum(stream.duplicates for stream in self._streams),
            "missing": sum(stream.missing for stream in self._streams),
            "lateness": self.lateness.report(),
            "snapshots": {
                "synced": sum(one.synced for one in self.resyncs),
                "too_old": sum(one.too_old for one in self.resyncs),
                "round_trip_ns": {"p50": int(np.median(trips)), "max": int(trips.max())},
                "gap_to_live_in_round_trips": {
                    "count": int(np.isfinite(shares).sum()),
                    "p50": _plain(np.median(shares)),
                    "p99": _plain(np.percentile(shares, 99)),
                },
            },
            "rest": self.client.report(),
            "most_unread_bytes": self.most_unread,
            "receive_buffer_bytes": self.least_buffer,
        }

    # What lines tell.

    def on_stream_message(self, stream: Stream, data: bytes, ts_recv: int, connection: int) -> None:
        missing = stream.take(data, connection, ts_recv)
        if missing:
            if missing < 0:
                return
            self._lose(stream.instrument, "gap", f"{missing} messages missing: {stream.name}", connection)
        if stream.kind == "depth":
            self.lateness.observe(stream, data, ts_recv)
        self._deliver(data, ts_recv, connection)
        if self._books.alarms != self._alarms:
            self._alarm(stream, connection)
        if stream.joining:
            self._join(stream)

    def on_other_message(self, data: bytes, ts_recv: int, connection: int) -> None:
        self._deliver(data, ts_recv, connection)
        if self._books.alarms != self._alarms:  # which book it was meant for nobody can say; ids will show
            self._alarms = self._books.alarms
            for resync in self.resyncs:
                resync.wake()

    def on_carried(self, line: Line, taps: Sequence[Tap]) -> None:
        now = self._clock.monotonic_ns()
        for tap in taps:
            tap.began_ns = tap.moved_ns = now
            tap.others = tap.stream.frames
            if tap.stream.carried:
                line.hold(tap)
            tap.stream.carry(1)
        if not line.up and all(tap.carried for tap in line.taps.values()):
            line.up = True
            self._tell(self._sink.on_connection, line.number, up=True, reason=f"{len(line.taps)} streams acknowledged")
        for tap in taps:
            self.resyncs[tap.stream.instrument].wake()

    def on_line_closed(self, line: Line, reason: str) -> None:
        if self._stopped:
            return
        lost: dict[int, str] = {}
        for tap in line.taps.values():
            if tap.carried:
                tap.carried = False
                tap.stream.carry(-1)
                if not tap.stream.carried:
                    lost.setdefault(tap.stream.instrument, tap.stream.name)
        for instrument in lost:
            self._lose(instrument, "stale" if line.stale else "gap", f"connection {line.number} is over: {reason}", line.number)
        if line.up:
            self._tell(self._sink.on_connection, line.number, up=False, reason=reason)
        for tap in line.taps.values():
            self._join(tap.stream)

    # What the watch finds.

    def is_ahead(self, stream: Stream) -> bool:
        index = stream.instrument
        return self._books.update_id(index) > stream.last and self._books.state(index) is BookState.LIVE

    def on_stale(self, stream: Stream, problem: str) -> None:
        stream.base = stream.frames  # only a message proves that it is back
        self._lose(stream.instrument, "stale", problem, _OURS)
        limit = int(self._settings.silence.depth * 1e9)
        now = self._clock.monotonic_ns()
        for keeper in self._keepers:
            line = keeper.line
            if line is None or line.over or stream.name.encode() not in line.taps:
                continue
            if any(now - tap.moved_ns < limit for tap in line.taps.values() if tap.stream is not stream):
                line.ask_to_renew(problem)
            else:
                line.give_up("silent", stale=True)

    def on_quiet(self, stream: Stream) -> None:
        for keeper in self._keepers:
            line = keeper.line
            if line is not None and not line.over and stream.name.encode() in line.taps:
                line.ask_to_renew(f"{stream.name} says nothing")

    def on_silent(self, line: Line, tap: Tap, seconds: float) -> None:
        name = tap.stream.name
        self.silent[name] += 1
        problem = f"acknowledged and silent: {name} on the route {tap.stream.route!r} for {seconds:.1f} s; it may be on another"
        self._tell(self._sink.on_damage, f"connection {line.number}", problem)

    def ask(self, stream: Stream, proven: Callable[[int], None]) -> None:
        async def main() -> None:
            symbol = self._instruments[stream.instrument].symbol
            try:
                body = await self._snapshot(symbol, _PROBE_LEVELS)
            except RestError as e:
                self.failures[f"probe: {_NUMBERS.sub('N', e.problem.partition(':')[0])}"] += 1
                return
            live = self._books.state(stream.instrument) is BookState.LIVE
            if live and last_update_id(body) == self._books.update_id(stream.instrument):
                proven(self._clock.monotonic_ns())

        self._begin(main())

    # Inside.

    def _plan(self) -> list[Keeper]:
        """Who keeps what: as few connections as the venue's limits allow, each twice where that is asked for."""
        keepers = []
        for route in sorted({stream.route for stream in self._streams}):
            streams = [stream for stream in self._streams if stream.route == route]
            most = self._market.most_streams
            for first in range(0, len(streams), most):
                keepers += [self._keeper(route, streams[first : first + most]) for _ in range(1 + self._settings.redundant)]
        return keepers

    def _keeper(self, route: str, streams: Sequence[Stream]) -> Keeper:
        return Keeper(
            self._place.sockets[route],
            streams,
            make_line=self._line,
            failed=self._failed,
            now_ns=self._clock.now_ns,
            generator=self._generator,
            times=self._settings.times,
            library=self._settings.library,
            receive_buffer=self._settings.receive_buffer,
        )

    def _line(self, streams: Sequence[Stream]) -> Line:
        self._lines += 1
        return Line(self._lines, streams, self, self._market)

    def _resync(self, index: int, instrument: Instrument) -> Resync:
        settings = self._settings
        return Resync(
            index,
            instrument,
            self._of[index],
            books=self._books,
            get=lambda symbol: self._snapshot(symbol, settings.levels),
            deliver=lambda data: self._deliver(data, self._clock.now_ns(), _OURS),
            failed=lambda problem: self._failed(instrument.instrument_id, f"no snapshot: {problem}"),
            back_off=BackOff(self._generator, first_s=settings.snapshot_first, most_s=settings.snapshot_most),
            now_ns=self._clock.monotonic_ns,
        )

    async def _snapshot(self, symbol: str, levels: int) -> bytes:
        async with self._at_once:
            began = self._clock.monotonic_ns()
            weight = self._market.snapshot_weight(levels)
            body = await self.client.get("depth", weight=weight, symbol=symbol, limit=str(levels))
            if len(self.round_trips) >= 1000:
                del self.round_trips[:500]
            self.round_trips.append(self._clock.monotonic_ns() - began)
            return body

    def _deliver(self, data: bytes, ts_recv: int, connection: int) -> None:
        """Hand a message on, arrival times in order. An error of the session ends the run; the socket must not swallow it."""
        if self._stopped:
            return
        if ts_recv < self._latest:
            ts_recv = self._latest
        else:
            self._latest = ts_recv
        try:
            self._hand_on(data, ts_recv, connection=connection)
        except BaseException as e:  # noqa: BLE001 - run raises it
            self._fail(e)

    def _alarm(self, stream: Stream, connection: int) -> None:
        """A message was refused, so that what it said is lost; or its book waits for a snapshot."""
        self._alarms = self._books.alarms
        if self._books.state(stream.instrument) is BookState.LIVE:
            self._lose(stream.instrument, "gap", f"refused: a message of {stream.name}", connection)
        self.resyncs[stream.instrument].wake(gap=True)

    def _traded(self, symbol: str, status: str) -> None:
        """The venue trades an instrument no more, or again: the session hears it as a message among the others."""
        instrument = next(one for one in self._instruments if one.symbol == symbol)
        state: State = "trading" if status == TRADING else "halted"
        self._deliver(note(instrument, state, f"its status is {status}"), self._clock.now_ns(), _OURS)

    def _lose(self, index: int, state: Literal["gap", "stale"], reason: str, connection: int) -> None:
        """A book cannot be trusted from here on: the session hears it as a message among the others."""
        self.losses[f"{state}: {_NUMBERS.sub('N', reason.partition(':')[0])}"] += 1
        self._deliver(note(self._instruments[index], state, reason), self._clock.now_ns(), connection)
        self.resyncs[index].wake()

    def _join(self, stream: Stream) -> None:
        waiting, stream.joining = stream.joining, []
        for attempt in waiting:
            if not attempt():
                stream.joining.append(attempt)

    def _failed(self, where: str, problem: str) -> None:
        self.failures[_NUMBERS.sub("N", problem.partition(":")[0])] += 1
        self._tell(self._sink.on_damage, where, problem)

    def _tell(self, call: Callable[..., None], *arguments: Any, **named: Any) -> None:
        if self._stopped:
            return
        try:
            call(*arguments, **named)
        except BaseException as e:  # noqa: BLE001 - run raises it
            self._fail(e)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._stopped = True

    def _begin(self, main: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(main)
        self._tasks = [one for one in self._tasks if not one.done()]
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.silence.look_s)
            lines = [line for keeper in self._keepers for line in keeper.lines]
            self.most_unread = max(self.most_unread, *(line.unread for line in lines), 0)
            self.least_buffer = min((size for line in lines if (size := line.buffer)), default=self.least_buffer)
            self.watch.look(self._clock.monotonic_ns(), lines)

    async def _stop(self) -> None:
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_S)  # a socket that does not let go holds up no stop
        lines = [line for keeper in self._keepers for line in keeper.lines]
        for line in lines:
            line.give_up("the session stops")
        await asyncio.gather(*(line.closed() for line in lines), return_exceptions=True)


def _plain(share: np.floating[Any]) -> float | None:
    return None if np.isnan(share) else round(float(share), 3)
