"""What a recording is: by its sidecar, else by what its frames leave no doubt of. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from vtframe.api import Codec, DecodeError, PluginError, RecordingError
from vtframe.domain import Instrument, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.errors import nearest
from vtframe.wire import (
    Sample,
    Sidecar,
    TimeUnit,
    check_stated_unit,
    detect_time_unit,
    load_sidecar,
    read_sample,
    sidecar_path,
)

SAMPLE = 1_000  # lines that a file is told by
LARGE_SAMPLE = 50_000  # where those leave doubt, and where a file is described


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One file and what it was found to be."""

    path: Path
    codec: str
    unit: TimeUnit
    instruments: tuple[Instrument, ...]
    sample: Sample
    sidecar: Sidecar | None = None

    def continues(self, other: Identity | None) -> bool:
        """Whether a recorder began this file where it ended the other one."""
        mine, before = self.sample.heading, other.sample.heading if other is not None else None
        return mine is not None and before is not None and (mine.recording, mine.file) == (before.recording, before.file + 1)

    @property
    def lines(self) -> int | None:
        """How many lines it has, where that is known."""
        if self.sample.complete and self.sample.heading is None:
            return len(self.sample.stamps)
        return self.sidecar.lines if self.sidecar is not None and self.sidecar.lines >= 0 else None


def identify(
    path: Path,
    codecs: Mapping[str, type[Codec]],
    *,
    codec: str | None = None,
    time_unit: TimeUnit | Literal["auto"] = "auto",
    venue: str | None = None,
    symbol: str | None = None,
    use_sidecar: bool = True,
    lines: int = SAMPLE,
) -> Identity:
    """Find out what the file at ``path`` is, by its first ``lines``.

    What the caller states counts before the sidecar, and the sidecar before the frames; a statement that the frames
    contradict is refused. Raises RecordingError, and ConfigError for a bad sidecar.
    """
    sample = read_sample(path, lines)
    if codec is not None:
        _class(codec, codecs, str(path))
    codecs = {name: cls for name, cls in codecs.items() if not cls.reference_of or name == codec}
    beside = sidecar_path(path)
    sidecar = load_sidecar(beside) if use_sidecar and beside.is_file() else None
    if sample.heading is not None and sidecar is not None:
        return _recorded(path, sample, sidecar, codec or sidecar.codec, codecs)
    if sidecar is not None:
        name, instruments = codec or sidecar.codec, sidecar.instruments
        _check_venues(instruments, _class(name, codecs, str(beside)), str(beside))
    else:
        candidates = codecs if codec is None else {codec: codecs[codec]}
        name, instruments = _recognize(path, sample, candidates, venue, symbol)
    event_times, frames = _decode(sample, _class(name, codecs, str(path)), instruments)
    if not frames:
        raise _foreign(path, sample, codecs, instruments)
    unit = time_unit if time_unit != "auto" else sidecar.time_unit if sidecar is not None else None
    if unit is None:
        unit = detect_time_unit(str(path), sample.stamps, event_times)
    else:
        check_stated_unit(str(path), sample.stamps, unit)
    return Identity(path=path, codec=name, unit=unit, instruments=instruments, sample=sample, sidecar=sidecar)


def _recorded(path: Path, sample: Sample, sidecar: Sidecar, codec: str, codecs: Mapping[str, type[Codec]]) -> Identity:
    """A recorder's own file: its sidecar was written by who knew."""
    if codec:
        _check_venues(sidecar.instruments, _class(codec, codecs, str(path)), str(path))
    return Identity(path=path, codec=codec, unit="ns", instruments=sidecar.instruments, sample=sample, sidecar=sidecar)


def _recognize(
    path: Path, sample: Sample, codecs: Mapping[str, type[Codec]], venue: str | None, symbol: str | None
) -> tuple[str, tuple[Instrument, ...]]:
    """The one codec that recognizes the sample, and what it recognizes."""
    if not sample.messages:
        raise RecordingError(
            str(path), "holds no venue's message", f"put back its sidecar {path.name}.toml, which says what it is"
        )
    answers = _answers(sample, codecs)
    if not answers and not sample.complete and len(sample.stamps) < LARGE_SAMPLE:
        answers = _answers(read_sample(path, LARGE_SAMPLE), codecs)
    if len(answers) > 1:
        raise RecordingError(
            str(path),
            f"recognized by {len(answers)} codecs: {', '.join(sorted(answers))}",
            f"name one with `codec`, or write a sidecar with `vtframe recording describe {path}`",
        )
    if not answers:
        return _stated(path, codecs, venue, symbol)
    ((name, found),) = answers.items()
    kept = tuple(i for i in found if venue in (None, i.venue) and symbol in (None, i.symbol))
    if not kept:
        said = "@".join(part for part in (symbol, venue) if part)
        raise RecordingError(str(path), f"said to be {said}, but its frames are of {_names(found)}")
    return name, kept


