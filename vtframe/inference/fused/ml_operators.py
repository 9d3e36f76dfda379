"""Translates the operators of domain ai.onnx.ml: scalers, linear models and ensembles of trees.

Where ONNX leaves the scores of two classes open, they are made as ONNX Runtime makes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.inference.fused import elementwise, sums, tree_kernel
from vtframe.inference.fused.movement import array_feature_extractor, identity
from vtframe.inference.fused.operators import binary, imputer, multiply_matrices
from vtframe.inference.fused.translation import Tensor, Translation
from vtframe.inference.fused.tree_layout import Key, lay_out

Operator = Callable[[Translation], Any]
_NORMS = {"MAX": sums.normalize_max, "L1": sums.normalize_l1, "L2": sums.normalize_l2}


def scaler(t: Translation) -> Tensor:
    """``(x - offset) * scale``"""
    x = t.given(0)
    offset, scale = (_row(t, name, x.shape[-1]) for name in ("offset", "scale"))
    centered = binary(t, elementwise.subtract, np.subtract, x, offset)
    return binary(t, elementwise.multiply, np.multiply, centered, scale)


def normalizer(t: Translation) -> Tensor:
    x, norm = t.given(0), t.attribute("norm", "MAX")
    if norm not in _NORMS:
        raise t.refusal(f"norm {norm} is not known")
    return t.emit(_NORMS[norm], t.span(x), x.shape[-1], shape=x.shape)


def linear_regressor(t: Translation) -> Tensor:
    targets = t.attribute("targets", 1)
    return transformed(t, _linear(t, targets), t.attribute("post_transform", "NONE"))


def linear_classifier(t: Translation) -> tuple[None, Tensor]:
    labels = _labels(t)
    count = len(t.attribute("intercepts") or ()) or max(labels, 1)
    scores = _linear(t, count)
    transform = t.attribute("post_transform", "NONE")
    if count == 1 and labels == 2:
        return None, _second_class(t, scores, transform, positive=True)
    return None, transformed(t, scores, transform)


def _linear(t: Translation, count: int) -> Tensor:
    x = t.given(0)
    coefficients = np.asarray(t.attribute("coefficients"), np.float32)
    if coefficients.size != count * x.shape[-1]:
        raise t.refusal(f"it has {coefficients.size} coefficients for {count} outputs of {x.shape[-1]} columns")
    scores = multiply_matrices(t, x, Tensor(np.ascontiguousarray(coefficients.reshape(count, -1).T), constant=True))
    intercepts = t.attribute("intercepts")
    if not intercepts:
        return scores
    return binary(t, elementwise.add, np.add, scores, Tensor(np.asarray(intercepts, np.float32), constant=True))


def tree_regressor(t: Translation) -> Tensor:
    targets = t.attribute("n_targets", 1)
    scores = _trees(t, targets, "target")
    aggregate = t.attribute("aggregate_function", "SUM")
    if aggregate == "AVERAGE":
        trees = np.float32(len(set(t.attribute("nodes_treeids"))))
        scores = binary(t, elementwise.divide, np.divide, scores, Tensor(np.asarray(trees), constant=True))
    elif aggregate != "SUM":
        raise t.refusal(f"trees are aggregated by {aggregate}; SUM and AVERAGE are translated")
    return transformed(t, _based(t, scores, targets), t.attribute("post_transform", "NONE"))


def tree_classifier(t: Translation) -> tuple[None, Tensor]:
    labels, transform = _labels(t), t.attribute("post_transform", "NONE")
    named = set(t.attribute("class_ids"))
    weights = np.asarray(t.attribute("class_weights") or (), np.float32)
    if labels == 2 and t.attribute("base_values") and (named != {0} or len(t.attribute("base_values")) != 1):
        raise t.refusal("it has base values for the scores of two classes, which ONNX leaves open")
    if labels == 2 and named == {0}:  # one score for two classes
        scores = _based(t, _trees(t, 1, "class"), 1)
        return None, _second_class(t, scores, transform, positive=bool((weights >= 0).all()))
    if labels == 2 and not _always_scores(t, 1):
        raise t.refusal("a row may leave the second of two classes without a score, which ONNX leaves open")
    scores = _based(t, _trees(t, labels, "class"), labels)
    return None, transformed(t, scores, transform)


def _always_scores(t: Translation, output: int) -> bool:
    """Whether a tree has a weight for ``output`` in every leaf, so that every row has a score for it."""
    keys = zip(t.attribute("class_treeids"), t.attribute("class_nodeids"), t.attribute("class_ids"), strict=True)
    scoring = {(tree, node) for tree, node, one in keys if one == output}
    whole: dict[int, bool] = {}
    modes = zip(t.attribute("nodes_treeids"), t.attribute("nodes_nodeids"), t.attribute("nodes_modes"), strict=True)
    for tree, node, mode in modes:
        whole[tree] = whole.get(tree, True) and (mode != "LEAF" or (tree, node) in scoring)
    return any(whole.values())


def transformed(t: Translation, scores: Tensor, transform: str) -> Tensor:
    """After the scores: ``post_transform``."""
    shape, span = scores.shape, t.span(scores)
    if transform == "NONE":
        return scores
    if transform == "LOGISTIC":
        return t.emit(elementwise.sigmoid, span, shape=shape, operations=10 * shape[-1])
    if transform == "SOFTMAX":
        return t.emit(sums.softmax, span, shape[-1], shape=shape, operations=10 * shape[-1])
    if transform == "SOFTMAX_ZERO":
        return t.emit(sums.softmax_zero, span, shape[-1], shape=shape, operations=10 * shape[-1])
    if transform == "PROBIT":
        return t.emit(elementwise.probit, span, shape=shape, operations=50 * shape[-1])
    raise t.refusal(f"post_transform {transform} is not known")


def _second_class(t: Translation, score: Tensor, transform: str, *, positive: bool) -> Tensor:
    """Two outputs of one score: ``1 - s`` and ``s``; ``-s`` and ``s`` where weights of trees are of both signs."""
    if transform == "LOGISTIC":
        both = t.together(t.emit(elementwise.negative, t.span(score), shape=score.shape), score)
        joined = Tensor(np.concatenate([one.array for one in both], axis=-1), constant=False)
        return transformed(t, joined, transform)
    if transform == "PROBIT":
        raise t.refusal("PROBIT on one score of two classes is left open by ONNX")
    if positive:
        one = Tensor(np.ones(1, np.float32), constant=True)
        other = binary(t, elementwise.subtract, np.subtract, one, score)
    else:
        other = t.emit(elementwise.negative, t.span(score), shape=score.shape)
    return Tensor(np.concatenate([other.array, score.array], axis=-1), constant=False)


def _trees(t: Translation, outputs: int, kind: str) -> Tensor:
    """The ensemble's sums."""
    x = t.given(0)
    if x.shape[0] != 1 or len(x.shape) != 2:
        raise t.refusal(f"it reads shape {x.shape}, expected one row")
    if any(
        t.attribute(name) is not None
        for name in ("nodes_values_as_tensor", f"{kind}_weights_as_tensor", "base_values_as_tensor")
    ):
        raise t.refusal("it computes in float64")
    weights: dict[Key, list[tuple[int, float]]] = defaultdict(list)
    columns = (t.attribute(f"{kind}_{name}") or () for name in ("treeids", "nodeids", "ids", "weights"))
    for tree, node, output, weight in zip(*columns, strict=True):
        if not 0 <= output < outputs:
            raise t.refusal(f"node {node} of tree {tree} adds to output {output} of {outputs}")
        weights[tree, node].append((output, weight))
    try:
        forest = lay_out(t.node.attributes if t.node else {}, weights, outputs, x.shape[-1])
    except (ValueError, KeyError, TypeError) as e:
        raise t.refusal(str(e) if isinstance(e, ValueError) else f"its attributes are incomplete ({e})") from None
    t.forests.append(forest)
    function = tree_kernel.trees_with_missing if forest.missing else tree_kernel.trees
    operations = int(forest.roots[:, 1].sum()) * 2 + len(forest.roots) * outputs
    return t.emit(function, t.span(x), shape=(1, outputs), operations=operations, forest=len(t.forests) - 1)


