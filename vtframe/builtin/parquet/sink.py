"""Rows and predictions as Parquet files in the session's folder. Works in the row log's thread, never on the hot path."""

from __future__ import annotations

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

        self._schema = schema
        self._names = pa.array(session.instruments, pa.string())
        self._rows = self._segments(session.folder / "rows", schema.row_schema(session))
        self._predictions = {
            model: self._segments(session.folder / "predictions" / model, schema.prediction_schema(session, model))
            for model in session.outputs
        }

    def rows(self, block: RowBlock) -> None:
        batch = self._schema.row_batch(block, self._rows.schema, self._names)
        self._rows.add(batch, int(block.meta["ts_recv"][0]))

    def predictions(self, block: PredictionBlock) -> None:
        segments = self._predictions[block.model]
        segments.add(self._schema.prediction_batch(block, segments.schema, self._names), int(block.meta["ts_recv"][0]))

    def close(self) -> None:
        """Finish every segment in hand."""
        for writer in (self._rows, *self._predictions.values()):
            writer.finish()

    def _segments(self, folder: Path, schema: Any) -> Any:
        from vtframe.builtin.parquet.segments import SegmentWriter  # noqa: PLC0415 - imports pyarrow

        return SegmentWriter(
            folder,
            schema,
            compression=self.compression,
            segment_rows=self.segment_rows,
            segment_ns=int(self.segment_seconds * 1e9),
        )
