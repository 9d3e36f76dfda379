"""Tiny bundles with hand-made ONNX graphs: softmax(x W + b), which numpy can check."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vtframe.api import InputFeature, Label
from vtframe.inference.bundle_format import Description, Input, Output, Provenance

CLASSES = ("down", "flat", "up")


def softmax_weights(width: int, classes: int = 3) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fixed, uneven weights: any exchange of columns or rows changes the answer."""
    rng = np.random.default_rng(width)
    return rng.normal(size=(width, classes)).astype(np.float32), rng.normal(size=classes).astype(np.float32)


def softmax_graph(
    width: int,
    *,
    classes: int = 3,
    dtype: int = TensorProto.FLOAT,
    input_shape: tuple[Any, ...] | None = None,
    outputs: tuple[str, ...] = ("probabilities",),
    output_shape: tuple[Any, ...] | None = None,
) -> bytes:
    """An ONNX graph of softmax(flatten(x) W + b); the keywords make it wrong in one way."""
    weights, bias = softmax_weights(width, classes)
    nodes = [
        helper.make_node("Cast", ["x"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["cast"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        helper.make_node("Identity", ["scores"], ["raw"]),
    ]
    shape = output_shape if output_shape is not None else ("n", classes)
    graph = helper.make_graph(
        nodes,
        "softmax",
        [helper.make_tensor_value_info("x", dtype, input_shape if input_shape is not None else ("n", width))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def softmax_reference(batch: NDArray[Any], classes: int = 3) -> NDArray[np.float64]:
    """The same in numpy, float64."""
    weights, bias = softmax_weights(batch.shape[1] * batch.shape[2], classes)
    scores = batch.reshape(len(batch), -1).astype(np.float64) @ weights + bias
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def describe(columns: int = 4, *, window: int = 1, classes: tuple[str, ...] = CLASSES, **changes: Any) -> Description:
    """A description of a bundle over ``columns`` features named f0, f1, ..."""
    names = [f"f{index}" for index in range(columns)]
    moves = tuple(np.linspace(-1.5, 1.5, len(classes)).tolist())
    values: dict[str, Any] = {
        "name": "tiny",
        "backend": "onnx",
        "file": "model.onnx",
        "input": Input(
            features=tuple(InputFeature(use=name, label=name, columns=(name,), settings={"levels": 1}) for name in names),
            window=window,
            sampling="frame",
        ),
        "output": Output(
            classes=classes,
            label=Label(horizon_rows=10, threshold_bps=0.1),
            expected_move_bps=moves,
            variance_bps2=2.5,
            horizon_ns=1_000_000_000,
        ),
        "provenance": Provenance(data=("made up",), metrics={"log_loss": 0.9}, baselines={"log_loss": 1.1}),
    }
    return Description(**values | changes)
