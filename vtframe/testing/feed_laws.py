"""The laws of a live feed, one function each, tried against a venue on loopback. Each raises LawBroken with what it saw."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from vtframe.clock import LiveClock
from vtframe.domain import EventKind, FrameKind
from vtframe.testing.feed_case import (
    STOP_S,
    Delivered,
    FeedCase,
    FeedRun,
    Message,
    NotedEngine,
    Told,
    counts_of,
    new_engine,
)
from vtframe.testing.verdict import LawBroken

FeedCheck = Callable[[FeedCase], None]
SILENCE_S = 0.4  # where a feed is to take a silent connection for dead
_ROUNDS = 5


def check_snapshot_before_deltas(case: FeedCase) -> None:
    """Every book is live after a picture of it and never before, and equals the venue's book from then on."""

    async def script(run: FeedRun) -> None:
        for instrument in range(len(run.instruments)):
            if run.is_live(instrument):
                raise LawBroken("a book is live before anything came")
        await run.settled()
        for _ in range(_ROUNDS):
            await run.step()

    run = case.direct(script)
    pictured: set[int] = set()
    for records in run.frames():
        for frame in records.frames[: records.n_frames]:
            instrument, kind = int(frame["instrument"]), int(frame["kind"])
            if kind == FrameKind.SNAPSHOT:
                first = records.events[int(frame["first_event"])]
                if not frame["n_events"] or first["kind"] != EventKind.BOOK_CLEAR:
                    raise LawBroken(f"a picture of {run.instruments[instrument].instrument_id} does not begin with BOOK_CLEAR")
                pictured.add(instrument)
    if run.venue.has_books and len(pictured) < len(run.instruments):
        raise LawBroken(f"{len(run.instruments) - len(pictured)} books got no picture")
    if not run.venue.has_books and any(run.is_live(instrument) for instrument in range(len(run.instruments))):
        raise LawBroken("the venue has no books, and one says that it is live")


def check_arrivals_never_go_back(case: FeedCase) -> None:
    """``ts_recv`` is the clock's, and never goes back on a connection: not where the machine's clock is set back, and not
    when the connection was made again."""
    clock = SetBackClock()

    async def script(run: FeedRun) -> None:
        await run.settled()
        await run.step()
        clock.set_back_s(30.0)
        for _ in range(_ROUNDS):
            await run.step()
        run.venue.cut()
        await run.until(lambda: run.venue.subscriptions() > 1, "it asked for everything again")
        await run.step()

    run = case.direct(script, clock=clock)
    latest: dict[int, int] = {}
    for connection, ts_recv in _arrivals(run):
        if ts_recv < latest.get(connection, 0):
            raise LawBroken(f"on connection {connection} ts_recv went back by {latest[connection] - ts_recv} ns")
        if not clock.earliest <= ts_recv <= clock.latest:
            raise LawBroken(f"ts_recv {ts_recv} is no reading of the clock, which went from {clock.earliest} to {clock.latest}")
        latest[connection] = ts_recv


class SetBackClock(LiveClock):
    """A machine's clock that somebody sets back."""

    def __init__(self) -> None:
        self.earliest = self.latest = super().now_ns()
        self._back = 0

    def set_back_s(self, seconds: float) -> None:
        self._back += round(seconds * 1e9)

    def now_ns(self) -> int:
        now = super().now_ns() - self._back
        self.earliest, self.latest = min(self.earliest, now), max(self.latest, now)
        return now


def _arrivals(run: FeedRun) -> list[tuple[int, int]]:
    """(connection, ts_recv) in the order in which they came."""
    found: list[tuple[int, int]] = []
    for one in run.inputs:
        if isinstance(one, Message):
            found.append((one.connection, one.ts_recv))
        elif isinstance(one, Delivered):
            frames = one.records.frames[: one.records.n_frames]
            found += zip(frames["connection"].tolist(), frames["ts_recv"].tolist(), strict=True)
    return found


