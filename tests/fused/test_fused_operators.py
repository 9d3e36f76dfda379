"""Every operator that is translated, beside ONNX Runtime: many in one graph, because each graph is compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fused_graphs import ML, Pair, model, network
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from vtframe.inference.fused import ml_operators, movement, operators

Opened = Callable[..., Pair]
Normal = Callable[..., NDArray[np.float32]]

WIDTH = 4
UNARY: list[tuple[str, dict[str, Any]]] = [
    ("Abs", {}), ("Celu", {"alpha": 1.3}), ("Elu", {"alpha": 0.7}), ("Erf", {}), ("Exp", {}), ("HardSigmoid", {"alpha": 0.3}),
    ("LeakyRelu", {"alpha": 0.2}), ("Neg", {}), ("Relu", {}), ("Selu", {}), ("Sigmoid", {}), ("Softplus", {}), ("Softsign", {}),
    ("Tanh", {}), ("Softmax", {"axis": 1}), ("LogSoftmax", {"axis": -1}), ("LpNormalization", {"p": 1, "axis": 1}),
    ("LpNormalization", {"p": 2, "axis": -1}), ("Identity", {}), ("Dropout", {}), ("Reciprocal", {}), ("Flatten", {}),
]  # fmt: skip


def joined(nodes: list[onnx.NodeProto], names: list[str]) -> list[onnx.NodeProto]:
    return [*nodes, helper.make_node("Concat", names, ["y"], axis=1)]


def test_operators_of_one_input_answer_as_onnx_runtime_does(opened: Opened, normal: Normal) -> None:
    nodes = [helper.make_node(name, ["x"], [f"o{k}"], **attributes) for k, (name, attributes) in enumerate(UNARY)]
    nodes += [helper.make_node("Abs", ["x"], ["size"])]
    nodes += [helper.make_node(name, ["size"], [f"p{name}"]) for name in ("Log", "Sqrt")]
    names = [f"o{k}" for k in range(len(UNARY))] + ["pLog", "pSqrt"]
    pair = opened(model(joined(nodes, names), shape=("n", WIDTH)), WIDTH, WIDTH * len(names))
    rows = normal(WIDTH)
    rows[:7, 0] = [
        [0, 0, 0, 0],
        [3, 3, 3, 3],
        [-90, 80, -5, 5],
        [30, -30, 20, -20],
        [1e-6, -1e-6, 1, 2],
        [9, -9, 8.9, 88],
        [1, 2, 4, 8],
    ]
    found, wanted = np.array(pair.fused.predict(rows)), np.array(pair.runtime.predict(rows))
    both = np.isfinite(wanted)
    assert (found[~both] == wanted[~both]).all() or np.isnan(wanted[~both]).any()
    np.testing.assert_allclose(found[both], wanted[both], rtol=2e-5, atol=2e-6)


def test_operators_of_two_inputs_broadcast_as_onnx_says(opened: Opened, normal: Normal) -> None:
    weights = {
        "row": np.array([[0.5, -2, 3, 4]], np.float32),
        "one": np.array(1.5, np.float32),
        "two": np.array(2, np.float32),
        "w": np.arange(12, dtype=np.float32).reshape(4, 3) / 10,
        "wt": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
        "c": np.array([1, -1, 2], np.float32),
        "slope": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
        "least": np.array(-0.5, np.float32),
        "most": np.array(0.7, np.float32),
        "gain": np.array([1, 2, 3, 4], np.float32),
        "shift": np.array([0.1, -0.2, 0.3, 0], np.float32),
        "mean": np.array([0.3, 0, -0.3, 1], np.float32),
        "var": np.array([1, 2, 0.5, 0.1], np.float32),
        "axis1": np.array([1], np.int64),
    }
    make = helper.make_node
    nodes = [
        make(op, ["x", other], [f"{op}_{other}"])
        for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")
        for other in ("row", "one")
    ]
    names = [node.output[0] for node in nodes]
    nodes += [
        make("Sub", ["one", "x"], ["rsub"]),
        make("Div", ["row", "x"], ["rdiv"]),
        make("Mul", ["x", "x"], ["square"]),
        make("Pow", ["x", "two"], ["pow"]),
        make("Sum", ["x", "row", "one"], ["sum3"]),
        make("PRelu", ["x", "slope"], ["prelu"]),
        make("Clip", ["x", "least", "most"], ["clip"]),
        make("Clip", ["x", "", "most"], ["clip_high"]),
        make("Gemm", ["x", "w", "c"], ["gemm"], alpha=0.5, beta=2.0),
        make("Gemm", ["x", "wt"], ["gemm_t"], transB=1),
        make("MatMul", ["x", "w"], ["matmul"]),
        make("ReduceSum", ["x", "axis1"], ["total"]),
        make("ReduceMean", ["x"], ["mean_of"], axes=[1]),
        make("ReduceMax", ["x"], ["max_of"], axes=[1]),
        make("ReduceMin", ["x"], ["min_of"], axes=[1]),
        make("ReduceLogSumExp", ["x"], ["lse_of"], axes=[1]),
        make("Sub", ["x", "mean_of"], ["centered"]),
        make("Mul", ["total", "x"], ["spread"]),
        make("BatchNormalization", ["x", "gain", "shift", "mean", "var"], ["batch"]),
        make("LayerNormalization", ["x", "gain", "shift"], ["layer"], axis=-1),
        make("Cast", ["x"], ["cast"], to=1),
    ]
    names += [
        "rsub",
        "rdiv",
        "square",
        "pow",
        "sum3",
        "prelu",
        "clip",
        "clip_high",
        "gemm",
        "gemm_t",
        "matmul",
        "total",
        "mean_of",
    ]
    names += ["max_of", "min_of", "lse_of", "centered", "spread", "batch", "layer", "cast"]
    outputs = 4 * len(names) - 3 - 3 * 5  # three products have 3 columns, five reductions have 1
    pair = opened(model(joined(nodes, names), weights, shape=("n", WIDTH)), WIDTH, outputs)
    rows = normal(WIDTH)
    np.testing.assert_allclose(pair.fused.predict(rows), pair.runtime.predict(rows), rtol=1e-5, atol=2e-6)


def test_operators_that_move_numbers_leave_nothing_to_compute(opened: Opened, normal: Normal) -> None:
    weights = {
        "square": np.array([-1, 3, 2], np.int64),
        "flat": np.array([0, -1], np.int64),
        "start": np.array([1], np.int64),
        "end": np.array([2**31], np.int64),
        "axis": np.array([2], np.int64),
        "first": np.array([0], np.int64),
        "odd": np.array([2, 0], np.int64),
        "constant": np.array([[7, 8]], np.float32),
        "wide": np.array([1, 2], np.int64),
        "sizes": np.array([1, 5], np.int64),
    }
    make = helper.make_node
    nodes = [
        make("Reshape", ["x", "square"], ["r"]),
        make("Transpose", ["r"], ["t"], perm=[0, 2, 1]),
        make("Slice", ["t", "start", "end", "axis"], ["s"]),
        make("Gather", ["r", "odd"], ["g"], axis=1),
        make("Flatten", ["s"], ["fs"]),
        make("Flatten", ["g"], ["fg"]),
        make("Unsqueeze", ["fs", "axis"], ["u"]),
        make("Squeeze", ["u", "axis"], ["q"]),
        make("Expand", ["constant", "wide"], ["e"]),
        make("Split", ["x", "sizes"], ["left", "right"], axis=1),
        make("Mul", ["left", "e"], ["scaled"]),
        make("ArrayFeatureExtractor", ["x", "odd"], ["picked"], domain=ML),
        make("Shape", ["fs"], ["of"]),
        make("Gather", ["of", "start"], ["four"], axis=0),
        make("Cast", ["four"], ["four_float"], to=1),
        make("Add", ["x", "four_float"], ["plus_four"]),
        make("Constant", [], ["k"], value_floats=[0.25]),
        make("Mul", ["x", "k"], ["quarter"]),
    ]
    names = ["fs", "fg", "q", "right", "scaled", "picked", "plus_four", "quarter"]
    pair = opened(model(joined(nodes, names), weights, shape=("n", 6)), 6, 4 + 4 + 4 + 5 + 2 + 2 + 6 + 6)
    rows = normal(6, rows=50)
    assert np.array(pair.fused.predict(rows[:1])).tobytes() == np.array(pair.runtime.predict(rows[:1])).tobytes()
    assert len(pair.fused._program.steps) == 5  # left repeated, scaled, plus_four, quarter, the outputs side by side


@pytest.mark.parametrize(
    ("norm", "transform"),
    [
        ("MAX", "SOFTMAX"),
        ("L2", "SOFTMAX"),
        *(("L1", name) for name in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")),
    ],
)
def test_linear_models_answer_as_onnx_runtime_does(opened: Opened, normal: Normal, norm: str, transform: str) -> None:
    random = np.random.default_rng(5)
    make = helper.make_node
    nodes = [
        make("Scaler", ["x"], ["scaled"], domain=ML, offset=[0.1, 0.2, 0.3, 0.4], scale=[2.0, 0.5, 1.0, 3.0]),
        make("Imputer", ["scaled"], ["there"], domain=ML, imputed_value_floats=[0.0], replaced_value_float=float("nan")),
        make("Normalizer", ["there"], ["unit"], domain=ML, norm=norm),
        make(
            "LinearClassifier",
            ["unit"],
            ["label", "y"],
            domain=ML,
            coefficients=(random.normal(size=12) / 4).tolist(),
            intercepts=[0.3, 0.4, 0.5],
            classlabels_ints=[0, 1, 2],
            post_transform=transform,
        ),
    ]
    pair = opened(model(nodes, shape=("n", WIDTH)), WIDTH, 3)
    rows = normal(WIDTH)
    rows[5, 0, 2] = np.nan
    if transform == "PROBIT":
        found, wanted = np.array(pair.fused.predict(rows)), np.array(pair.runtime.predict(rows))
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)  # ONNX Runtime loses digits near 0 and 1
    else:
        assert pair.apart(rows) < 1e-5


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_one_score_of_two_classes_becomes_two_outputs(opened: Opened, normal: Normal, transform: str) -> None:
    classifier = helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "y"],
        domain=ML,
        coefficients=[0.4, -0.3],
        intercepts=[0.1],
        classlabels_ints=[0, 1],
        post_transform=transform,
    )
    assert opened(model([classifier], shape=("n", 2)), 2, 2).apart(normal(2)) < 1e-6


def test_a_window_is_read_in_place_oldest_row_first(opened: Opened, normal: Normal) -> None:
    weights = {"w": np.random.default_rng(2).normal(size=(3, 2)).astype(np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["each"]),
        helper.make_node("ReduceMax", ["each"], ["y"], axes=[1], keepdims=0),
    ]
    pair = opened(model(nodes, weights, shape=("n", 5, 3)), 3, 2, window=5)
    assert pair.apart(normal(3, window=5)) < 1e-6


@pytest.mark.parametrize("opset", [11, 12])
def test_softmax_before_opset_13_runs_over_all_later_axes(opened: Opened, normal: Normal, opset: int) -> None:
    weights = {"square": np.array([-1, 2, 3], np.int64), "flat": np.array([-1, 6], np.int64)}
    nodes = [
        helper.make_node("Reshape", ["x", "square"], ["r"]),
        helper.make_node("Softmax", ["r"], ["s"], axis=1),
        helper.make_node("Reshape", ["s", "flat"], ["y"]),
    ]
    pair = opened(model(nodes, weights, shape=("n", 6), opset=opset), 6, 6)
    assert pair.apart(normal(6, rows=100)) < 1e-6


def test_operators_of_newer_opsets_answer_as_onnx_runtime_does(opened: Opened, normal: Normal) -> None:
    weights = {"shape": np.array([1, WIDTH], np.int64)}
    nodes = [
        helper.make_node("Gelu", ["x"], ["exact"]),
        helper.make_node("Gelu", ["x"], ["close"], approximate="tanh"),
        helper.make_node("ConstantOfShape", ["shape"], ["twos"], value=numpy_helper.from_array(np.array([2], np.float32))),
        helper.make_node("Mul", ["x", "twos"], ["twice"]),
    ]
    graph = model(joined(nodes, ["exact", "close", "twice"]), weights, shape=("n", WIDTH), opset=20)
    assert opened(graph, WIDTH, 3 * WIDTH).apart(normal(WIDTH)) < 2e-6


def test_swish_answers_as_onnx_runtime_does(opened: Opened, normal: Normal) -> None:
    graph = onnx.load_from_string(model([helper.make_node("Swish", ["x"], ["y"], alpha=1.5)], shape=("n", WIDTH), opset=24))
    graph.ir_version = 11
    assert opened(graph.SerializeToString(), WIDTH, WIDTH).apart(normal(WIDTH)) < 1e-6


def test_every_translated_operator_is_tried_here() -> None:
    source = (movement.OPERATORS | operators.OPERATORS | ml_operators.OPERATORS).keys()
    here = {name for name, _ in UNARY}
    content = Path(__file__).read_text()
    elsewhere = {
        "TreeEnsembleClassifier",
        "TreeEnsembleRegressor",
        "LinearRegressor",
        "ZipMap",
    }
    missing = [name for name in source if name not in here | elsewhere and f'"{name}"' not in content]
    assert not missing


def test_a_network_as_wide_as_the_bench_answers_within_a_few_units_in_the_last_place(opened: Opened, normal: Normal) -> None:
    assert opened(network([32, 64, 32, 3]), 32, 3).apart(normal(32, rows=5_000)) < 1e-6
