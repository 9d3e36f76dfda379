"""Originals of scikit-learn, and of the boosters that look like scikit-learn, converted by skl2onnx or kept as skops."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.errors import InputError
from vtframe.inference.importing import graphs
from vtframe.inference.importing.job import Job, SourceHead
from vtframe.inference.importing.onnx_files import graph_original
from vtframe.inference.importing.original import Original, choose_columns, library

OPSET = {"": 17, "ai.onnx.ml": 3}
_ROUNDING = ("xgboost", "sklearn.tree", "sklearn.ensemble._forest", "sklearn.ensemble._gb")
"""Where trees compare inputs rounded to float32, whatever came before them."""


def open_estimator(estimator: Any, job: Job, *, window: int, dtype: str) -> Original:
    """Raises InputError where it is no fitted estimator, or cannot be converted."""
    where = str(job.source)
    if not hasattr(estimator, "predict"):
        hint = "dump the fitted estimator or pipeline itself"
        raise InputError(where, f"holds a {type(estimator).__name__}, which has no predict()", hint)
    columns = choose_columns(
        job, getattr(estimator, "feature_names_in_", None), getattr(estimator, "n_features_in_", None), window=window
    )
    heads = _heads(estimator)
    classify = heads[0].kind == "classification"

    def ask(rows: NDArray[Any]) -> NDArray[np.float64]:
        flat = rows.reshape(len(rows), -1).astype(np.float64)  # the precision that it was fitted in
        answer = estimator.predict_proba(flat) if classify else estimator.predict(flat)
        parts = answer if isinstance(answer, list) else [np.asarray(answer).reshape(len(rows), -1)]
        return np.concatenate([np.asarray(part, np.float64) for part in parts], axis=1)

    if not heads[0].width:
        heads = (
            SourceHead(name="values", kind="regression", width=ask(np.zeros((1, window, len(columns)), np.float32)).shape[1]),
        )
    sklearn = library("sklearn", install="scikit-learn")
    if job.form == "skops":
        io = library("skops.io", install="skops")

        def write(folder: Path) -> str:
            io.dump(estimator, folder / "model.skops")
            return "model.skops"

        versions = f"scikit-learn {sklearn.__version__}, skops {library('skops').__version__}"
        return Original(ask=ask, write=write, columns=columns, heads=heads, backend="sklearn", versions=versions)
    skl2onnx = library("skl2onnx")
    numbers = skl2onnx.common.data_types
    kind = numbers.FloatTensorType if job.precision == "float32" else numbers.DoubleTensorType
    with _plain_numbers(skl2onnx), _boosters(skl2onnx):
        model = skl2onnx.to_onnx(
            estimator,
            initial_types=[("rows", kind([None, window * len(columns)]))],
            options={id(estimator): {"zipmap": False}} if classify else None,
            target_opset=OPSET,
        )
    if job.precision == "float64" and _last(estimator).__module__.startswith(_ROUNDING):
        graphs.round_tree_inputs(model)
    versions = f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx.__version__}"
    return graph_original(job, model, ask=ask, columns=columns, heads=heads, dtype=dtype, versions=versions)


def _last(estimator: Any) -> type[Any]:
    """The class at the end of a pipeline."""
    while getattr(estimator, "steps", None):
        estimator = estimator.steps[-1][1]
    return type(estimator)


def _heads(estimator: Any) -> tuple[SourceHead, ...]:
    if not hasattr(estimator, "predict_proba"):
        return (SourceHead(name="values", kind="regression", width=0),)
    classes = estimator.classes_
    several = classes if isinstance(classes, list) else [classes]
    return tuple(
        SourceHead(name=f"probabilities{k or ''}", kind="classification", width=len(one), classes=tuple(map(_plain, one)))
        for k, one in enumerate(several)
    )


def _plain(name: Any) -> str:
    """A class as text: 1 for np.int64(1) and 1.0 alike."""
    value = name.item() if hasattr(name, "item") else name
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(part: Any) -> Any:
    """Python's own int, float or text; truth as 0 or 1."""
    plain = part.item() if isinstance(part, np.generic) else part
    return int(plain) if isinstance(plain, bool) else plain


@contextlib.contextmanager
def _plain_numbers(skl2onnx: Any) -> Iterator[None]:
    """skl2onnx puts numpy's integers and truth values into trees' attributes, which newer versions of onnx refuse."""
    container = skl2onnx.common._container.ModelComponentContainer  # noqa: SLF001 - no public door leads there
    add_node = container.add_node

    def plain(self: Any, op_type: str, inputs: Any, outputs: Any, *rest: Any, **attributes: Any) -> Any:
        simple = {
            key: [_number(part) for part in value] if isinstance(value, (list, np.ndarray)) else value
            for key, value in attributes.items()
        }
        return add_node(self, op_type, inputs, outputs, *rest, **simple)

    container.add_node = plain
    try:
        yield
    finally:
        container.add_node = add_node


@contextlib.contextmanager
def _boosters(skl2onnx: Any) -> Iterator[None]:
    """Make skl2onnx know the boosters' estimators, where they are loaded: they may stand at the end of a pipeline."""
    if "lightgbm" in sys.modules or "xgboost" in sys.modules:
        library("onnxmltools")
        shapes = library("skl2onnx.common.shape_calculator")
        classify = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
        for package, converter in (("lightgbm", "LightGbm"), ("xgboost", "XGBoost")):
            if package not in sys.modules:
                continue
            made = library(f"onnxmltools.convert.{package}.operator_converters.{converter}")
            convert = made.convert_lightgbm if package == "lightgbm" else made.convert_xgboost
            prefix = "LGBM" if package == "lightgbm" else "XGB"
            for kind, shape, options in (
                ("Classifier", shapes.calculate_linear_classifier_output_shapes, classify),
                ("Regressor", shapes.calculate_linear_regressor_output_shapes, None),
            ):
                cls = getattr(sys.modules[package], prefix + kind)
                skl2onnx.update_registered_converter(cls, f"{package}{kind}", shape, convert, options=options, overwrite=True)
    yield
