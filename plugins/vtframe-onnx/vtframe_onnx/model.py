"""An opened ONNX graph. Input and output are bound once per batch size: a prediction is one copy in and one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo

_LARGEST_BOUND = 256  # rows; larger batches are rare and pay for their own buffers


class OnnxModel:
    """One graph in one ONNX Runtime session. Called from one thread."""

    def __init__(self, session: Any, bundle: BundleInfo, *, shape: tuple[int, ...], output: str) -> None:
        """``shape`` is the graph's input shape for one row, ``output`` the name of its only output."""
        self._session = session
        self._input_name = session.get_inputs()[0].name
        self._output_name = output
        self._tail = shape[1:]
        self._window = (bundle.window, len(bundle.columns))
        self._classes = len(bundle.classes)
        self._dtype = np.dtype(bundle.dtype)
        self._bound: dict[int, tuple[NDArray[Any], Callable[[], None], NDArray[np.float32]]] = {}
        self._shape = (1, *self._window)
        self._input, self._run, self._output = self._bind(1)

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        if batch.shape == self._shape:
            self._input[...] = batch
            self._run()
            return self._output
        if self._session is None:
            raise ValueError("the model is closed")
        count = len(batch)
        if batch.shape != (count, *self._window) or count == 0:
            raise ValueError(f"found a batch of shape {batch.shape}, expected (n, {self._window[0]}, {self._window[1]}), n > 0")
        if count > _LARGEST_BOUND:
            return self.unbound(batch)
        bound = self._bound.get(count)
        if bound is None:
            bound = self._bound[count] = self._bind(count)
        buffer, run, output = bound
        buffer[...] = batch
        run()
        return output

    def unbound(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """The same through onnxruntime's plain ``run``, which makes a new output."""
        rows = np.ascontiguousarray(batch, self._dtype).reshape(len(batch), *self._tail)
        answer: NDArray[np.float32] = self._session.run([self._output_name], {self._input_name: rows})[0]
        return answer

    def close(self) -> None:
        if self._session is None:
            return
        self._bound.clear()
        del self._run  # it holds the session
        self._shape = ()  # no batch has it: every call comes to the message
        self._session = None

    def _bind(self, count: int) -> tuple[NDArray[Any], Callable[[], None], NDArray[np.float32]]:
        """Buffers for ``count`` rows, and the call that reads the one and fills the other. CPU values share numpy's memory."""
        import onnxruntime  # noqa: PLC0415 - heavy, and loaded by the backend before

        entered = np.zeros((count, *self._tail), self._dtype)
        answered = np.zeros((count, self._classes), np.float32)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._input_name, onnxruntime.OrtValue.ortvalue_from_numpy(entered))
        binding.bind_ortvalue_output(self._output_name, onnxruntime.OrtValue.ortvalue_from_numpy(answered))
        session = self._session

        def run() -> None:
            session.run_with_iobinding(binding)

        return entered.reshape(count, *self._window), run, answered
