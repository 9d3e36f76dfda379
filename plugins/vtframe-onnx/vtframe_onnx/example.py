"""A small graph, written: what the laws of model backends are tried on. Needs the package onnx, which opening does not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np


def write_example(folder: Path, *, window: int, columns: int) -> Path | None:
    """``softmax(flatten(rows) W + b)`` with fixed weights; None where the package onnx is not installed."""
    if importlib.util.find_spec("onnx") is None:
        return None
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - heavy

    width = window * columns
    weights = (np.sin(np.arange(3 * width, dtype=np.float32)) / columns).reshape(width, 3)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["rows"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        ],
        "example",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ("n", window, columns))],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ("n", 3))],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([0.1, -0.2, 0.3], np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path
