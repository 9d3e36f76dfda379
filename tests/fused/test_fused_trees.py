"""Random ensembles of trees, compiled once for all of them, beside ONNX Runtime bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fused_graphs import ML, Pair, bundle, model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper
from vtframe_onnx.backend import OnnxBackend

from vtframe.errors import BundleError
from vtframe.inference.fused import FusedModel
from vtframe.inference.fused.tree_layout import lay_out

Opened = Callable[..., Pair]
WIDTH = 3
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
LEVELS = (-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 1e-45, 3.4028234663852886e38, float("inf"), float("-inf"))
"""Thresholds and numbers in rows: they meet often."""


class Forest:
    """A TreeEnsemble's attributes, made node by node."""

    def __init__(self, random: np.random.Generator, *, outputs: int, mode: str | None, one_weight: bool = False) -> None:
        self.attributes: dict[str, list[Any]] = {
            f"nodes_{name}": []
            for name in ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids")
        }
        self.attributes["nodes_missing_value_tracks_true"] = []
        self.weights: list[tuple[int, int, int, float]] = []
        self._random, self._outputs, self._mode, self._one = random, outputs, mode, one_weight
        for tree in range(int(random.integers(1, 6))):
            self._grow(tree, depth=int(random.integers(0, 5)))

    def _grow(self, tree: int, *, depth: int) -> None:
        count = 0

        def grow(depth: int) -> int:
            nonlocal count
            node, count = count, count + 1
            place = len(self.attributes["nodes_modes"])
            leaf = depth == 0 or self._random.random() < 0.2
            mode = "LEAF" if leaf else self._mode or str(self._random.choice(MODES))
            for name, value in (
                ("treeids", tree),
                ("nodeids", node),
                ("modes", mode),
                ("featureids", 0 if leaf else int(self._random.integers(WIDTH))),
                ("values", 0.0 if leaf else float(self._random.choice(LEVELS[:8]))),
                ("truenodeids", 0),
                ("falsenodeids", 0),
                ("missing_value_tracks_true", 0 if leaf else int(self._random.integers(2))),
            ):
                self.attributes[f"nodes_{name}"].append(value)
            if leaf:
                outputs = [int(self._random.integers(self._outputs))] if self._one else range(self._outputs)
                self.weights += [(tree, node, output, float(np.float32(self._random.normal()))) for output in outputs]
            else:
                self.attributes["nodes_truenodeids"][place] = grow(depth - 1)
                self.attributes["nodes_falsenodeids"][place] = grow(depth - 1)
            return node

        grow(depth)

    def of(self, kind: str) -> dict[str, Any]:
        names = ("treeids", "nodeids", "ids", "weights")
        return self.attributes | {
            f"{kind}_{name}": list(column) for name, column in zip(names, zip(*self.weights, strict=True), strict=True)
        }


def rows_of(random: np.random.Generator, *, missing: bool) -> NDArray[np.float32]:
    rows = random.choice(np.array(LEVELS, np.float32), size=(64, 1, WIDTH))
    if missing:
        rows[random.random(rows.shape) < 0.2] = np.nan
    return rows


def both(folder: Any, graph: bytes, outputs: int) -> Pair:
    info = bundle(folder / "bundle", graph, WIDTH, outputs)
    backend = OnnxBackend(warmup_runs=0)
    return Pair(info, FusedModel(backend.graph(info), info), backend.open(info))


@pytest.mark.parametrize("mode", [*MODES, "mixed"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_any_trees_answer_bit_for_bit_as_onnx_runtime_does(tmp_path: Any, mode: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    forest = Forest(random, outputs=2, mode=None if mode == "mixed" else mode)
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=2, **forest.of("target"))
    pair = both(tmp_path, model([node], shape=("n", WIDTH)), 2)
    rows = rows_of(random, missing=True)
    found = np.concatenate([np.array(pair.fused.predict(rows[k : k + 1])) for k in range(len(rows))])
    wanted = np.concatenate([np.array(pair.runtime.predict(rows[k : k + 1])) for k in range(len(rows))])
    assert found.tobytes() == (wanted + np.float32(0)).tobytes()  # there -0 may stand where nothing was added


CLASSIFIED = [
    (labels, transform, base)
    for labels in (2, 3)
    for transform in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")
    for base in (False, True)
    if not (labels == 2 and base)
]


@pytest.mark.parametrize(("labels", "transform", "base"), CLASSIFIED)
def test_scores_of_classes_are_made_as_onnx_runtime_makes_them(
    opened: Opened, labels: int, transform: str, *, base: bool
) -> None:
    random = np.random.default_rng(labels)
    forest = Forest(random, outputs=labels, mode=None)
    more = {"base_values": [0.1 * k for k in range(labels)]} if base else {}
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "y"],
        domain=ML,
        classlabels_int64s=list(range(labels)),
        post_transform=transform,
        **forest.of("class"),
        **more,
    )
    assert opened(model([node], shape=("n", WIDTH)), WIDTH, labels).apart(rows_of(random, missing=False)) < 1e-6


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("base", [True, False])
def test_one_score_of_two_classes_is_made_two_as_onnx_runtime_does(
    opened: Opened, transform: str, *, positive: bool, base: bool
) -> None:
    random = np.random.default_rng(8)
    forest = Forest(random, outputs=1, mode="BRANCH_LEQ")
    if positive:
        forest.weights = [(tree, node, 0, abs(weight)) for tree, node, _, weight in forest.weights]
    more = {"base_values": [0.25]} if base else {}
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "y"],
        domain=ML,
        classlabels_int64s=[0, 1],
        post_transform=transform,
        **forest.of("class"),
        **more,
    )
    assert opened(model([node], shape=("n", WIDTH)), WIDTH, 2).apart(rows_of(random, missing=False)) < 1e-6


def test_an_average_of_trees_with_a_base_is_what_onnx_runtime_makes_it(opened: Opened) -> None:
    random = np.random.default_rng(4)
    forest = Forest(random, outputs=1, mode="BRANCH_LT")
    more = {"aggregate_function": "AVERAGE", "base_values": [0.5], "n_targets": 1}
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, **forest.of("target"), **more)
    assert opened(model([node], shape=("n", WIDTH)), WIDTH, 1).apart(rows_of(random, missing=False)) < 1e-6


def stump(**changes: Any) -> dict[str, Any]:
    return {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_featureids": [1, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
    } | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes_featureids": [7, 0, 0]}, "reads number 7 of a row of 3"),
        ({"nodes_values": [float("nan"), 0.0, 0.0]}, "compares with nan"),
        ({"nodes_modes": ["BRANCH_MEMBER", "LEAF", "LEAF"]}, "branch mode BRANCH_MEMBER"),
        ({"nodes_truenodeids": [0, 0, 0]}, "leads back to itself"),
        ({"nodes_truenodeids": [9, 0, 0]}, "leads to a node 9 that is not there"),
    ],
)
def test_a_tree_that_cannot_be_walked_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lay_out(stump(**changes), {(0, 1): [(0, 1.0)], (0, 2): [(0, 2.0)]}, 1, WIDTH)


def test_two_classes_of_which_one_may_stay_without_a_score_are_refused(tmp_path: Any) -> None:
    weights = {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 1], "class_weights": [0.3, 0.6]}
    node = helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "y"], name="wood", domain=ML, classlabels_int64s=[0, 1], **stump(), **weights
    )
    with pytest.raises(BundleError, match=r"TreeEnsembleClassifier \(node 'wood'\).*without a score"):
        both(tmp_path, model([node], shape=("n", WIDTH)), 2)
