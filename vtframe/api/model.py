"""The contract of a model: a described bundle, and a backend that opens it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api.calibration import Calibrator
from vtframe.api.graph import Graph
from vtframe.api.part import Part
from vtframe.errors import BundleError


class InputFeature(msgspec.Struct, frozen=True, kw_only=True):
    """One feature that the model was trained on: its column(s), its part's name and its exact settings."""

    use: str
    label: str
    columns: tuple[str, ...]
    settings: dict[str, Any] = {}


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What the model predicts. ``mid_direction``: the direction of the mid over ``horizon_rows`` rows, flat within
    ``threshold_bps``; ``mid_move``: that move itself, in bps; the others as ``vtframe features`` labels rows.

    Where the horizon is a time it is ``horizon_ms`` of ``ts_recv``, and ``horizon_rows`` is 0.
    """

    kind: Literal["mid_direction", "spread_direction", "triple_barrier", "mid_move"] = "mid_direction"
    horizon_rows: int
    threshold_bps: float = 0.0
    horizon_ms: int | None = None


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs that belong together: the probabilities of a classification, which sum to 1, or numbers of their own."""

    name: str  # of the model's output where it has several; anything where it has one
    kind: Literal["classification", "regression"] = "classification"
    outputs: tuple[str, ...]


class TrainingColumn(msgspec.Struct, frozen=True, kw_only=True):
    """How one column lay in the training rows: ``shares[i]`` of them were over edge ``i - 1`` and at most edge ``i``; the first
    share is of those at most the first edge, the last of those over the last. What live rows are compared with for drift."""

    rows: int
    edges: tuple[float, ...]  # ascending
    shares: tuple[float, ...]  # one more than edges
    memory: float = 1.0  # rows after which another one says something new: n of them are worth n / memory independent ones
    bin_memory: float = 1.0  # the same of the shares of the bins


class BundleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says of its model. ``path`` is its folder, ``hash`` the sha256 over its files' hashes.

    ``sum(output * expected_move_bps)`` is the expected move of the mid over the horizon, calibrated out of sample. For a
    classification outputs are probabilities; for a regression of the move its number is a factor.
    """

    name: str
    path: Path
    hash: str
    backend: str
    file: str  # the model file, relative to ``path``
    features: tuple[InputFeature, ...]
    window: int  # rows that one prediction sees
    dtype: Literal["float32", "float64"]
    classes: tuple[str, ...]  # names of the outputs in order, e.g. ("down", "flat", "up")
    label: Label
    expected_move_bps: tuple[float, ...]  # per output, measured out of sample
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
    heads: tuple[Head, ...] = ()  # of a model that is more than one classification; see ``output_heads``
    training: dict[str, TrainingColumn] = {}  # by column, where the bundle says; what drift rules on inputs need
    calibrator: Calibrator | None = None  # applied to every classification by whoever opens the model: see ``calibrated``

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for feature in self.features for column in feature.columns)

    @property
    def output_heads(self) -> tuple[Head, ...]:
        """The heads in the order of the outputs; one classification where the bundle names none."""
        return self.heads or (Head(name="probabilities", outputs=self.classes),)


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
    thread_setting: ClassVar[str] = ""  # the setting that bounds its compute threads; empty where there is none

    @classmethod
    def example(cls, folder: Path, *, window: int, columns: int) -> Path | None:
        """Write a model file into ``folder`` that answers 3 probabilities for windows of ``window`` rows of ``columns`` float32
        numbers, and return its path. The laws of model backends are tried on it; without one nothing can be tried."""
        return None

    @classmethod
    def runtimes(cls) -> Mapping[str, Mapping[str, Any]]:
        """Other ways to run a model that this machine has, by name with the settings that choose them, such as a GPU."""
        return {}

    def open(self, bundle: BundleInfo) -> Model:
        """Load the model, check its shapes, and return it ``calibrated``; raises BundleError naming the file."""
        raise NotImplementedError

    def graph(self, bundle: BundleInfo) -> Graph:
        """The model as operators and weights, for ``where = "fused"``; raises BundleError where there is no such view of it."""
        problem = f"backend {self.name!r} does not tell its models' operators, so none of them can be fused"
        raise BundleError(str(bundle.path), problem, 'run it with where = "inline"')


def calibrated(model: Model, bundle: BundleInfo) -> Model:
    """``model`` with the bundle's calibrator behind it; ``model`` itself where the bundle has none."""
    return model if bundle.calibrator is None else CalibratedModel(model, bundle)


class CalibratedModel:
    """A model and, behind it, its bundle's calibrator. Outputs of regressions are passed on as they are."""

    def __init__(self, model: Model, bundle: BundleInfo) -> None:
        self._model = model
        self._predict = model.predict
        self._apply = (bundle.calibrator or Calibrator(method="temperature")).apply
        self._heads: list[slice] = []
        first = 0
        for head in bundle.output_heads:
            if head.kind == "classification":
                self._heads.append(slice(first, first + len(head.outputs)))
            first += len(head.outputs)

    def predict(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = np.array(self._predict(batch), np.float32)
        for head in self._heads:
            answer[:, head] = self._apply(answer[:, head])
        return answer

    def close(self) -> None:
        self._model.close()
