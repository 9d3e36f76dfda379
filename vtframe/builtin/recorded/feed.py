"""Plays recordings, in the order given: as fast as the session takes them, or by their own clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vtframe.api import Codec, ConfigError, Fault, Feed, FeedContext, FeedSink, RecordingError
from vtframe.builtin.recorded.identity import Identity, identify
from vtframe.builtin.recorded.snapshots import check_snapshots
from vtframe.domain import Instrument
from vtframe.wire import NANOS, Damage, RecordingReader, TimeUnit, readable, sidecar_path

_BREATH = 256  # messages between two chances for signals, progress and the like
_NAP = 0.1  # seconds; the longest sleep, so that a stop is soon seen
_OVERLAP_NS = 1_000_000_000  # a clock that was set back between two files by less than this is told, not refused


class RecordedFeed(Feed):
    """Plays recorded market data from files.

    ``speed`` is None for as fast as possible, 1 for the recording's own pace (gaps of ts_recv), 2 for twice that. A file is
    what its sidecar says; without one, it is what its frames leave no doubt of.
    """

    name = "recording"
    market_time = True

    paths: tuple[str, ...]
    speed: Annotated[float, Meta(gt=0)] | None = None
    codec_name: str | None = msgspec.field(default=None, name="codec")
    codec_settings: dict[str, Any] = {}
    time_unit: TimeUnit | Literal["auto"] = "auto"

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        paths = [context.folder / Path(path).expanduser() for path in self.paths]
        if not paths:
            raise ConfigError(Fault(table="[feed]", key="paths", problem="no recording is named", hint='paths = ["FILE.gz"]'))
        self._reader: RecordingReader | None = None
        self._files = [identify(path, context.codecs, codec=self.codec_name, time_unit=self.time_unit) for path in paths]
        _check_order(self._files)
        _check_continued(self._files)
        instruments = _union(self._files)
        names = sorted({file.codec for file in self._files})
        if len(names) > 1:
            problem = f"they need {len(names)} codecs: {', '.join(names)}"
            raise RecordingError(", ".join(self.paths), problem, "play them in sessions of their own")
        self._codec = self._make_codec(context.codecs[names[0]])
        self._warning = check_snapshots(self._files, context.codecs[names[0]], instruments)
        return instruments

    def codec(self) -> Codec:
        return self._codec

    def total(self) -> int | None:
        lines = [file.lines for file in self._files]
        return sum(count for count in lines if count is not None) if None not in lines else None

    def files(self) -> Sequence[Path]:
        """The recordings, each followed by its sidecar, where there is one: it says what the lines mean."""
        return [path for file in self._files for path in (file.path, sidecar_path(file.path)) if path.is_file()]

    def position(self) -> str:
        return "" if self._reader is None else f"{self._reader.path}:{self._reader.lines}"

    async def run(self, sink: FeedSink) -> None:
        def on_damage(damage: Damage) -> None:
            sink.on_damage(damage.where, damage.problem)

        if self._warning:
            sink.on_damage(", ".join(self.paths), self._warning)
        pace = None if self.speed is None else _Pace(self.speed)
        latest = 0
        before = ""
        count = 0
        for file in self._files:
            reader = self._reader = RecordingReader(file.path, file.unit, on_damage)
            _, earliest = first = _first(file)
            if earliest < latest:
                self._check_overlap(before, file.path, first, latest, sink)
            for _, ts_recv, data in reader:
                if sink.stopping:
                    reader.tell_went_back()
                    return
                if ts_recv > latest:
                    latest = ts_recv
                if pace is not None:
                    await pace.wait_for(latest, sink)
                    if sink.stopping:
                        reader.tell_went_back()
                        return
                sink.on_message(data, latest)
                count += 1
                if not count % _BREATH:
                    await asyncio.sleep(0)
            before = str(file.path)

    def _check_overlap(self, before: str, path: Path, first: tuple[int, int], latest: int, sink: FeedSink) -> None:
        line, earliest = first
        if latest - earliest > _OVERLAP_NS:
            raise RecordingError(
                str(path),
                f"begins at {readable(earliest)}, before {before} ends ({readable(latest)})",
                "name files in the order of their time; files that overlap cannot be played as one market",
            )
        problem = f"time goes back: by {latest - earliest} ns from the end of {before}; read as the time before"
        sink.on_damage(f"{path}:{line}", problem)

    def _make_codec(self, cls: type[Codec]) -> Codec:
        try:
            return msgspec.convert(self.codec_settings, cls)
        except msgspec.ValidationError as e:
            raise ConfigError(Fault(table="[feed]", key="codec_settings", problem=str(e))) from None


class _Pace:
    """Waits until the recording's clock, run at ``speed``, has come to a time."""

    def __init__(self, speed: float) -> None:
        self._seconds_per_ns = 1e-9 / speed
        self._started: tuple[float, int] | None = None

    async def wait_for(self, ts_recv: int, sink: FeedSink) -> None:
        """Return at the time of ``ts_recv``, or as soon as the sink is stopping. Runs on the loop's monotonic clock."""
        now = asyncio.get_running_loop().time
        if self._started is None:
            self._started = now(), ts_recv
        began, first = self._started
        due = began + (ts_recv - first) * self._seconds_per_ns
        while (left := due - now()) > 0 and not sink.stopping:
            await asyncio.sleep(min(left, _NAP))


def _first(file: Identity) -> tuple[int, int]:
    """Line number and time, in ns, of a file's beginning."""
    line, stamp = file.sample.stamps[0]
    return line, stamp * NANOS[file.unit]


def _check_order(files: Sequence[Identity]) -> None:
    for earlier, later in itertools.pairwise(files):
        first, second = _first(earlier)[1], _first(later)[1]
        if earlier.path.resolve() == later.path.resolve():
            raise RecordingError(str(later.path), "named twice in a row")
        if second < first:
            raise RecordingError(
                str(later.path),
                f"begins at {readable(second)}, before {earlier.path} does ({readable(first)}), which is to be played first",
                "name files in the order of their time",
            )


def _check_continued(files: Sequence[Identity]) -> None:
    """A file that says that it continues another is played after that one."""
    played: set[str] = set()
    for file in files:
        after = file.sidecar.after if file.sidecar is not None else ""
        if after and Path(after).name not in played:
            raise RecordingError(
                str(file.path), f"has no snapshot of its own and continues {after}", f"play {after} directly before it"
            )
        played.add(file.path.name)


def _union(files: Sequence[Identity]) -> tuple[Instrument, ...]:
    """The instruments of all files, in order of appearance."""
    found: dict[str, tuple[Instrument, Path]] = {}
    for file in files:
        for instrument in file.instruments:
            known, path = found.setdefault(instrument.instrument_id, (instrument, file.path))
            if known != instrument:
                raise RecordingError(
                    str(file.path),
                    f"{instrument.instrument_id} has other units than in {path}",
                    "let their sidecars say the same: vtframe recording describe",
                )
    return tuple(instrument for instrument, _ in found.values())