def _stated(
    path: Path, codecs: Mapping[str, type[Codec]], venue: str | None, symbol: str | None
) -> tuple[str, tuple[Instrument, ...]]:
    """What the caller says of a file that no codec recognizes."""
    if venue is None or symbol is None:
        raise RecordingError(
            str(path),
            f"its frames leave in doubt what they are of (asked: {', '.join(sorted(codecs)) or 'no codec'})",
            f"write a sidecar: vtframe recording describe {path} --venue VENUE --symbol SYMBOL",
        )
    venues = sorted({known for cls in codecs.values() for known in cls.venues})
    speakers = {name: cls for name, cls in codecs.items() if venue in cls.venues}
    if not speakers:
        hint = nearest(venue, venues) or f"there are: {', '.join(venues)}"
        raise RecordingError(str(path), f"no codec reads the venue {venue!r}", hint)
    for name, cls in speakers.items():
        instrument = cls.known_instrument(venue, symbol)
        if instrument is not None:
            return name, (instrument,)
    raise RecordingError(
        str(path),
        f"the units of {symbol}@{venue} are not known, and its frames are too few to infer them from",
        f"write the sidecar {path.name}.toml by hand (docs/recordings.md)",
    )


def _answers(sample: Sample, codecs: Mapping[str, type[Codec]]) -> dict[str, tuple[Instrument, ...]]:
    answers = {}
    for name, cls in codecs.items():
        try:
            found = tuple(cls.recognize(sample.messages))
        except Exception as e:
            raise PluginError(name, f"its codec failed while it looked at messages: {e!r}") from e
        if found:
            answers[name] = found
    return answers


def _decode(sample: Sample, cls: type[Codec], instruments: Sequence[Instrument]) -> tuple[list[tuple[int, int]], int]:
    """Pairs of a line's timestamp and its venue's own time, and how many frames there are."""
    codec = cls()
    codec.open(SessionInstruments(instruments))
    records = Records()
    times = []
    frames = 0
    for (_, stamp), data in zip(sample.stamps, sample.messages, strict=True):
        records.clear()
        try:
            codec.decode(data, records)
        except DecodeError:
            continue  # the session counts and reports it when it comes to it
        frames += records.n_frames
        if records.n_events and (ts_event := int(records.events[records.n_events - 1]["ts_event"])):
            times.append((stamp, ts_event))
    return times, frames


def _foreign(
    path: Path, sample: Sample, codecs: Mapping[str, type[Codec]], instruments: Sequence[Instrument]
) -> RecordingError:
    found = [i for answer in _answers(sample, codecs).values() for i in answer]
    other = f"; they are of {_names(found)}" if found else ""
    count = len(sample.messages)
    return RecordingError(
        str(path),
        f"none of its first {count} messages is of {_names(instruments)}{other}",
        f"describe it anew: vtframe recording describe {path} --force" if sidecar_path(path).is_file() else "",
    )


def _check_venues(instruments: Sequence[Instrument], cls: type[Codec], where: str) -> None:
    for instrument in instruments:
        if cls.venues and instrument.venue not in cls.venues:
            hint = nearest(instrument.venue, cls.venues) or f"it reads {', '.join(cls.venues)}"
            raise RecordingError(where, f"codec {cls.name!r} does not read the venue {instrument.venue!r}", hint)


def _class(name: str, codecs: Mapping[str, type[Codec]], where: str) -> type[Codec]:
    if name not in codecs:
        hint = nearest(name, codecs) or f"there are: {', '.join(sorted(codecs))}"
        raise RecordingError(where, f"no codec {name!r}", hint)
    return codecs[name]


def _names(instruments: Sequence[Instrument]) -> str:
    return ", ".join(instrument.instrument_id for instrument in instruments)
