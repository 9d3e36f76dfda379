"""An opened torch module. On the CPU it reads the caller's rows in place: no copy between numpy and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo
from vtframe_torch.threads import ThreadCount


class TorchModel:
    """One module. Called from one thread. Modules must not write into their input; the laws try that."""

    def __init__(
        self, module: Any, bundle: BundleInfo, *, tail: tuple[int, ...], dtype: str, device: str, threads: ThreadCount
    ) -> None:
        """``tail`` is the shape of one row's window as the module takes it, ``dtype`` the number type that it reads."""
        import torch  # noqa: PLC0415 - heavy, and loaded by the backend before

        self._torch = torch
        self._module = module
        self._window = (bundle.window, len(bundle.columns))
        self._tail = tail
        self._device = device
        self._dtype = np.dtype(dtype)
        self._threads = threads

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        if self._module is None:
            raise ValueError("the model is closed")
        if batch.shape[1:] != self._window or len(batch) == 0:
            raise ValueError(f"found a batch of shape {batch.shape}, expected (n, {self._window[0]}, {self._window[1]}), n > 0")
        return self.ask(batch)

    def ask(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """As ``predict``, whatever the module makes of the shape."""
        torch = self._torch
        rows = np.ascontiguousarray(batch, self._dtype).reshape(len(batch), *self._tail)
        if not rows.flags.writeable:  # torch has no read-only tensors, and warns; a row of the ring is read-only for us
            rows = _writable_view(rows)
        with torch.inference_mode():
            given = torch.from_numpy(rows)
            answer = self._module(given if self._device == "cpu" else given.to(self._device))
            if isinstance(answer, (tuple, list)):
                answer = torch.cat([part.reshape(len(batch), -1) for part in answer], 1)
            found: NDArray[np.float32] = answer.to("cpu", torch.float32).numpy()
        return found

    def close(self) -> None:
        self._module = None
        self._threads.release()


def _writable_view(rows: NDArray[Any]) -> NDArray[Any]:
    """The same memory without numpy's flag. Nothing writes through it: a module answers with new tensors."""
    interface = {**rows.__array_interface__, "data": (rows.__array_interface__["data"][0], False)}

    class View:
        __array_interface__ = interface
        owner = rows  # keeps the memory

    return np.asarray(View())
