"""From a source to a loaded original, by kind. Runs in the importing process only."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from vtframe.errors import InputError
from vtframe.inference.importing.boosters import open_lightgbm, open_xgboost
from vtframe.inference.importing.estimators import open_estimator
from vtframe.inference.importing.job import Job
from vtframe.inference.importing.onnx_files import open_onnx
from vtframe.inference.importing.original import Original, library
from vtframe.inference.importing.torch_modules import open_module


def open_original(job: Job, *, window: int, dtype: str, rows: NDArray[Any]) -> Original:
    """Load what the job names; ``rows`` are some to try shapes on. Raises InputError."""
    kind, path = job.source.kind, job.source.path
    if kind == "onnx":
        return open_onnx(job, window=window, dtype=dtype, rows=rows)
    if kind == "skops":
        return open_estimator(_read_skops(job), job, window=window, dtype=dtype)
    if kind == "pickle":
        loaded = library("joblib").load(path)
        if hasattr(loaded, "state_dict"):
            return open_module(job, window=window, dtype=dtype, rows=rows, module=loaded)
        return open_estimator(loaded, job, window=window, dtype=dtype)
    if kind == "lightgbm":
        return open_lightgbm(library("lightgbm").Booster(model_file=str(path)), job, window=window, dtype=dtype)
    if kind == "xgboost":
        return open_xgboost(
            library("xgboost", install="xgboost-cpu").Booster(model_file=str(path)), job, window=window, dtype=dtype
        )
    return open_module(job, window=window, dtype=dtype, rows=rows)


def _read_skops(job: Job) -> Any:
    """Only types that skops, or vtframe-sklearn for scikit-learn's own, knows to run no code of the file's."""
    io = library("skops.io", install="skops")
    known = library("vtframe_sklearn.known_types", install="vtframe-sklearn").KNOWN_TYPES
    foreign = io.get_untrusted_types(file=job.source.path)
    strange = sorted(set(foreign) - set(known))
    if strange:
        problem = f"holds types that may run code when they are made: {', '.join(strange)}"
        booster = any(name.startswith(("lightgbm.", "xgboost.")) for name in strange)
        hint = (
            "save the booster itself, as text (LightGBM) or JSON (XGBoost)"
            if booster
            else "export it to ONNX where it was made"
        )
        raise InputError(str(job.source), problem, hint)
    return io.load(job.source.path, trusted=foreign)