def _based(t: Translation, scores: Tensor, outputs: int) -> Tensor:
    values = t.attribute("base_values")
    if not values:
        return scores
    if len(values) not in (1, outputs):
        raise t.refusal(f"it has {len(values)} base values for {outputs} outputs")
    base: NDArray[Any] = np.asarray(values, np.float32)
    return binary(t, elementwise.add, np.add, scores, Tensor(base, constant=True))


def _labels(t: Translation) -> int:
    """How many classes a classifier has."""
    for name in ("classlabels_ints", "classlabels_int64s", "classlabels_strings"):
        found = t.attribute(name)
        if found:
            return len(found)
    raise t.refusal("it names no classes")


def _row(t: Translation, name: str, width: int) -> Tensor:
    values = np.asarray(t.attribute(name) or (), np.float32)
    if values.size not in (1, width):
        raise t.refusal(f"its {name} has {values.size} numbers for {width} columns")
    return Tensor(values, constant=True)


OPERATORS: dict[str, Operator] = {
    "ArrayFeatureExtractor": array_feature_extractor,
    "Imputer": imputer,
    "LinearClassifier": linear_classifier,
    "LinearRegressor": linear_regressor,
    "Normalizer": normalizer,
    "Scaler": scaler,
    "TreeEnsembleClassifier": tree_classifier,
    "TreeEnsembleRegressor": tree_regressor,
    "ZipMap": identity,
}
