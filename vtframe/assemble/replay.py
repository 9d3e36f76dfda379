"""A session's market side, opened again as its journal states it: what parity makes a session's rows again from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vtframe.assemble.feed_table import full_speed
from vtframe.assemble.market import DataSide, open_data_side
from vtframe.assemble.recorder import RECORDING, recording_files
from vtframe.builtin import PLUGINS
from vtframe.config import read_document
from vtframe.domain import InputKind
from vtframe.errors import SessionError
from vtframe.features.pipeline import Pipeline
from vtframe.features.plan import plan
from vtframe.journal.reader import JournalReader
from vtframe.journal.records import (
    AnswersArrived,
    Checkpoint,
    DriftJudged,
    EntriesChanged,
    InputArrived,
    LanesExchanged,
    ModelChanged,
    OrderEventArrived,
    SessionStarted,
    SessionStopped,
)

CONFIG = "config.toml"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a session's journal says of it, as far as replaying it goes."""

    folder: Path
    started: SessionStarted
    taken: frozenset[int]  # numbers of inputs that the feed did not bring
    rows: int | None  # made in all, where it said so at its end
    reason: str  # why it ended; empty where it was killed
    changes: tuple[ModelChanged, ...] = ()  # of the models' versions, in order
    recorder: dict[str, Any] = {}  # what it said of itself last


def read_recorded(folder: Path) -> Recorded:
    """Read the journal of the session in ``folder``. Raises SessionError where it is no session's, JournalError for damage."""
    if not (folder / "journal").is_dir():
        raise SessionError(
            str(folder), "is not a session folder: it has no journal", "name the folder that `vtframe run` printed"
        )
    started: SessionStarted | None = None
    taken: set[int] = set()
    rows: int | None = None
    reason = ""
    changes: list[ModelChanged] = []
    recorder: dict[str, Any] = {}
    for record in JournalReader(folder / "journal"):
        if isinstance(record, SessionStarted):
            started = record
        elif isinstance(record, InputArrived):
            if record.kind != InputKind.MESSAGE:  # damage comes with the feed
                taken.add(record.number)
        elif isinstance(record, AnswersArrived):
            taken.update(range(record.number, record.number + len(record.rows)))
        elif isinstance(record, DriftJudged | LanesExchanged | OrderEventArrived | EntriesChanged):
            taken.add(record.number)
        elif isinstance(record, ModelChanged):
            taken.add(record.number)
            changes.append(record)
        elif isinstance(record, Checkpoint):
            rows = record.report.get("counts", {}).get("rows")
            recorder = record.report.get("recorder", {})
        elif isinstance(record, SessionStopped):
            reason = record.reason
    if started is None:
        raise SessionError(str(folder), "its journal is empty", "the session ended before it began; run it again")
    return Recorded(
        folder=folder,
        started=started,
        taken=frozenset(taken),
        rows=rows if reason else None,
        reason=reason,
        changes=tuple(changes),
        recorder=recorder,
    )


class Replay:
    """A session's market side, opened again: the same feed, features and numbers of inputs."""

    def __init__(self, recorded: Recorded, *, builtin: Sequence[str] = PLUGINS) -> None:
        """Raises SessionError where its files are gone or its feed cannot be played again, ConfigError for its config.toml."""
        self.recorded = recorded
        self.problems: list[str] = []
        started = recorded.started
        self._check_sources(started)
        self.waited = False  # the session's market waited for it
        self.side = self._open(builtin)
        self._check_instruments(started)
        if _plain_text(recorded.folder / CONFIG) != started.config:
            self.problems.append(f"{CONFIG} is not the configuration that the journal states")

    def pipeline(self, on_compile: Callable[[str], None] | None = None) -> Pipeline:
        """The pipeline of its config.toml; raises SessionError where its rows have other columns than the session's."""
        columns, now = self.recorded.started.columns, plan(self.side.features).columns
        if now != columns:
            extra = [name for name in now if name not in columns]
            lost = [name for name in columns if name not in now]
            raise SessionError(
                str(self.recorded.folder / CONFIG),
                f"makes rows of other columns than the session logged: {', '.join(extra) or 'none'} added, "
                f"{', '.join(lost) or 'none'} missing, {len(columns)} logged",
                "put back the configuration as run; the journal holds it",
            )
        return self.side.pipeline(on_compile)

    def _open(self, builtin: Sequence[str]) -> DataSide:
        path, started = self.recorded.folder / CONFIG, self.recorded.started
        feed = read_document(path).data.get("feed")
        paced = isinstance(feed, dict) and "speed" in feed
        self.waited = started.market_time and not paced
        overrides: dict[str, Any] = {}
        if started.recorded:
            files = recording_files(self.recorded.folder / RECORDING)
            if not files:
                raise SessionError(str(self.recorded.folder / RECORDING), "holds no recording", "nothing can be made again")
            overrides = {"feed": {"use": "recording", "paths": [str(path.resolve()) for path in files]}}
            self._look_for_losses()
        elif not started.market_time:
            raise SessionError(str(self.recorded.folder), "its feed is live, and what it received was not recorded")
        elif isinstance(feed, dict) and paced:
            overrides = {"feed": full_speed(feed)}
        home = started.config_folder
        return open_data_side(path, overrides=overrides, folder=Path(home) if home else None, builtin=builtin)

    def _look_for_losses(self) -> None:
        """What the recorder said of itself."""
        told = self.recorded.recorder
        if told.get("failed"):
            self.problems.append(f"the recorder stopped: {told['failed']}")
        if told.get("lost"):
            self.problems.append(f"{told['lost']:,} inputs were lost by the recorder")

    def _check_sources(self, started: SessionStarted) -> None:
        if started.recorded:
            return  # it is made again from its own recording
        for source in started.sources:
            if not Path(source.path).is_file():
                raise SessionError(
                    str(self.recorded.folder),
                    f"was fed from {source.path}, which is not there",
                    "put the file back; without it nothing can be made again",
                )
            change = source.change()
            if change:
                self.problems.append(f"{source.path} has changed since the session: it {change}")

    def _check_instruments(self, started: SessionStarted) -> None:
        now = tuple(msgspec.to_builtins(instrument) for instrument in self.side.market.instruments)
        if now != started.instruments:
            self.problems.append("the feed's instruments or their units are not those of the session")
        names = [f"{fields['symbol']}@{fields['venue']}" for fields in started.instruments]
        if [instrument.instrument_id for instrument in self.side.market.instruments] != names:
            raise SessionError(str(self.recorded.folder), f"was on {', '.join(names)}; its feed now brings others")


def _plain_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