def check_gap_is_an_event(case: FeedCase) -> None:
    """A lost message, and a lost connection, take every book concerned out of LIVE; it comes back as the venue's book."""

    async def script(run: FeedRun) -> None:
        books = range(len(run.instruments))
        await run.settled()
        await run.step()
        if run.venue.numbered:
            before = _gaps(run)
            run.venue.lose()
            run.venue.advance(len(books))
            await run.until(lambda: _gaps(run) >= before + len(books), "a lost message of every book was counted as a gap")
            await run.settled()
            await run.step()
        before = _gaps(run)
        run.venue.refuse(on=True)
        run.venue.cut()
        await run.until(lambda: run.told(up=False) > 0, "the end of the connection was told")
        if run.venue.has_books:
            await run.until(lambda: not any(run.is_live(k) for k in books), "no book is live while nothing is connected")
        elif not _lost(run):
            raise LawBroken("the connection was lost, and no STATUS frame with a GAP says so")
        run.venue.advance(2 * len(books))
        run.venue.refuse(on=False)
        await run.settled()

    case.direct(script)


def _gaps(run: FeedRun) -> int:
    return sum(run.books.counts(instrument).gaps for instrument in range(len(run.instruments)))


def _lost(run: FeedRun) -> bool:
    return any(FrameKind.STATUS in records.frames["kind"][: records.n_frames].tolist() for records in run.frames())


def check_stop_is_prompt(case: FeedCase) -> None:
    """Told to stop, it returns soon, and delivers nothing after it: while a market pours, while it is silent, and while the
    venue accepts nobody. It leaves no connection behind."""

    async def pouring(run: FeedRun) -> None:
        await run.settled()
        run.venue.advance(50 * len(run.instruments))

    async def silent(run: FeedRun) -> None:
        await run.settled()

    async def refused(run: FeedRun) -> None:
        await run.settled()
        run.venue.refuse(on=True)
        run.venue.cut()
        await run.until(lambda: run.told(up=False) > 0, "the end of the connection was told")

    for script in (pouring, silent, refused):
        case.direct(_and_left(script))


def _and_left(script: Callable[[FeedRun], Awaitable[None]]) -> Callable[[FeedRun], Awaitable[None]]:
    """The script, and then a look at what is left behind once the feed was told to stop."""

    async def followed(run: FeedRun) -> None:
        await script(run)
        run.engine.stop("the law has seen enough")
        if run.delivering is None:
            raise LawBroken("it never ran")
        done, _ = await asyncio.wait({run.delivering}, timeout=STOP_S)
        if not done:
            raise LawBroken(f"told to stop, it still runs {STOP_S:g} s later")
        count = len(run.inputs)
        end = asyncio.get_running_loop().time() + run.wait_s
        while run.venue.open_connections():
            if asyncio.get_running_loop().time() > end:
                raise LawBroken(f"run returned and left {run.venue.open_connections()} connections open")
            await asyncio.sleep(0.005)
        run.venue.refuse(on=False)
        run.venue.advance(len(run.instruments))
        if len(run.inputs) != count:
            raise LawBroken("it delivers after run returned")

    return followed


def check_recorded_bytes_give_the_counts(case: FeedCase) -> None:
    """What the venue sent is what is delivered, byte for byte and once; played again it gives the same counts and books."""

    async def script(run: FeedRun) -> None:
        await run.settled()
        for _ in range(_ROUNDS):
            await run.step()
        await _all_came(run)
        more = Counter(one.data for one in run.messages()) - Counter(run.venue.sent())
        if run.feed.codec() is not None and more:
            raise LawBroken(f"{more.total()} messages were delivered that the venue did not send, one is {_shown(more)}")
        run.venue.babble()  # from here on the feed may add words of its own: that something is lost
        await run.step()
        await _all_came(run)

    run = case.direct(script)
    with tempfile.TemporaryDirectory(prefix="vtframe-law-") as folder:
        again, journal = new_engine(run.feed, run.instruments, Path(folder) / "journal")
        again.note()
        play(run.inputs, again)
        journal.close()
    if counts_of(again) != counts_of(run.engine):
        raise LawBroken(f"played again it gives other counts: {counts_of(again)}, and {counts_of(run.engine)} at first")


