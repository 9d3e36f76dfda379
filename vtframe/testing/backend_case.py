"""A model backend on trial: the bundle that its example makes, and others that differ from it in one thing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, Calibrator, InputFeature, Model, ModelBackend
from vtframe.api.model import Label
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import Description, Input, Output
from vtframe.testing.verdict import LawBroken

BackendFactory = Callable[[], ModelBackend]
CLASSES = ("down", "flat", "up")


class BackendCase(msgspec.Struct, frozen=True, kw_only=True):
    """What the laws of model backends are tried on. ``make`` is an importable class: a law opens it in a new process."""

    make: type[ModelBackend]
    window: int = 4
    columns: int = 24
    tolerance: float = 1e-5  # between a row alone and in a batch

    @contextmanager
    def bundle(
        self, *, file: bytes | None = None, columns: int | None = None, calibrator: Calibrator | None = None
    ) -> Iterator[BundleInfo]:
        """A bundle of the backend's example; with other content of its file, another number of columns, a calibrator.

        Raises LawBroken where there is no example.
        """
        with tempfile.TemporaryDirectory(prefix="vtframe-law-") as folder:
            path = self.make.example(Path(folder), window=self.window, columns=self.columns)
            if path is None:
                raise LawBroken("it has no example(): there is nothing to try it on")
            names = [f"column_{k}" for k in range(columns or self.columns)]
            description = Description(
                name="example",
                backend=self.make.name,
                file=path.name,
                input=Input(
                    features=tuple(InputFeature(use=name, label=name, columns=(name,)) for name in names),
                    window=self.window,
                    sampling="frame",
                ),
                output=Output(
                    classes=CLASSES,
                    label=Label(horizon_rows=10),
                    expected_move_bps=(-1.0, 0.0, 1.0),
                    variance_bps2=1.0,
                    horizon_ns=1_000_000_000,
                    calibrator=calibrator,
                ),
            )
            content = path.read_bytes() if file is None else file
            yield write_bundle(Path(folder) / "bundle", description, {path.name: content})

    @contextmanager
    def opened(self, bundle: BundleInfo, **settings: Any) -> Iterator[Model]:
        """The bundle's model, opened by a new backend and closed at the end."""
        model = self.make(**settings).open(bundle)
        try:
            yield model
        finally:
            model.close()

    def rows(self, count: int, *, seed: int = 0) -> NDArray[np.float32]:
        """Rows of every size that features have: some tiny, some large, one all zeros."""
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((count, self.window, self.columns)).astype(np.float32)
        rows[0] = 0.0
        rows[1::7] *= 30.0
        rows[2::7] *= 1e-3
        return rows


def answer(model: Model, batch: NDArray[Any]) -> NDArray[np.float32]:
    """A copy: a model's own array may be overwritten by its next call."""
    return np.array(model.predict(batch))
