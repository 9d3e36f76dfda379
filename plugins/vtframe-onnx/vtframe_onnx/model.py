"""An opened ONNX graph. Input and outputs are bound once per batch size: a prediction is one copy in and one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo

_LARGEST_BOUND = 256  # rows; larger batches are rare and pay for their own buffers


class _Bound(NamedTuple):
    """Buffers of one batch size, and the call that reads the one and fills the other."""

    entered: NDArray[Any]  # (n, window, features)
    run: Callable[[], None]
    answered: NDArray[np.float32]  # (n, outputs)


class OnnxModel:
    """One graph in one ONNX Runtime session. Called from one thread."""

    def __init__(self, session: Any, bundle: BundleInfo, *, shape: tuple[int, ...], outputs: Sequence[str]) -> None:
        """``shape`` is the graph's input shape for one row, ``outputs`` the names of its outputs, one per head."""
        self._session = session
        self._input_name = session.get_inputs()[0].name
        self._output_names = list(outputs)
        self._widths = [len(head.outputs) for head in bundle.output_heads]
        self._tail = shape[1:]
        self._window = (bundle.window, len(bundle.columns))
        self._dtype = np.dtype(bundle.dtype)
        self._bound: dict[int, _Bound] = {}
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
        bound.entered[...] = batch
        bound.run()
        return bound.answered

    def unbound(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """The same through onnxruntime's plain ``run``, which makes new outputs."""
        rows = np.ascontiguousarray(batch, self._dtype).reshape(len(batch), *self._tail)
        answers: list[NDArray[np.float32]] = self._session.run(self._output_names, {self._input_name: rows})
        return answers[0] if len(answers) == 1 else np.concatenate(answers, axis=1)

    def close(self) -> None:
        if self._session is None:
            return
        self._bound.clear()
        del self._run  # it holds the session
        self._shape = ()  # no batch has it: every call comes to the message
        self._session = None

    def _bind(self, count: int) -> _Bound:
        """CPU values share numpy's memory; a provider on another device copies from and to it."""
        import onnxruntime  # noqa: PLC0415 - heavy, and loaded by the backend before

        entered = np.zeros((count, *self._tail), self._dtype)
        parts = [np.zeros((count, width), np.float32) for width in self._widths]
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._input_name, value(entered))
        for name, part in zip(self._output_names, parts, strict=True):
            binding.bind_ortvalue_output(name, value(part))
        session = self._session

        def run() -> None:
            session.run_with_iobinding(binding)

        window = entered.reshape(count, *self._window)
        if len(parts) == 1:
            return _Bound(window, run, parts[0])
        joined = np.zeros((count, sum(self._widths)), np.float32)

        def run_and_join() -> None:
            session.run_with_iobinding(binding)
            np.concatenate(parts, axis=1, out=joined)

        return _Bound(window, run_and_join, joined)
