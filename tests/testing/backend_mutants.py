"""Model backends that break one law each, of a good one in plain numpy. A module of its own: spawned processes import it."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from vtframe.api import BundleError, BundleInfo, Model, ModelBackend, calibrated


class GoodModel:
    """softmax(flatten(window) @ weights + bias) in float64, without BLAS, which would use threads of its own."""

    def __init__(self, weights: np.ndarray, bias: np.ndarray, window: tuple[int, int]) -> None:
        self.weights: np.ndarray | None = weights.astype(np.float64)
        self.bias = bias
        self.window = window

    def predict(self, batch: np.ndarray) -> np.ndarray:
        if self.weights is None:
            raise ValueError("the model is closed")
        if batch.shape[1:] != self.window or len(batch) == 0:
            raise ValueError("a batch of another shape")
        return self.answer(batch)

    def answer(self, batch: np.ndarray) -> np.ndarray:
        scores = np.einsum("nw,wc->nc", batch.reshape(len(batch), -1).astype(np.float64), self.weights) + self.bias
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def close(self) -> None:
        self.weights = None


class Good(ModelBackend):
    """Keeps every law."""

    name = "good"
    suffixes = (".npz",)
    thread_setting = "threads"

    threads: int = 1

    @classmethod
    def example(cls, folder: Path, *, window: int, columns: int) -> Path | None:
        path = folder / "model.npz"
        weights = np.sin(np.arange(3 * window * columns, dtype=np.float32)).reshape(-1, 3) / columns
        np.savez(path, weights=weights, bias=np.array([0.1, -0.2, 0.3]))
        return path

    def open(self, bundle: BundleInfo) -> Model:
        return calibrated(self.load(bundle), bundle)

    def load(self, bundle: BundleInfo) -> Model:
        weights, bias = self.read(bundle.path / bundle.file)
        if weights.shape[0] != bundle.window * len(bundle.columns):
            raise BundleError(str(bundle.path / bundle.file), "another width")
        return self.model(weights, bias, (bundle.window, len(bundle.columns)))

    def read(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                return file["weights"], file["bias"]
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as e:
            raise BundleError(str(path), f"cannot be opened: {e}") from None

    def model(self, weights: np.ndarray, bias: np.ndarray, window: tuple[int, int]) -> Any:
        return GoodModel(weights, bias, window)


class Logits(Good):
    """Answers scores."""

    def model(self, *arguments: Any) -> Any:
        class Model(GoodModel):
            def answer(self, batch: np.ndarray) -> np.ndarray:
                return np.log(super().answer(batch))

        return Model(*arguments)


class Lenient(Good):
    """Cuts or fills up what does not fit."""

    def load(self, bundle: BundleInfo) -> Model:
        weights, bias = self.read(bundle.path / bundle.file)
        width = bundle.window * len(bundle.columns)
        return self.model(np.resize(weights, (width, 3)), bias, (bundle.window, len(bundle.columns)))


class Centering(Good):
    """Centers by the batch."""

    def model(self, *arguments: Any) -> Any:
        class Model(GoodModel):
            def answer(self, batch: np.ndarray) -> np.ndarray:
                return super().answer(batch - batch.mean(axis=0, keepdims=True))

        return Model(*arguments)


class Clipping(Good):
    """Clips its input in place."""

    def model(self, *arguments: Any) -> Any:
        class Model(GoodModel):
            def answer(self, batch: np.ndarray) -> np.ndarray:
                np.clip(batch, -3, 3, out=batch)
                return super().answer(batch)

        return Model(*arguments)


class Remembering(Good):
    """Its answer leans towards the one before."""

    def model(self, *arguments: Any) -> Any:
        class Model(GoodModel):
            before: Any = 0.0

            def answer(self, batch: np.ndarray) -> np.ndarray:
                found = super().answer(batch)
                leaning = (0.999 * found + 0.001 * self.before).astype(np.float32) if np.shape(self.before) else found
                self.before = found.mean(axis=0)
                return leaning / leaning.sum(axis=1, keepdims=True)

        return Model(*arguments)


class Sharing(Good):
    """Its answer is a view of the windows' memory."""

    def model(self, *arguments: Any) -> Any:
        class Model(GoodModel):
            def answer(self, batch: np.ndarray) -> np.ndarray:
                return np.lib.stride_tricks.as_strided(batch, (len(batch), 3), (batch.strides[0], 4))

        return Model(*arguments)


class Uncalibrated(Good):
    """Forgets the bundle's calibrator."""

    def open(self, bundle: BundleInfo) -> Model:
        return self.load(bundle)


class Greedy(Good):
    """Computes in a second thread, whatever it is told."""

    def model(self, *arguments: Any) -> Any:
        class Model(GoodModel):
            def answer(self, batch: np.ndarray) -> np.ndarray:
                if len(batch) > 1_000 and not hasattr(self, "busy"):
                    self.busy = threading.Thread(target=burn, daemon=True)
                    self.busy.start()
                return super().answer(batch)

        return Model(*arguments)


def burn() -> None:
    """Keeps a processor busy for a while; the arithmetic lets other threads run."""
    numbers = np.random.default_rng(0).random(200_000)
    for _ in range(2_000):
        np.sqrt(np.sin(numbers))


class Homebound(Good):
    """Needs what only the process has that made it."""

    def read(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        if os.getpid() != HOME:
            raise RuntimeError("not at home")
        return super().read(path)


HOME = int(os.environ.setdefault("VTFRAME_TEST_HOME", str(os.getpid())))


class Muddled(Good):
    """Lets its library's error through."""

    def read(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return file["weights"], file["bias"]


class Brittle(Good):
    """Is closed once only."""

    def model(self, *arguments: Any) -> Any:
        class Model(GoodModel):
            def close(self) -> None:
                assert self.weights is not None
                super().close()

        return Model(*arguments)


class Elastic(Good):
    """Stretches what it is given."""

    def model(self, *arguments: Any) -> Any:
        class Model(GoodModel):
            def predict(self, batch: np.ndarray) -> np.ndarray:
                if self.weights is None:
                    raise ValueError("closed")
                return self.answer(np.resize(batch, (max(1, len(batch)), *self.window)))

        return Model(*arguments)


class Bare(Good):
    """Has nothing to try."""

    @classmethod
    def example(cls, folder: Path, *, window: int, columns: int) -> Path | None:
        return None