async def _all_came(run: FeedRun) -> None:
    """Wait for everything that the venue sent. Raises LawBroken where it came as something else."""
    if run.feed.codec() is None:
        return
    sent = Counter(run.venue.sent())
    await run.until(lambda: len(run.messages()) >= sent.total(), "as many messages came as the venue sent")
    if missing := sent - Counter(one.data for one in run.messages()):
        raise LawBroken(f"{missing.total()} messages of the venue were not delivered as sent, one is {_shown(missing)}")


def play(inputs: list[Message | Delivered | Told], engine: NotedEngine) -> None:
    """Give an engine what another one got."""
    for one in list(inputs):
        if isinstance(one, Message):
            engine.on_message(one.data, one.ts_recv, connection=one.connection)
        elif isinstance(one, Delivered):
            engine.on_records(one.records)
        else:
            engine.on_connection(one.connection, up=one.up, reason=one.reason)


def _shown(messages: Counter[bytes]) -> str:
    return repr(next(iter(messages))[:100])


def check_reconnect_resubscribes(case: FeedCase) -> None:
    """After a lost connection, and refused ones, it connects again, asks for everything again, and tells both."""

    async def script(run: FeedRun) -> None:
        await run.settled()
        for number in range(1, 3):
            run.venue.refuse(on=True)
            run.venue.cut()
            downs = run.told(up=False)
            await run.until(lambda n=number: run.told(up=False) >= n, "the end of the connection was told")  # type: ignore[misc]
            run.venue.advance(2 * len(run.instruments))
            run.venue.refuse(on=False)
            await run.until(
                lambda n=number: run.venue.subscriptions() >= n + 1,  # type: ignore[misc]
                "it connected and asked for every instrument again",
            )
            await run.until(lambda n=number: run.told(up=True) >= n + 1, "the new connection was told")  # type: ignore[misc]
            await run.step()
            if run.told(up=False) > downs + 1:
                raise LawBroken("one lost connection was told to be down more than once")

    case.direct(script)


def check_silence_is_noticed(case: FeedCase) -> None:
    """A connection that is open and says nothing while the market goes on is not taken for a quiet market: another one is
    made, or the books say that they are not live."""

    async def script(run: FeedRun) -> None:
        await run.settled()
        run.venue.lose()

        def noticed() -> bool:
            live = any(run.is_live(instrument) for instrument in range(len(run.instruments)))
            return run.venue.subscriptions() > 1 or (run.venue.has_books and not live)

        await run.until(noticed, "it took the silent connection for dead, or its books for stale")

    case.direct(script, silence_s=SILENCE_S)


def check_broken_messages_do_not_end_it(case: FeedCase) -> None:
    """A broken message is counted as damage, or makes a gap; the feed goes on, and the books are the venue's."""

    async def script(run: FeedRun) -> None:
        await run.settled()
        before = run.engine.damage.total() + _gaps(run) + run.told(up=False)
        run.venue.babble()
        await run.until(
            lambda: run.engine.damage.total() + _gaps(run) + run.told(up=False) > before,
            "the broken message was counted, or made a gap",
        )
        await run.step()

    case.direct(script)


FEED_CHECKS: tuple[FeedCheck, ...] = (
    check_snapshot_before_deltas,
    check_arrivals_never_go_back,
    check_gap_is_an_event,
    check_stop_is_prompt,
    check_recorded_bytes_give_the_counts,
    check_reconnect_resubscribes,
    check_silence_is_noticed,
    check_broken_messages_do_not_end_it,
)
"""Every law; ``@pytest.mark.parametrize("check", FEED_CHECKS)`` applies them all to a case."""
