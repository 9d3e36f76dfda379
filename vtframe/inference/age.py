"""How far arrivals lag behind what the connection can do: frames that waited in a buffer are not taken for fresh."""

from __future__ import annotations

from typing import Final

from vtframe.domain import Records
from vtframe.inference.loop_beat import LoopBeat

_NEVER: Final = 1 << 62


class Backlog:
    """How far ``ts_recv - ts_event`` stands above its minimum over the last ``window_ns``, in ns.

    The venue's clock and ours may differ by any constant: it cancels. The window is kept as ``buckets`` minima, so that a step
    costs the same however fast events come; an old minimum is forgotten after ``window_ns`` and at most one bucket more.
    Time is ``ts_recv``; where it goes back, nothing is forgotten. A source that states no time (``ts_event <= 0``) has no
    backlog.
    """

    __slots__ = ("_before", "_edge", "_minima", "_newest", "_slot", "_step")

    def __init__(self, *, window_ns: int = 60_000_000_000, buckets: int = 15) -> None:
        if buckets < 1 or window_ns < buckets:
            raise ValueError(f"a window of {window_ns} ns cannot be kept in {buckets} buckets")
        self._step = window_ns // buckets
        self._minima = [_NEVER] * buckets  # of the buckets before the newest, a ring
        self._slot = 0
        self._before = _NEVER  # the least of them
        self._newest = _NEVER  # of the bucket that is being filled
        self._edge = -_NEVER  # where that bucket ends

    def observe(self, ts_event: int, ts_recv: int) -> int:
        """Take in one arrival and return its backlog, ns, 0 or more."""
        if ts_event <= 0:
            return 0
        if ts_recv >= self._edge:
            self._turn(ts_recv)
        delay = ts_recv - ts_event
        if delay < self._newest:
            self._newest = delay
        return delay - min(self._newest, self._before)

    def _turn(self, ts_recv: int) -> None:
        """Close the newest bucket, and those after it that stayed empty; open the one that holds ``ts_recv``."""
        minima = self._minima
        if self._edge == -_NEVER:
            self._edge = ts_recv + self._step
            return
        closed = (ts_recv - self._edge) // self._step + 1
        for turn in range(min(closed, len(minima) + 1)):
            minima[self._slot] = self._newest if turn == 0 else _NEVER
            self._slot = (self._slot + 1) % len(minima)
        self._edge += closed * self._step
        self._before = min(minima)
        self._newest = _NEVER


class Arrivals:
    """The backlog of every row: that of the input that made it.

    A frame's own row is observed as it is looked at. A row that a clock or another instrument's frame made has its book's
    ``ts_event``, which is old where nothing happened there and nothing waited: where there are such rows the engine notes each
    input that makes some, and all of them have that frame's backlog. Delays of instruments are kept apart: they may come from
    different venues, by different clocks. One for all models of a session; to look at a row again changes nothing.

    An input that states no time (spot's bookTicker and snapshots) waited for as long as the newest that does, or, where that is
    longer, as the event loop left its sockets alone (``beat``).
    """

    __slots__ = ("_backlog", "_backlogs", "_newest", "_number", "beat")

    def __init__(self, instruments: int, *, window_ns: int = 60_000_000_000, beat: LoopBeat | None = None) -> None:
        self.beat = beat  # of the session's event loop; None on market time, where no socket is read
        self._backlogs = [Backlog(window_ns=window_ns) for _ in range(instruments)]
        self._newest = [0] * instruments  # noted of each
        self._number = -1  # of the input that was noted
        self._backlog = 0  # of that

    def note(self, number: int, instrument: int, *, ts_event: int | None, ts_recv: int) -> None:
        """Input ``number`` makes rows: a frame of ``instrument``. One that states no event (None) tells nothing new."""
        self._number = number
        self._backlog = self._observe(instrument, ts_event or 0, ts_recv)

    def note_frame(self, records: Records, index: int) -> None:
        """``note`` of a frame, numbered and stamped; its time is its last event's, as in its own book."""
        frame = records.frames[index]
        events, first = int(frame["n_events"]), int(frame["first_event"])
        self.note(
            int(frame["input"]),
            int(frame["instrument"]),
            ts_event=int(records.events["ts_event"][first + events - 1]) if events else None,
            ts_recv=int(frame["ts_recv"]),
        )

    def backlog(self, number: int, instrument: int, ts_event: int, ts_recv: int) -> int:
        """Of a row that input ``number`` made, ns; ``ts_event`` and ``ts_recv`` are the row's. In order of the rows."""
        if number == self._number:
            return self._backlog
        return self._observe(instrument, ts_event, ts_recv)

    def _observe(self, instrument: int, ts_event: int, ts_recv: int) -> int:
        if ts_event > 0:
            backlog = self._newest[instrument] = self._backlogs[instrument].observe(ts_event, ts_recv)
            return backlog
        waited = 0 if self.beat is None else self.beat.waited_ns(ts_recv)
        return max(waited, self._newest[instrument])
