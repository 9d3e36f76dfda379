"""The watch over streams that say nothing: a socket that is open and silent is stale, and so is one stream among others.

A quiet market is silent, too. A depth stream that was silent for half its time is asked about: where a snapshot has the book's
own update id, nothing was missed, and it may be silent for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from vtframe.builtin.binance.line import Line, Tap
from vtframe.builtin.binance.streams import Stream

_LOOKS: Final = 8  # within the time that a stream may be silent
_PATIENCE: Final = 6  # times as long, where it is proven again and again that nothing was missed
_BEHIND: Final = 20  # messages that other connections had, and this one not


class SilenceTimes(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds: how long a depth stream may be silent, any other one, and a stream before its first message."""

    depth: float
    others: float
    first: float

    @property
    def look_s(self) -> float:
        return min(self.depth, self.first, self.others) / _LOOKS


class Silenced(Protocol):
    """Who acts on what the watch finds."""

    def on_stale(self, stream: Stream, seconds: float) -> None:
        """A book's diffs have stopped, and nobody knows why."""
        ...

    def on_silent(self, line: Line, tap: Tap, seconds: float) -> None:
        """A stream is acknowledged, and nothing of it came."""
        ...

    def ask(self, stream: Stream, proven: Callable[[int], None]) -> None:
        """Ask the venue whether the book is as it is there, and call ``proven`` with the (monotonic) time if so."""
        ...


class _Depth:
    """What the watch knows of one depth stream."""

    __slots__ = ("asked", "frames", "proofs", "since", "stale")

    def __init__(self) -> None:
        self.frames = -1
        self.since = 0
        self.proofs = 0  # in a row
        self.asked = False
        self.stale = False


class SilenceWatch:
    """Looks at counters, ``_LOOKS`` times within the shortest of its times; the hot path only counts."""

    def __init__(self, streams: Iterable[Stream], times: SilenceTimes, owner: Silenced) -> None:
        self._depths = {stream: _Depth() for stream in streams if stream.kind == "depth"}
        self._times = times
        self._owner = owner
        self.quiet = 0  # silences that were proven to be a quiet market's

    def look(self, now_ns: int, lines: Iterable[Line]) -> None:
        """One look. ``now_ns`` is monotonic."""
        for stream, known in self._depths.items():
            self._look_at_depth(stream, known, now_ns)
        for line in lines:
            if line.up and not line.over:
                self._look_at_line(line, now_ns)

    def _look_at_depth(self, stream: Stream, known: _Depth, now_ns: int) -> None:
        if stream.frames != known.frames or not stream.verified:
            known.frames, known.since, known.proofs, known.asked, known.stale = stream.frames, now_ns, 0, False, False
            return
        silent = (now_ns - known.since) / 1e9
        patience = self._times.depth * min(_PATIENCE, 1 + known.proofs)
        if silent >= patience and not known.stale:
            known.stale = True
            self._owner.on_stale(stream, silent)
        elif silent >= patience / 2 and not known.asked:
            known.asked = True
            self._owner.ask(stream, lambda now_ns: self._proven(stream, known, now_ns))

    def _proven(self, stream: Stream, known: _Depth, now_ns: int) -> None:
        if stream.frames == known.frames and not known.stale:
            self.quiet += 1
            known.proofs += 1
            known.asked = False
            known.since = now_ns

    def _look_at_line(self, line: Line, now_ns: int) -> None:
        moved = False
        for tap in line.taps.values():
            if tap.frames != tap.seen:
                tap.seen, tap.moved_ns, tap.others = tap.frames, now_ns, tap.stream.frames
                moved = True
                continue
            silent = (now_ns - max(tap.moved_ns, tap.began_ns)) / 1e9
            if not tap.frames and silent >= self._times.first and not tap.told:
                tap.told = True
                self._owner.on_silent(line, tap, silent)
            behind = tap.stream.frames - tap.others
            if tap.frames and tap.stream.carried > 1 and silent >= self._times.depth and behind >= _BEHIND:
                line.give_up(f"{tap.stream.name} is silent here, and comes elsewhere", stale=True)
                return
        if not moved:
            newest = max((max(tap.moved_ns, tap.began_ns) for tap in line.taps.values()), default=now_ns)
            if (now_ns - newest) / 1e9 >= self._times.others:
                line.ask_to_renew("nothing comes on it")
