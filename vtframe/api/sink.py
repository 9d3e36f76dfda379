"""The contract of a sink: takes rows and predictions off the hot path, in a thread of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from vtframe.api.part import Part


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is, for those who write about it."""

    session_id: str
    folder: Path
    instruments: tuple[str, ...]
    columns: tuple[str, ...]  # of rows
    dtype: str
    schema_hash: str
    fingerprint: str
    outputs: dict[str, tuple[str, ...]] = {}  # model: names of its outputs


class RowBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive rows: ``meta`` (records of domain.ROW) and ``values`` (n, columns)."""

    meta: NDArray[Any]
    values: NDArray[Any]


class PredictionBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive answers of one model: ``meta`` (records of domain.PREDICTION) and ``outputs`` (n, outputs)."""

    model: str
    meta: NDArray[Any]
    outputs: NDArray[Any]


class Sink(Part):
    """Receives blocks; a sink that raises is reported once and left out from then on, and trading goes on."""

    def start(self, session: SessionInfo) -> None:
        raise NotImplementedError

    def rows(self, block: RowBlock) -> None:
        """A block of rows, in order."""

    def predictions(self, block: PredictionBlock) -> None:
        """A block of one model's predictions, in order."""

    def close(self) -> None:
        """Flush and release; called once."""
