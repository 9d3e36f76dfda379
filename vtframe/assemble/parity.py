"""A session made again from what it was fed, and compared with what it logged, bit for bit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from vtframe.assemble.feed_table import full_speed
from vtframe.assemble.market import DataSide, open_data_side
from vtframe.builtin import PLUGINS
from vtframe.config import read_document
from vtframe.dataset.collector import Collector
from vtframe.dataset.comparison import Difference, RowComparison
from vtframe.dataset.logged import LoggedRows
from vtframe.errors import SessionError
from vtframe.features.pipeline import Pipeline
from vtframe.features.plan import plan
from vtframe.journal.reader import JournalReader
from vtframe.journal.records import Checkpoint, InputArrived, SessionStarted, SessionStopped
from vtframe.wire import SourceFile

ROWS = "rows"
CONFIG = "config.toml"
END_OF_DATA = "end of data"


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison came to. ``passed`` only where every row was compared and is identical, and nothing else is amiss."""

    session: str
    rows: int
    compared: int
    identical: int
    missing: int  # made again, and not in the log
    unmatched: int  # logged, and not made again
    first_difference: Difference | None
    largest_difference: dict[str, float]  # by column, absolute
    fingerprint: str  # of the session
    fingerprint_here: str
    schema_hash: str
    schema_hash_here: str
    rows_sha256: str
    sources: tuple[SourceFile, ...]
    ended: str  # the session's own reason
    problems: tuple[str, ...]  # what is amiss besides rows
    passed: bool


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a session's journal says of it, as far as replaying it goes."""

    folder: Path
    started: SessionStarted
    taken: frozenset[int]  # numbers of inputs that the feed did not bring
    rows: int | None  # made in all, where it said so at its end
    reason: str  # why it ended; empty where it was killed


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
    for record in JournalReader(folder / "journal"):
        if isinstance(record, SessionStarted):
            started = record
        elif isinstance(record, InputArrived):
            taken.add(record.number)
        elif isinstance(record, Checkpoint):
            rows = record.report.get("counts", {}).get("rows")
        elif isinstance(record, SessionStopped):
            reason = record.reason
    if started is None:
        raise SessionError(str(folder), "its journal is empty", "the session ended before it began; run it again")
    return Recorded(folder=folder, started=started, taken=frozenset(taken), rows=rows if reason else None, reason=reason)


class Replay:
    """A session's market side, opened again: the same feed, features and numbers of inputs."""

    def __init__(self, recorded: Recorded, *, builtin: Sequence[str] = PLUGINS) -> None:
        """Raises SessionError where its files are gone or its feed cannot be played again, ConfigError for its config.toml."""
        self.recorded = recorded
        self.problems: list[str] = []
        started = recorded.started
        self._check_sources(started)
        self.side = self._open(builtin)
        if not self.side.market.feed.market_time:
            raise SessionError(str(recorded.folder), "its feed is live, and what it received was not recorded")
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
        path = self.recorded.folder / CONFIG
        home = self.recorded.started.config_folder
        feed = read_document(path).data.get("feed")
        overrides = {"feed": full_speed(feed)} if isinstance(feed, dict) and "speed" in feed else {}
        return open_data_side(path, overrides=overrides, folder=Path(home) if home else None, builtin=builtin)

    def _check_sources(self, started: SessionStarted) -> None:
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


class ParityRun:
    """One check of one session. ``inputs`` tells how far it is, of ``total`` (None where nobody knows)."""

    def __init__(
        self, folder: Path, *, on_compile: Callable[[str], None] | None = None, builtin: Sequence[str] = PLUGINS
    ) -> None:
        self.recorded = read_recorded(folder)
        self.replay = Replay(self.recorded, builtin=builtin)
        started, side = self.recorded.started, self.replay.side
        self._pipeline = self.replay.pipeline(on_compile)
        names = tuple(instrument.instrument_id for instrument in side.market.instruments)
        self._log = LoggedRows(
            folder / ROWS,
            session_id=started.session_id,
            instruments=names,
            columns=started.columns,
            dtype=self._pipeline.dtype,
        )
        self._comparison = RowComparison(
            iter(self._log),
            instruments=names,
            columns=started.columns,
            dtype=self._pipeline.dtype,
            expected=self.recorded.rows,
            complete=self.recorded.reason == END_OF_DATA,
        )
        self._collector = Collector(
            self._pipeline,
            side.market.codec,
            self._comparison.add,
            taken=self.recorded.taken,
            enough=self._comparison.enough,
        )
        self.total = side.market.feed.total()

    @property
    def inputs(self) -> int:
        return self._collector.inputs

    def run(self) -> Certificate:
        """Make everything again and compare. Raises what the feed raises."""
        asyncio.run(self.replay.side.market.feed.run(self._collector))
        self._collector.flush()
        self._comparison.finish()
        return self._certificate()

    def _certificate(self) -> Certificate:
        found, pipeline, started = self._comparison, self._pipeline, self.recorded.started
        problems = [*self.replay.problems, *self._log.problems]
        if pipeline.schema_hash != started.schema_hash:
            problems.append(f"the schema hash of its rows is {started.schema_hash}, of config.toml's {pipeline.schema_hash}")
        whole = found.rows == found.compared == found.identical and found.rows > 0 and not found.missing
        return Certificate(
            session=started.session_id,
            rows=found.rows,
            compared=found.compared,
            identical=found.identical,
            missing=found.missing,
            unmatched=found.unmatched,
            first_difference=found.first,
            largest_difference=found.largest,
            fingerprint=started.fingerprint,
            fingerprint_here=pipeline.fingerprint,
            schema_hash=started.schema_hash,
            schema_hash_here=pipeline.schema_hash,
            rows_sha256=found.digest(),
            sources=started.sources,
            ended=self.recorded.reason or "killed, or still running",
            problems=tuple(problems),
            passed=whole and found.first is None and not problems,
        )


def _plain_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
