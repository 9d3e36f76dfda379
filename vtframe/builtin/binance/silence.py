"""The watch over streams that say nothing: a socket that is open and silent is stale, and so is one stream among others.

A quiet market is silent, too. Other streams than depth get a new connection beside the old one: their numbers tell what was
missed. A depth stream that was silent for half its time is asked about: where a snapshot has the book's
own update id, nothing was missed, and it may be silent for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from vtframe.builtin.binance.line import Line, Tap
from vtframe.builtin.binance.streams import Stream

_LOOKS: Final = 8  # within the time that a stream may be silent
_PATIENCE: Final = 6  # times as long, where it is proven again and again that nothing was missed
_RAREST: Final = 32  # times as long, where new connections are as silent
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

    def on_stale(self, stream: Stream, problem: str) -> None:
        """A book's diffs have stopped, or do not reach it, and nobody knows why."""
        ...

    def is_ahead(self, stream: Stream) -> bool:
        """Whether a live book has a later update id than the newest of its diffs."""
        ...

    def on_quiet(self, stream: Stream) -> None:
        """Another stream has stopped. Perhaps nothing happens; a new connection beside the old one will tell."""
        ...

    def on_silent(self, line: Line, tap: Tap, seconds: float) -> None:
        """A stream is acknowledged, and nothing of it came."""
        ...

    def ask(self, stream: Stream, proven: Callable[[int], None]) -> None:
        """Ask the venue whether the book is as it is there, and call ``proven`` with the (monotonic) time if so."""
        ...


class _Depth:
    """What the watch knows of one depth stream."""

    __slots__ = ("ahead_ns", "asked", "frames", "proofs", "since", "stale")

    def __init__(self) -> None:
        self.ahead_ns = 0  # monotonic: since when its diffs have been older than the book; 0: they are not
        self.frames = -1
        self.since = 0
        self.proofs = 0  # in a row
        self.asked = False
        self.stale = False


class _Other:
    """What the watch knows of another stream."""

    __slots__ = ("frames", "since", "times")

    def __init__(self) -> None:
        self.frames = -1
        self.since = 0
        self.times = 1  # as long it may be silent, since it was found to be before


class SilenceWatch:
    """Looks at counters, ``_LOOKS`` times within the shortest of its times; the hot path only counts."""

    def __init__(self, streams: Sequence[Stream], times: SilenceTimes, owner: Silenced) -> None:
        self._depths = {stream: _Depth() for stream in streams if stream.kind == "depth"}
        self._others = {stream: _Other() for stream in streams if stream.kind != "depth"}
        self._times = times
        self._owner = owner
        self.quiet = 0  # silences that were proven to be a quiet market's

    def look(self, now_ns: int, lines: Iterable[Line]) -> None:
        """One look. ``now_ns`` is monotonic."""
        for stream, depth in self._depths.items():
            self._look_at_depth(stream, depth, now_ns)
        for stream, other in self._others.items():
            self._look_at_other(stream, other, now_ns)
        for line in lines:
            if line.up and not line.over:
                self._look_at_line(line, now_ns)

    def _look_at_depth(self, stream: Stream, known: _Depth, now_ns: int) -> None:
        if stream.frames != known.frames or not stream.verified:
            known.frames, known.since, known.proofs, known.asked, known.stale = stream.frames, now_ns, 0, False, False
            self._look_ahead(stream, known, now_ns)
            return
        silent = (now_ns - known.since) / 1e9
        patience = self._times.depth * min(_PATIENCE, 1 + known.proofs)
        if silent >= patience and not known.stale:
            known.stale = True
            self._owner.on_stale(stream, f"silent: {stream.name} for {silent:.1f} s")
        elif silent >= patience / 2 and not known.asked:
            known.asked = True
            self._owner.ask(stream, lambda now_ns: self._proven(stream, known, now_ns))

    def _look_ahead(self, stream: Stream, known: _Depth, now_ns: int) -> None:
        """A snapshot is ahead of the stream for a moment. One that stays so, with an id that is none, or from before the venue
        counted anew, would freeze a live book: every diff looks older."""
        if not self._owner.is_ahead(stream):
            known.ahead_ns = 0
        elif not known.ahead_ns:
            known.ahead_ns = now_ns
        elif (now_ns - known.ahead_ns) / 1e9 >= self._times.depth / 2:
            known.ahead_ns = 0
            self._owner.on_stale(stream, f"frozen: {stream.name} brings nothing newer than the book")

    def _look_at_other(self, stream: Stream, known: _Other, now_ns: int) -> None:
        if stream.frames != known.frames or not stream.verified:
            known.frames, known.since, known.times = stream.frames, now_ns, 1
        elif (now_ns - known.since) / 1e9 >= self._times.others * known.times:
            known.times = min(2 * known.times, _RAREST)
            known.since = now_ns
            self._owner.on_quiet(stream)

    def _proven(self, stream: Stream, known: _Depth, now_ns: int) -> None:
        if stream.frames == known.frames and not known.stale:
            self.quiet += 1
            known.proofs += 1
            known.asked = False
            known.since = now_ns

    def _look_at_line(self, line: Line, now_ns: int) -> None:
        for tap in line.taps.values():
            if tap.frames != tap.seen:
                tap.seen, tap.moved_ns, tap.others = tap.frames, now_ns, tap.stream.frames
                continue
            silent = (now_ns - max(tap.moved_ns, tap.began_ns)) / 1e9
            if not tap.frames and silent >= self._times.first and not tap.told:
                tap.told = True
                self._owner.on_silent(line, tap, silent)
            behind = tap.stream.frames - tap.others
            if tap.frames and tap.stream.carried > 1 and silent >= self._times.depth and behind >= _BEHIND:
                line.give_up(f"{tap.stream.name} is silent here, and comes elsewhere", stale=True)
                return
