"""A session made again from what it was fed, and compared with what it logged, bit for bit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from vtframe.api import BundleInfo, Model
from vtframe.assemble.as_it_was import bundle_as_it_was
from vtframe.assemble.model_backend import open_model
from vtframe.assemble.replay import CONFIG, Replay, read_recorded
from vtframe.builtin import PLUGINS
from vtframe.dataset.collector import Collector
from vtframe.dataset.comparison import Difference, RowComparison
from vtframe.dataset.logged import LoggedRows
from vtframe.dataset.logged_predictions import LoggedPredictions
from vtframe.dataset.prediction_comparison import PredictionComparison
from vtframe.errors import SessionError
from vtframe.features.pipeline import RowBatch
from vtframe.wire import SourceFile

ROWS = "rows"
END_OF_DATA = "end of data"


class ModelCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison of one model's predictions came to; those that depended on time are counted apart."""

    rows: int
    compared: int
    identical: int
    timed: int
    missing: int
    unmatched: int
    first_difference: Difference | None
    hash: str  # of the bundle that it began with
    versions: int = 1  # that answered, in all
    passed: bool


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
    models: dict[str, ModelCertificate]  # where predictions were asked for
    passed: bool


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A model asked again."""

    versions: dict[str, tuple[Model, BundleInfo]]  # by hash, the first one first
    log: LoggedPredictions
    comparison: PredictionComparison
    digest: str

    def certificate(self) -> ModelCertificate:
        found = self.comparison
        return ModelCertificate(
            rows=found.rows,
            compared=found.compared,
            identical=found.identical,
            timed=found.timed,
            missing=found.missing,
            unmatched=found.unmatched,
            first_difference=found.first,
            hash=self.digest,
            versions=len(self.versions),
            passed=found.rows == found.compared == found.identical and found.rows > 0,
        )


class ParityRun:
    """One check of one session. ``inputs`` tells how far it is, of ``total`` (None where nobody knows)."""

    def __init__(
        self,
        folder: Path,
        *,
        predictions: bool = False,
        on_compile: Callable[[str], None] | None = None,
        builtin: Sequence[str] = PLUGINS,
    ) -> None:
        """With ``predictions``, every model of the session is opened and asked again. Raises SessionError, ConfigError,
        JournalError, BundleError or RecordingError where the session cannot be made again."""
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
        self._models = self._open_models(names) if predictions else {}
        self._collector = Collector(
            self._pipeline,
            side.market.codec,
            self._take,
            taken=self.recorded.taken,
            enough=self._comparison.enough,
        )
        self.total = side.market.feed.total()

    @property
    def inputs(self) -> int:
        return self._collector.inputs

    def run(self) -> Certificate:
        """Make everything again and compare. Raises what the feed raises."""
        try:
            asyncio.run(self.replay.side.market.feed.run(self._collector))
            self._collector.flush()
            self._comparison.finish()
            for model in self._models.values():
                model.comparison.finish()
        finally:
            for model in self._models.values():
                for opened, _ in model.versions.values():
                    opened.close()
        return self._certificate()

    def _take(self, batch: RowBatch) -> None:
        self._comparison.add(batch)
        for model in self._models.values():
            model.comparison.add(batch)

    def _open_models(self, names: Sequence[str]) -> dict[str, _Asked]:
        """Every version of every model of the session, bundles checked against their own hashes and the journal's."""
        started, side = self.recorded.started, self.replay.side
        tables = {table.name: table for table in side.config.models if table.bundle}
        bundles = {name: side.config.resolve(table.bundle) for name, table in tables.items()}
        found = {}
        for name, digest in started.models.items():
            if name not in bundles:
                raise SessionError(str(self.recorded.folder / CONFIG), f"names no bundle of the session's model {name!r}")
            folders = {digest: bundles[name]}
            for change in self.recorded.changes:
                if change.model == name:
                    folders.setdefault(change.after, Path(change.bundle))
            loaded = {version: bundle_as_it_was(folder, version) for version, folder in folders.items()}
            bundle = loaded[digest]
            log = LoggedPredictions(
                self.recorded.folder / "predictions" / name,
                model=name,
                session_id=started.session_id,
                instruments=names,
                outputs=bundle.classes,
            )
            backends = side.plugins.registries.model_backends
            versions = {version: (open_model(one, tables[name], backends), one) for version, one in loaded.items()}
            comparison = PredictionComparison(
                iter(log),
                versions[digest][0],
                bundle,
                instruments=names,
                expected=self.recorded.rows,
                columns=started.columns,
                versions=versions,
            )
            found[name] = _Asked(versions=versions, log=log, comparison=comparison, digest=digest)
        return found

    def _certificate(self) -> Certificate:
        found, pipeline, started = self._comparison, self._pipeline, self.recorded.started
        problems = [*self.replay.problems, *self._log.problems]
        if pipeline.schema_hash != started.schema_hash:
            problems.append(f"the schema hash of its rows is {started.schema_hash}, of config.toml's {pipeline.schema_hash}")
        for model in self._models.values():
            problems += model.log.problems
        models = {name: model.certificate() for name, model in self._models.items()}
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
            models=models,
            passed=whole and found.first is None and not problems and all(model.passed for model in models.values()),
        )
