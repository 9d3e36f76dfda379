"""Predictions on their way to the sinks. ``add`` is on the hot path: one pack into memory that is already there."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from vtframe.api import PredictionBlock
from vtframe.domain import PREDICTION, Prediction, Verdict

_CODES = {verdict: code for code, verdict in enumerate(Verdict)}
_OK = Verdict.OK
_OK_CODE = _CODES[_OK]
_META = struct.Struct("<10q2iBxH4x")  # domain.PREDICTION, as it lies in memory
_META_BYTES = PREDICTION.itemsize


class PredictionLog:
    """The answers of one model since the last ``take``, in arrays that grow only when nobody takes."""

    def __init__(self, model: str, outputs: int, *, capacity: int = 1024) -> None:
        self.model = model
        self.count = 0
        self._width = outputs
        self._outputs = struct.Struct(f"<{outputs}f")
        self._nan = (float("nan"),) * outputs
        self._versions: dict[str, int] = {}  # hash of a bundle that answered: its number
        self._allocate(capacity)

    def add(self, prediction: Prediction, batch: int, batch_size: int) -> None:
        """Log one prediction: which call of the model it came from, and how many rows were in that call.

        Raises ValueError when it has outputs, but not as many as the model.
        """
        at = self.count
        if at == self._capacity:
            self._grow()
        p = prediction
        verdict = p.verdict
        _META.pack_into(
            self._meta_bytes,
            at * _META_BYTES,
            p.row,
            p.input,
            p.ts_event,
            p.ts_recv,
            p.ts_done,
            p.age_ns,
            p.deadline_ns,
            p.update_id,
            p.arrived if p.arrived >= 0 else p.input,
            batch,
            batch_size,
            p.instrument,
            _OK_CODE if verdict is _OK else _CODES[verdict],
            self._versions[p.model_hash] if p.model_hash in self._versions else self._new_version(p.model_hash),
        )
        values = p.outputs or self._nan
        if len(values) != self._width:
            raise ValueError(f"model {self.model!r} has {self._width} outputs, found {len(values)}")
        self._outputs.pack_into(self._output_bytes, at * self._outputs.size, *values)
        self.count = at + 1

    def take(self) -> PredictionBlock | None:
        """What was added since the last time, as arrays of their own; None where nothing was."""
        count = self.count
        if not count:
            return None
        self.count = 0
        return PredictionBlock(
            model=self.model,
            meta=self.meta[:count].copy(),
            outputs=self.outputs[:count].copy(),
            versions=tuple(self._versions),
        )

    def _new_version(self, digest: str) -> int:
        return self._versions.setdefault(digest, len(self._versions))

    def _allocate(self, capacity: int) -> None:
        self._capacity = capacity
        self.meta = np.zeros(capacity, PREDICTION)
        self.outputs: NDArray[np.float32] = np.zeros((capacity, self._width), np.float32)
        self._meta_bytes = self.meta.view(np.uint8).data
        self._output_bytes = self.outputs.reshape(-1).view(np.uint8).data

    def _grow(self) -> None:
        meta, outputs, count = self.meta, self.outputs, self.count
        self._allocate(2 * self._capacity)
        self.meta[:count] = meta
        self.outputs[:count] = outputs
