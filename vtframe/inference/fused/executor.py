"""The fused executor: the model has run inside the features' kernel, and its outputs are read. On the hot path."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, calibrated
from vtframe.buffers.entry import Entry, table_address
from vtframe.domain import Prediction, Verdict
from vtframe.inference.executor import Executor, Serving
from vtframe.inference.fused.model import FusedModel


class FusedExecutor(Executor):
    """Reads what the model's entry wrote for the newest row.

    Whoever has the pipeline joins ``entry`` to it (``Pipeline.join``); then every ``process`` runs the model on the rows
    that it made. What the model took is part of that call's time, not of ``predict``'s.
    """

    def __init__(
        self,
        model: FusedModel,
        bundle: BundleInfo,
        **serving: Unpack[Serving],
    ) -> None:
        """See Executor; raises what it raises."""
        super().__init__(bundle, **serving)
        ring, columns = serving["ring"], serving.get("columns")
        names = list(bundle.columns) if columns is None else list(columns)
        places = np.array([names.index(column) for column in bundle.columns], np.uint32)
        self._outputs = np.zeros((len(ring.values), len(bundle.classes)), np.float32)
        tables = model.tables(ring.values, places, self._outputs)
        self.entry = Entry(model.entry, table_address(tables), (model, tables))
        self._calibrate = None if bundle.calibrator is None else calibrated(_AsItIs(), bundle).predict

    def predict(self, instrument: int, *, started: int) -> Prediction:
        place, words = self._look(instrument)
        outputs: tuple[float, ...] = ()
        if self._count_valid(instrument, place, words) < self._window:
            self.batch = -1
            verdict = Verdict.INVALID
        else:
            self.calls = self.batch = self.calls + 1
            answer = self._outputs[instrument]
            if self._calibrate is not None:
                answer = self._calibrate(answer[None])[0]
            outputs = tuple(answer.tolist())
            verdict = self._vet(outputs)
        return self._judge(instrument, words, outputs, verdict=verdict, started=started)


class _AsItIs:
    """Stands for a model that has answered."""

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        return batch

    def close(self) -> None:
        """Nothing is held."""
