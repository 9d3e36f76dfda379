"""Registers the Parquet sink."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Sink, hookimpl
from vtframe.builtin.parquet.sink import ParquetSink


@hookimpl
def register_sinks() -> Sequence[type[Sink]]:
    return (ParquetSink,)
