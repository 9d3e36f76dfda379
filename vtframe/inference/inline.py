"""The inline executor: a model runs in the engine's own thread, on the newest rows in place. On the hot path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from vtframe.api import BundleInfo, Model
from vtframe.domain import Prediction, Verdict
from vtframe.inference.executor import Executor, Serving


class InlineExecutor(Executor):
    """Calls the model between one input and the next, and waits for it."""

    def __init__(
        self,
        model: Model,
        bundle: BundleInfo,
        **serving: Unpack[Serving],
    ) -> None:
        """See Executor; raises what it raises."""
        super().__init__(bundle, **serving)
        self._predict = model.predict
        self._read = _reader(serving["ring"].values, bundle, serving.get("columns"))

    def predict(self, instrument: int, *, started: int) -> Prediction:
        place, words = self._look(instrument)
        outputs: tuple[float, ...] = ()
        if self._count_valid(instrument, place, words) < self._window:
            self.batch = -1
            verdict = Verdict.INVALID
        else:
            self.calls = self.batch = self.calls + 1
            try:
                outputs = tuple(self._predict(self._read((instrument, place - self._window + 1)))[0].tolist())
                verdict = self._vet(outputs)
            except Exception as e:  # noqa: BLE001 - a model that raises has failed, and the session goes on
                verdict = self._failure(f"raised {e!r}")
        return self._judge(instrument, words, outputs, verdict=verdict, started=started)


Read = Callable[[tuple[int, int]], NDArray[Any]]
"""(instrument, first row of a window in the ring) to a batch of one, (1, window, columns), C-contiguous."""


def _reader(values: NDArray[Any], bundle: BundleInfo, columns: Sequence[str] | None) -> Read:
    """The bundle's columns of a window, in its order: a view where the ring holds them so, else gathered into one buffer."""
    places = list(range(values.shape[2])) if columns is None else [list(columns).index(name) for name in bundle.columns]
    first = places[0]
    if places == list(range(first, first + len(places))):  # side by side
        views = _windows(values[:, :, first : first + len(places)], bundle.window)
        if views[0, 0].flags.c_contiguous:  # all of the ring's columns, or windows of one row
            return views.__getitem__
    whole = _windows(values, bundle.window)
    chosen = np.array(places, np.intp)
    buffer = np.zeros((1, bundle.window, len(places)), values.dtype)

    def gather(window: tuple[int, int]) -> NDArray[Any]:
        whole[window].take(chosen, 2, buffer, "clip")  # "raise" would go through a buffer of its own
        return buffer

    return gather


def _windows(values: NDArray[Any], window: int) -> NDArray[Any]:
    """Every window as a view: ``[instrument, first row]`` is a batch of one, (1, window, columns)."""
    instruments, rows, columns = values.shape
    across, down, right = values.strides
    shape = (instruments, rows - window + 1, 1, window, columns)
    return as_strided(values, shape, (across, down, down, down, right), writeable=False)
