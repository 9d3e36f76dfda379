"""Plays recordings, in the order given: as fast as the session takes them, or by their own clock."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vtframe.api import BrokenRecordingError, Codec, ConfigError, Fault, Feed, FeedContext, FeedSink, RecordingError
from vtframe.builtin.recorded.ahead import check_overlap, first, look_ahead, snapshots_missing
from vtframe.builtin.recorded.identity import Identity, identify
from vtframe.builtin.recorded.lines import expanded
from vtframe.builtin.recorded.player import Player
from vtframe.domain import Instrument, SequenceRule
from vtframe.wire import RecordingReader, TimeUnit, readable, sidecar_path


class RecordedFeed(Feed):
    """Plays recorded market data from files.

    A path may be a folder with a recorder's files, or a session's: its files are played in order. ``speed`` is None for as
    fast as possible, 1 for the recording's own pace (gaps of ts_recv), 2 for twice that. A file is what its sidecar says;
    without one, it is what its frames leave no doubt of.
    """

    name = "recording"
    market_time = True

    paths: tuple[str, ...]
    speed: Annotated[float, Meta(gt=0)] | None = None
    codec_name: str | None = msgspec.field(default=None, name="codec")
    codec_settings: dict[str, Any] = {}
    time_unit: TimeUnit | Literal["auto"] = "auto"

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        self._reader: RecordingReader | None = None
        self._files = [self._identify(path, context) for path in self._named(context)]
        instruments, codec = _settle(self._files)
        self._codec = self._make_codec(context.codecs[codec], self._files) if codec else None
        self._indexes = {instrument.instrument_id: index for index, instrument in enumerate(instruments)}
        self._warning = ""
        if any(file.sample.heading is not None for file in self._files):  # every input is numbered as it was: nothing is added
            if problem := snapshots_missing(self._files, self._codec, instruments):
                context.announce(problem)
        else:
            self._warning = look_ahead(self._files, context.codecs[codec], instruments)
        return instruments

    def look(self, context: FeedContext) -> Sequence[Instrument]:
        """What the files' beginnings and sidecars say; of every file that cannot be read."""
        files: list[Identity] = []
        faults: list[Fault] = []
        for path in self._named(context):
            try:
                files.append(self._identify(path, context))
            except ConfigError as e:
                faults += e.faults
            except RecordingError as e:
                faults.append(Fault(key="paths", problem=f"{e.where}: {e.problem}", hint=e.hint))
        if faults:
            raise ConfigError(*faults)
        instruments, codec = _settle(files)
        if codec:
            self._make_codec(context.codecs[codec], files)
        return instruments

    def codec(self) -> Codec | None:
        return self._codec

    def sequence_rule(self, instrument: int) -> SequenceRule:
        """Of a recording of a feed that decodes by itself: what its sidecar says."""
        for file in self._files:
            rules = file.sidecar.rules if file.sidecar is not None else ()
            for one, rule in zip(file.instruments, rules, strict=False):
                if self._indexes[one.instrument_id] == instrument:
                    return rule
        return SequenceRule.NONE

    def total(self) -> int | None:
        lines = [file.lines for file in self._files]
        return sum(count for count in lines if count is not None) if None not in lines else None

    def files(self) -> Sequence[Path]:
        """The recordings, each followed by its sidecar, where there is one: it says what the lines mean."""
        return [path for file in self._files for path in (file.path, sidecar_path(file.path)) if path.is_file()]

    def position(self) -> str:
        return "" if self._reader is None else f"{self._reader.path}:{self._reader.lines}"

    async def run(self, sink: FeedSink) -> None:
        try:
            await self._play(sink)
        except RecordingError as e:
            raise BrokenRecordingError(e.where, f"{e.problem} (found while it was played)", e.hint) from None

    async def _play(self, sink: FeedSink) -> None:
        if self._warning:
            sink.on_damage(", ".join(self.paths), self._warning)
        player = Player(sink, self.speed)
        before: Identity | None = None
        for file in self._files:
            reader = self._reader = RecordingReader(file.path, file.unit, player.on_damage)
            if not file.continues(before):
                back = check_overlap(before, player.latest, file)
                if back and before is not None:
                    problem = f"time goes back: by {back} ns from the end of {before.path}; read as the time before"
                    sink.on_damage(f"{file.path}:{first(file)[0]}", problem)
            indexes = [self._indexes[instrument.instrument_id] for instrument in file.instruments]
            if not await player.play(file, reader, indexes):
                return
            before = file

    def _named(self, context: FeedContext) -> list[Path]:
        if not self.paths:
            hint = 'paths = ["FILE.gz"], or --recording FILE.gz on the command line'
            raise ConfigError(Fault(table="[feed]", key="paths", problem="no recording is named", hint=hint))
        try:
            return expanded([context.folder / Path(path).expanduser() for path in self.paths])
        except RecordingError as e:
            raise ConfigError(Fault(table="[feed]", key="paths", problem=f"{e.where}: {e.problem}", hint=e.hint)) from None

    def _identify(self, path: Path, context: FeedContext) -> Identity:
        return identify(path, context.codecs, codec=self.codec_name, time_unit=self.time_unit)

    def _make_codec(self, cls: type[Codec], files: Sequence[Identity]) -> Codec:
        """With the settings of the configuration; those of a recorder's sidecar where it has none."""
        recorded = [file.sidecar.codec_settings for file in files if file.sidecar is not None]
        try:
            return msgspec.convert(self.codec_settings or next(filter(None, recorded), {}), cls)
        except msgspec.ValidationError as e:
            raise ConfigError(Fault(table="[feed]", key="codec_settings", problem=str(e))) from None


def _settle(files: Sequence[Identity]) -> tuple[tuple[Instrument, ...], str]:
    """The instruments of all files, and the codec. Raises RecordingError for files that cannot be one market."""
    _check_order(files)
    _check_continued(files)
    instruments = _union(files)
    names = sorted({file.codec for file in files})
    if len(names) > 1:
        problem = f"they need {len(names)} codecs: {', '.join(names)}"
        raise RecordingError(", ".join(str(file.path) for file in files), problem, "play them in sessions of their own")
    return instruments, names[0]


def _check_order(files: Sequence[Identity]) -> None:
    for earlier, later in itertools.pairwise(files):
        starts, follows = first(earlier)[1], first(later)[1]
        if earlier.path.resolve() == later.path.resolve():
            raise RecordingError(str(later.path), "named twice in a row")
        if follows < starts and not later.continues(earlier):
            raise RecordingError(
                str(later.path),
                f"begins at {readable(follows)}, before {earlier.path} does ({readable(starts)}), which is to be played first",
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
