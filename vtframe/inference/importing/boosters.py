"""Originals of LightGBM and XGBoost, from the files that their own libraries write, converted by onnxmltools."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.inference.importing.job import Job, SourceHead
from vtframe.inference.importing.onnx_files import graph_original
from vtframe.inference.importing.original import Original, choose_columns, library

_LGB_CLASSES = ("binary", "multiclass", "softmax", "multiclassova", "cross_entropy", "xentropy")


def open_lightgbm(booster: Any, job: Job, *, window: int, dtype: str) -> Original:
    """A booster of LightGBM's own."""
    onnxmltools = library("onnxmltools")
    columns = choose_columns(job, booster.feature_name(), booster.num_feature(), window=window)
    objective = next(
        (
            line.partition("=")[2].split()[0]
            for line in booster.model_to_string(1).splitlines()
            if line.startswith("objective=")
        ),
        "",
    )
    classify = objective in _LGB_CLASSES
    trees = booster.num_model_per_iteration()

    def ask(rows: NDArray[Any]) -> NDArray[np.float64]:
        return _columns(booster.predict(rows.reshape(len(rows), -1).astype(np.float64), num_threads=1), classify=classify)

    kind = onnxmltools.convert.common.data_types.FloatTensorType([None, window * len(columns)])
    options = {"zipmap": False} if classify else {}
    model = onnxmltools.convert_lightgbm(booster, initial_types=[("rows", kind)], target_opset=15, **options)
    versions = f"lightgbm {library('lightgbm').__version__}, onnxmltools {onnxmltools.__version__}"
    heads = (_head(classify=classify, outputs=trees),)
    return graph_original(job, model, ask=ask, columns=columns, heads=heads, dtype=dtype, versions=versions)


def open_xgboost(booster: Any, job: Job, *, window: int, dtype: str) -> Original:
    """A booster of XGBoost's own."""
    onnxmltools, xgboost = library("onnxmltools"), library("xgboost", install="xgboost-cpu")
    columns = choose_columns(job, booster.feature_names, booster.num_features(), window=window)
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    classify = objective.startswith(("binary:", "multi:"))
    booster.feature_names = booster.feature_types = None  # the converter wants them numbered
    booster.set_param({"nthread": 1})
    if objective == "multi:softmax":  # the same model, which would answer labels
        booster.set_param({"objective": "multi:softprob"})

    def ask(rows: NDArray[Any]) -> NDArray[np.float64]:
        given = xgboost.DMatrix(rows.reshape(len(rows), -1))
        return _columns(booster.predict(given), classify=classify)

    outputs = max(1, int(learner["learner_model_param"]["num_class"]), int(learner["learner_model_param"].get("num_target", 1)))
    kind = onnxmltools.convert.common.data_types.FloatTensorType([None, window * len(columns)])
    model = onnxmltools.convert_xgboost(booster, initial_types=[("rows", kind)], target_opset=15)
    versions = f"xgboost {xgboost.__version__}, onnxmltools {onnxmltools.__version__}"
    heads = (_head(classify=classify, outputs=outputs),)
    return graph_original(job, model, ask=ask, columns=columns, heads=heads, dtype=dtype, versions=versions)


def _head(*, classify: bool, outputs: int) -> SourceHead:
    if classify:
        return SourceHead(name="probabilities", kind="classification", width=max(2, outputs))
    return SourceHead(name="values", kind="regression", width=outputs)


def _columns(answer: Any, *, classify: bool) -> NDArray[np.float64]:
    """Answers as (n, outputs); a booster of two classes answers the second one's probability alone."""
    values = np.asarray(answer, np.float64)
    values = values.reshape(len(values), -1)
    return np.hstack([1.0 - values, values]) if classify and values.shape[1] == 1 else values
