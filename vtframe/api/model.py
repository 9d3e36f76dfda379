"""The contract of a model: a described bundle, and a backend that opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api.part import Part


class InputFeature(msgspec.Struct, frozen=True, kw_only=True):
    """One feature that the model was trained on: its column(s), its part's name and its exact settings."""

    use: str
    label: str
    columns: tuple[str, ...]
    settings: dict[str, Any] = {}


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What the model predicts: the direction of the mid over ``horizon`` rows, flat within ``threshold_bps``."""

    kind: Literal["mid_direction"] = "mid_direction"
    horizon_rows: int
    threshold_bps: float = 0.0


class BundleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says of its model. ``path`` is its folder, ``hash`` the sha256 over its files' hashes.

    ``sum(p * expected_move_bps)`` is the expected move of the mid over the horizon, calibrated out of sample.
    """

    name: str
    path: Path
    hash: str
    backend: str
    file: str  # the model file, relative to ``path``
    features: tuple[InputFeature, ...]
    window: int  # rows that one prediction sees
    dtype: Literal["float32", "float64"]
    classes: tuple[str, ...]  # order of the outputs, e.g. ("down", "flat", "up")
    label: Label
    expected_move_bps: tuple[float, ...]  # per class, measured out of sample
    variance_bps2: float  # of the move over the horizon, out of sample
    horizon_ns: int  # median time that the horizon took in the training data
    sampling: str  # the sampling rule of its rows, in words
    instruments: tuple[str, ...] = ()  # what it was trained on
    normalization: str = "in the graph"  # where inputs are scaled; anything else is the backend's to honor
    calibration: str = ""  # how probabilities were calibrated and expected moves measured
    metrics: dict[str, float] = {}  # out of sample
    baselines: dict[str, float] = {}  # the same measures, of the majority class or the class frequencies
    provenance: dict[str, Any] = {}  # data, span, code version, fingerprint
    files: dict[str, str] = {}  # name: sha256
    trusted: bool = False  # whether files that run code when they are read are let in

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for feature in self.features for column in feature.columns)


class Model(Protocol):
    """An opened model. Called from one thread."""

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs for ``batch`` (shape (n, window, features), C-contiguous, the bundle's dtype): shape (n, outputs).

        The input is not changed; the answer stays valid until the next call.
        """
        ...

    def close(self) -> None:
        """Release what it holds; may be called twice."""
        ...


class ModelBackend(Part):
    """Opens bundles of one kind. Heavy imports happen in ``open``."""

    suffixes: ClassVar[tuple[str, ...]] = ()  # of the model files it reads

    def open(self, bundle: BundleInfo) -> Model:
        """Load the model and check its shapes; raises BundleError naming the file."""
        raise NotImplementedError
