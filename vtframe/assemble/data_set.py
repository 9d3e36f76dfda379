"""A data set of recordings, or of the configured feed: the rows that a session would make, labeled where asked, in one file."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vtframe import __version__
from vtframe.assemble.feed_table import full_speed, playing
from vtframe.assemble.market import make_pipeline, open_data_side
from vtframe.builtin import PLUGINS
from vtframe.config import read_document
from vtframe.dataset.collector import BLOCK, Collector
from vtframe.dataset.labeler import Labeler
from vtframe.dataset.labels import LabelRule
from vtframe.dataset.set_file import SetFile, check_names, counts_of, set_schema, stated_metadata
from vtframe.dataset.work import PART_ROWS, Work
from vtframe.dataset.work_checkpoint import WorkCheckpoint, job_hash, read_checkpoint
from vtframe.domain import ROW
from vtframe.errors import ConfigError, Fault, InputError, SessionError
from vtframe.features.pipeline import Pipeline, RowBatch
from vtframe.features.plan import plan

JOB_VERSION = 2
PART_INPUTS = 2_000_000  # messages and frames after which rows settle even if they are few
_RING_ROWS = 1024  # no model reads this pipeline's ring
_INPUT_BYTES = 100  # what an input weighs against a checkpoint's bytes: some microseconds of work


class DataSetWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    config: Path
    out: Path
    recordings: tuple[Path, ...] = ()  # play these instead of the configured feed, in order
    feed: Mapping[str, Any] = {}  # settings of the feed that plays them: an imported file's instrument and units
    label: LabelRule | None = None
    fresh: bool = False  # drop unfinished work
    force: bool = False  # replace a file that is there
    part_rows: int = PART_ROWS
    on_compile: Callable[[str], None] | None = None  # is told of anything slow or unusual
    builtin: Sequence[str] = PLUGINS


class DataSetSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    out: str
    rows: int
    valid: int
    labels: dict[str, int] | None  # how many rows are labeled -1, 0, 1; None where no label was asked for
    resumed: int  # rows that an earlier run had made
    again: int  # of those, how many were made again: all behind the last checkpoint
    columns: tuple[str, ...]
    schema_hash: str
    fingerprint: str
    damaged: int  # places that could not be read
    damage: tuple[str, ...]  # the first of them
    done_before: bool = False  # the file was there, of this very job


class DataSetRun:
    """One data set. ``make_rows`` and ``write`` in this order, within the run as a context; ``inputs`` and ``written`` tell how
    far they are, of ``total`` inputs (None where nobody knows) and ``rows`` rows."""

    def __init__(self, wishes: DataSetWishes) -> None:
        """Open everything; nothing is written. Raises ConfigError, RecordingError, InputError or KernelError."""
        self.wishes = wishes
        feed = read_document(wishes.config).data.get("feed")
        table = feed if isinstance(feed, dict) else {}
        changed = full_speed(playing(wishes.recordings, table, wishes.feed))
        overrides = {"feed": changed} if changed != feed else {}
        self._side = open_data_side(wishes.config, overrides=overrides, builtin=wishes.builtin, announce=wishes.on_compile)
        market = self._side.market
        if not market.feed.market_time:
            raise ConfigError(
                self._side.config.place("feed").fault("brings live data, which has no end", "name recordings to make rows of")
            )
        check_names(plan(self._side.features).columns, labeled=wishes.label is not None)
        self._names = tuple(instrument.instrument_id for instrument in market.instruments)
        self._pipeline = self._make_pipeline()
        self._labeler = self._open_labeler()
        self._job = self._describe()
        self._schema = set_schema(
            self._pipeline.columns, self._pipeline.dtype, self._metadata(), labeled=wishes.label is not None
        )
        self.total = market.feed.total()
        self.done_before = self._done_before()
        self._work = Work(
            wishes.out,
            self._job,
            instruments=self._names,
            columns=self._pipeline.columns,
            dtype=self._pipeline.dtype,
            part_rows=wishes.part_rows,
            fresh=wishes.fresh,
        )
        self._collector = Collector(
            self._pipeline,
            market.codec,
            self._work.add,
            enough=self._between_blocks,
            block=min(BLOCK, wishes.part_rows),
        )
        self._settled = 0  # inputs at the last part
        self._kept = 0, 0, 0  # the last checkpoint: its bytes; inputs and rows there
        self._file: SetFile | None = None
        self._rows_there = 0
        self._valid = 0
        self._labels = {-1: 0, 0: 0, 1: 0}

    @property
    def work(self) -> Work:
        """What is unfinished; a context."""
        return self._work

    @property
    def inputs(self) -> int:
        return self._collector.inputs

    @property
    def rows(self) -> int:
        return self._work.rows

    @property
    def written(self) -> int:
        return 0 if self._file is None else self._file.rows

    def make_rows(self) -> None:
        """Play the feed to its end; parts of the rows settle on the disk as they are made. Where an earlier run left a
        checkpoint, rows are made from there on; one that cannot be used is told, and they are made from the start."""
        self._go_on()
        asyncio.run(self._side.market.feed.run(self._collector))
        self._collector.flush()
        self._work.finish()

    def write(self) -> DataSetSummary:
        """Label the rows and write the file; then the work is removed. Raises InputError where there is no row."""
        if not self._work.rows:
            raise InputError(
                str(self.wishes.out), "not written: the data made no row", "look at them: vtframe recording describe"
            )
        with SetFile(self.wishes.out, self._schema, instruments=self._names) as file:
            self._file = file
            for batch in self._work.batches():
                self._write(file, batch)
            if self._labeler is not None:
                self._count(file, self._labeler.finish())
        self._work.remove()
        return self.summary()

    def summary(self) -> DataSetSummary:
        if self.done_before:
            self._read_counts()
        named = None
        if self.wishes.label is not None:
            named = {str(label): count for label, count in self._labels.items()}
        return DataSetSummary(
            out=str(self.wishes.out),
            rows=self._rows_there if self.done_before else self.written,
            valid=self._valid,
            labels=named,
            resumed=min(self._work.resumed, self.written),
            again=self._work.again,
            columns=self._pipeline.columns,
            schema_hash=self._pipeline.schema_hash,
            fingerprint=self._pipeline.fingerprint,
            damaged=self._collector.damaged,
            damage=tuple(self._collector.damage),
            done_before=self.done_before,
        )

    def _make_pipeline(self) -> Pipeline:
        """As a session's, with a shorter ring: its rows are drained, and checkpoints hold it."""
        config = self._side.config
        rows = msgspec.structs.replace(config.rows, ring=min(config.rows.ring, _RING_ROWS))
        shorter = msgspec.structs.replace(config, rows=rows)
        return make_pipeline(shorter, self._side.features, self._side.market, self.wishes.on_compile)

    def _go_on(self) -> None:
        kept = self._work.kept()
        if kept is None:
            return
        try:
            found = read_checkpoint(kept, self._job)
            self._work.go_on(found.parts)
            self._pipeline.restore(found.pipeline)
        except (ValueError, SessionError) as e:
            self._work.start_over()
            self._say(f"the checkpoint in {self._work.folder} cannot be used: {e}; every row is made again from the start")
            return
        self._collector.go_on(found.place)
        self._settled = found.place.inputs
        self._kept = len(kept), found.place.inputs, self._work.rows
        self._say(f"going on behind {self._work.rows:,} rows of {found.place.inputs:,} inputs, from a checkpoint")

    def _between_blocks(self) -> bool:
        """Where parts end and checkpoints stand. Never enough: the feed is played to its end."""
        inputs = self._collector.inputs
        if self._work.due or inputs - self._settled >= PART_INPUTS:
            self._work.settle()
            self._settled = inputs
            self._keep_checkpoint()
        return False

    def _keep_checkpoint(self) -> None:
        """Not more bytes of checkpoints than of rows and inputs: a thousand instruments have large ones."""
        size, inputs, rows = self._kept
        place = self._collector.place
        made = (self._work.rows - rows) * (ROW.itemsize + 4 * len(self._pipeline.columns))
        if made + (place.inputs - inputs) * _INPUT_BYTES < size:
            return
        kept = WorkCheckpoint(
            job=job_hash(self._job), parts=list(self._work.digests), place=place, pipeline=self._pipeline.snapshot()
        ).encode()
        self._work.keep(kept)
        self._kept = len(kept), place.inputs, self._work.rows

    def _say(self, message: str) -> None:
        if self.wishes.on_compile is not None:
            self.wishes.on_compile(message)

    def _read_counts(self) -> None:
        """Of the file that is there."""
        self._rows_there, self._valid, self._labels = counts_of(self.wishes.out, labeled=self.wishes.label is not None)

    def _write(self, file: SetFile, batch: RowBatch) -> None:
        self._valid += int((batch.meta["valid"] != 0).sum())
        if self._labeler is None:
            file.write(batch)
        else:
            self._count(file, self._labeler.add(batch))

    def _count(self, file: SetFile, rows: Any) -> None:
        file.write(rows)
        for label in self._labels:
            self._labels[label] += int((rows.label[rows.there] == label).sum())

    def _open_labeler(self) -> Labeler | None:
        if self.wishes.label is None:
            return None
        try:
            return Labeler(self.wishes.label, columns=self._pipeline.columns, dtype=self._pipeline.dtype)
        except ValueError as e:
            raise ConfigError(Fault(file="command line", key="--barrier-column", problem=str(e))) from None

    def _describe(self) -> bytes:
        """All that the rows depend on; the label is not in it, for labels are made of finished rows."""
        pipeline, market = self._pipeline, self._side.market
        told = {
            "version": JOB_VERSION,
            "vtframe": __version__,
            "feed": {key: value for key, value in self._feed_settings().items() if key != "paths"},
            "sources": [[source.size, source.sha256] for source in market.sources()],
            "instruments": list(market.instruments),
            "schema": pipeline.schema_hash,
            "kernel": pipeline.digest,
            "fingerprint": pipeline.fingerprint,
        }
        return msgspec.json.encode(told, order="sorted")

    def _feed_settings(self) -> dict[str, Any]:
        return dict(self._side.config.document.data["feed"])

    def _metadata(self) -> dict[str, str]:
        pipeline, config = self._pipeline, self._side.config
        label = self.wishes.label
        stated: dict[str, Any] = {
            "columns": list(pipeline.columns),
            "features": pipeline.schema,
            "instruments": list(self._side.market.instruments),
            "sources": self._side.market.sources(),
        }
        return {
            "vtframe.version": __version__,
            "vtframe.schema_hash": pipeline.schema_hash,
            "vtframe.fingerprint": pipeline.fingerprint,
            "vtframe.sampling": str(pipeline.sampling),
            "vtframe.dtype": pipeline.dtype,
            "vtframe.config": config.as_run,
            **{f"vtframe.{name}": msgspec.json.encode(value).decode() for name, value in stated.items()},
            **({"vtframe.label": msgspec.json.encode(label).decode()} if label is not None else {}),
            "vtframe.job": self._job_hash(),
        }

    def _job_hash(self) -> str:
        """Of the rows and of the label: two files of one hash hold the same."""
        return hashlib.sha256(self._job + msgspec.json.encode(self.wishes.label)).hexdigest()

    def _done_before(self) -> bool:
        """Whether the file is there already, of this very job; raises InputError where another one is in its place."""
        out = self.wishes.out
        if not out.exists() or self.wishes.force:
            return False
        if not self.wishes.fresh and stated_metadata(out).get("vtframe.job") == self._job_hash():
            return True
        raise InputError(str(out), "there is something already, and it is not this data set", "--force replaces it")
