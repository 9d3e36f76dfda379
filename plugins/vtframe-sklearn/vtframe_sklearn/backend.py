"""scikit-learn as a model backend, from skops files: no pickle is read. Checks types and shapes; runs once per model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from vtframe.api import BundleError, BundleInfo, Model, ModelBackend, calibrated
from vtframe_sklearn.example import write_example
from vtframe_sklearn.known_types import KNOWN_TYPES
from vtframe_sklearn.model import SklearnModel


class SklearnBackend(ModelBackend):
    """Opens ``.skops`` files with scikit-learn: slower than the same model in ONNX, and the original to the last bit.

    The estimator answers ``predict_proba`` in the order of the bundle's classes, or ``predict`` for a regression.
    """

    name = "sklearn"
    suffixes: ClassVar[tuple[str, ...]] = (".skops",)
    thread_setting: ClassVar[str] = "threads"

    threads: Annotated[int, Meta(ge=1)] = 1
    warmup_runs: Annotated[int, Meta(ge=0)] = 3

    @classmethod
    def example(cls, folder: Path, *, window: int, columns: int) -> Path | None:
        return write_example(folder, window=window, columns=columns)

    def open(self, bundle: BundleInfo) -> Model:
        path = bundle.path / bundle.file
        if path.suffix.lower() not in self.suffixes:
            hint = 'name the .skops file in "file", or another backend in "backend"'
            raise BundleError(str(path), f"found a {path.suffix or 'nameless'} file, the sklearn backend reads .skops", hint)
        estimator = self._load(path, trusted=bundle.trusted)
        _check_width(estimator, bundle, path)
        model = SklearnModel(estimator, bundle, ask=_method(estimator, bundle, path), threads=self.threads)
        row = np.zeros((1, bundle.window, len(bundle.columns)), bundle.dtype)
        try:
            found = model.predict(row).shape
        except Exception as e:  # noqa: BLE001 - an estimator raises what it likes
            raise BundleError(str(path), f"fails on a row of zeros: {_one_line(e)}", "export the model again") from None
        if found != (1, len(bundle.classes)):
            problem = f"answers one row with shape {found}, expected (1, {len(bundle.classes)})"
            raise BundleError(str(path), problem, f"one number per output: {', '.join(bundle.classes)}")
        for _ in range(self.warmup_runs):
            model.predict(row)
        return calibrated(model, bundle)

    def _load(self, path: Path, *, trusted: bool) -> Any:
        import skops.io  # noqa: PLC0415 - heavy: scikit-learn with it, only for sessions that open a model

        try:
            foreign = skops.io.get_untrusted_types(file=path)
        except Exception as e:  # noqa: BLE001 - zip, json and key errors of a damaged file
            raise BundleError(str(path), f"skops {skops.__version__} cannot read it: {_one_line(e)}", "save it again") from None
        strange = [] if trusted else sorted(name for name in foreign if name not in KNOWN_TYPES)
        if strange:
            problem = f"holds types that may run code when they are made: {', '.join(strange)}"
            hint = "import the model as ONNX; only if you made the file yourself, say trusted = true in bundle.toml"
            raise BundleError(str(path), problem, hint)
        try:
            estimator = skops.io.load(path, trusted=foreign)
        except Exception as e:  # noqa: BLE001 - as above, and whatever an estimator of another version raises
            raise BundleError(str(path), f"skops {skops.__version__} cannot open it: {_one_line(e)}", "save it again") from None
        for part in _parts(estimator):
            if "n_jobs" in getattr(part, "__dict__", {}):
                part.n_jobs = self.threads
        return estimator


def _parts(estimator: Any) -> list[Any]:
    """An estimator and those that it is made of."""
    found = [estimator]
    for value in list(getattr(estimator, "__dict__", {}).values()):
        for one in value if isinstance(value, (list, tuple)) else [value]:
            inner = [part for part in one if hasattr(part, "get_params")] if isinstance(one, tuple) else [one]
            for part in inner:
                if hasattr(part, "get_params") and not isinstance(part, type):
                    found += _parts(part)
    return found


def _check_width(estimator: Any, bundle: BundleInfo, path: Path) -> None:
    expected = bundle.window * len(bundle.columns)
    found = getattr(estimator, "n_features_in_", expected)
    if found != expected:
        problem = f"was fitted on {found} numbers a row, expected {expected}: {bundle.window} row(s) of {len(bundle.columns)}"
        raise BundleError(str(path), problem, "the features in bundle.toml must be the ones that the model was fitted on")


def _method(estimator: Any, bundle: BundleInfo, path: Path) -> Any:
    """What is asked: the probabilities of a classification, or the values of a regression."""
    heads = bundle.output_heads
    if len(heads) > 1:
        raise BundleError(str(path), f"one estimator has one head, the bundle names {len(heads)}", "export it as ONNX")
    name = "predict_proba" if heads[0].kind == "classification" else "predict"
    if not hasattr(estimator, name):
        problem = f"is a {type(estimator).__name__}, which has no {name}, and the bundle is a {heads[0].kind}"
        raise BundleError(str(path), problem, "calibrate the estimator (CalibratedClassifierCV), or state a regression")
    return getattr(estimator, name)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
