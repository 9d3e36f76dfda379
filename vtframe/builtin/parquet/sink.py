"""Rows and predictions as Parquet files in the session's folder. Works in the row log's thread, never on the hot path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from vtframe.api import PredictionBlock, RowBlock, SessionInfo, Sink


class ParquetSink(Sink):
    """Writes ``rows/`` and ``predictions/<model>/``, in segments that are whole as soon as they can be seen.

    A killed session keeps every finished segment and loses at most the one in hand: ``segment_rows`` rows or
    ``segment_seconds`` of market time, whichever is less.
    """

    name: ClassVar[str] = "parquet"
    compression: Literal["zstd", "snappy", "lz4", "none"] = "zstd"
    segment_rows: Annotated[int, Meta(ge=1)] = 262_144
    segment_seconds: Annotated[float, Meta(gt=0)] = 60.0

    def start(self, session: SessionInfo) -> None:
        """Make the schemas; raises ConfigError where a feature or class has the name of a fixed column."""
        import pyarrow as pa  # noqa: PLC0415 - heavy, and only who logs rows needs it

        from vtframe.builtin.parquet import schema  # noqa: PLC0415 - imports pyarrow

        names = pa.array(session.instruments, pa.string())
        rows = schema.row_schema(session)
        self._rows = self._segments(session.folder / "rows", rows, partial(schema.row_batch, schema=rows, names=names))
        self._predictions = {}
        for model in session.outputs:
            kind = schema.prediction_schema(session, model)
            to_batch = partial(schema.prediction_batch, schema=kind, names=names)
            self._predictions[model] = self._segments(session.folder / "predictions" / model, kind, to_batch)

    def rows(self, block: RowBlock) -> None:
        self._rows.add(block, block.meta, block.values, int(block.meta["ts_recv"][0]))

    def predictions(self, block: PredictionBlock) -> None:
        self._predictions[block.model].add(block, block.meta, block.outputs, int(block.meta["ts_recv"][0]))

    def close(self) -> None:
        """Finish every segment in hand."""
        for writer in (self._rows, *self._predictions.values()):
            writer.finish()

    def _segments(self, folder: Path, schema: Any, to_batch: Callable[..., Any]) -> Any:
        from vtframe.builtin.parquet.segments import SegmentWriter  # noqa: PLC0415 - imports pyarrow

        return SegmentWriter(
            folder,
            schema,
            to_batch,
            compression=self.compression,
            segment_rows=self.segment_rows,
            segment_ns=int(self.segment_seconds * 1e9),
        )
