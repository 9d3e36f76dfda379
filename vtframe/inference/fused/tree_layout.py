"""Lays an ensemble of trees out for the walk: every kind of branch becomes "left where x <= threshold"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.inference.fused.tree_kernel import NAN_LEFT, NODE

MAX_NODES = 1_000_000
_LEAF = "LEAF"
_ORDERED = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"}
_MODES = {_LEAF, "BRANCH_EQ", "BRANCH_NEQ", *_ORDERED}


class Forest(NamedTuple):
    """An ensemble as the kernel walks it: arrays for ``tree_kernel.trees``."""

    nodes: NDArray[Any]  # NODE
    roots: NDArray[np.uint32]  # (trees, 2): first node, depth
    leaves: NDArray[np.float32]  # (leaves, outputs)
    missing: bool  # whether a node sends nan left


class Branch(NamedTuple):
    """One node as ONNX states it."""

    mode: str
    feature: int
    threshold: np.float32
    true: tuple[int, int]  # (tree, node)
    false: tuple[int, int]
    missing_true: bool


Key = tuple[int, int]


def lay_out(
    attributes: Mapping[str, Any], weights: Mapping[Key, Sequence[tuple[int, float]]], outputs: int, width: int
) -> Forest:
    """The forest of a TreeEnsemble's ``nodes_*`` attributes, on rows of ``width`` numbers; ``weights`` are each leaf's, by
    (tree, node): (output, number). Raises ValueError, in words, for what cannot be."""
    branches, order = _branches(attributes, width)
    return _Layout(branches, weights, outputs).forest(order)


def _branches(attributes: Mapping[str, Any], width: int) -> tuple[dict[Key, Branch], list[Key]]:
    modes: Sequence[str] = attributes["nodes_modes"]
    if len(modes) > MAX_NODES:
        raise ValueError(f"its trees have {len(modes):,} nodes, {MAX_NODES:,} are the most")
    unknown = sorted(set(modes) - _MODES)
    if unknown:
        raise ValueError(f"branch mode {unknown[0]} is not known")
    trees, nodes = attributes["nodes_treeids"], attributes["nodes_nodeids"]
    thresholds = np.asarray(attributes["nodes_values"], np.float32)
    missing = attributes.get("nodes_missing_value_tracks_true") or (0,) * len(modes)
    found: dict[Key, Branch] = {}
    columns = zip(
        modes,
        trees,
        nodes,
        attributes["nodes_featureids"],
        thresholds,
        attributes["nodes_truenodeids"],
        attributes["nodes_falsenodeids"],
        missing,
        strict=True,
    )
    for mode, tree, node, feature, threshold, true, false, missing_true in columns:
        if mode != _LEAF:
            if not 0 <= feature < width:
                raise ValueError(f"node {node} of tree {tree} reads number {feature} of a row of {width}")
            if np.isnan(threshold):
                raise ValueError(f"node {node} of tree {tree} compares with nan")
        found[tree, node] = Branch(mode, feature, threshold, (tree, true), (tree, false), bool(missing_true))
    roots: dict[int, int] = {}
    for tree, node in zip(trees, nodes, strict=True):
        roots.setdefault(tree, node)
    return found, list(roots.items())


class _Layout:
    def __init__(self, branches: dict[Key, Branch], weights: Mapping[Key, Sequence[tuple[int, float]]], outputs: int) -> None:
        self._branches = branches
        self._weights = weights
        self._outputs = outputs
        self._nodes: list[tuple[float, int, int, int]] = []
        self._leaves: list[NDArray[np.float32]] = []
        self._missing = False

    def forest(self, order: Sequence[Key]) -> Forest:
        roots = []
        for key in order:
            first = len(self._nodes)
            roots.append((first, self._lay(key)))
        return Forest(
            nodes=np.array(self._nodes, NODE),
            roots=np.array(roots, np.uint32).reshape(-1, 2),
            leaves=np.array(self._leaves, np.float32).reshape(-1, self._outputs),
            missing=self._missing,
        )

    def _lay(self, root: Key) -> int:
        """Append one tree, parents before children, and return its depth. Every path to a node is walked: trees, not graphs."""
        first = len(self._nodes)
        self._nodes.append((0.0, 0, 0, 0))
        waiting = [(root, first, 0)]
        deepest = 0
        while waiting:
            key, place, depth = waiting.pop()
            if depth > 2 * len(self._branches) or len(self._nodes) > 4 * MAX_NODES:
                raise ValueError(f"tree {key[0]} has a node that leads back to itself")
            deepest = max(deepest, depth)
            branch = self._branches.get(key)
            if branch is None:
                raise ValueError(f"tree {key[0]} leads to a node {key[1]} that is not there")
            if branch.mode == _LEAF:
                self._nodes[place] = (np.nan, 0, len(self._leaves), place)
                self._leaves.append(self._row(key))
            elif branch.mode in _ORDERED:
                left, right = self._place(2)
                threshold, swapped = _as_leq(branch)
                self._set(place, branch, threshold, left, right, nan_left=branch.missing_true != swapped)
                waiting += [
                    (branch.false if swapped else branch.true, left, depth + 1),
                    (branch.true if swapped else branch.false, right, depth + 1),
                ]
            else:  # equal: x <= threshold, and not x <= the number before it
                second, out, below, equal = self._place(4)
                same, other = (branch.true, branch.false) if branch.mode == "BRANCH_EQ" else (branch.false, branch.true)
                nan_true = branch.missing_true or branch.mode == "BRANCH_NEQ"
                nan_equal = nan_true == (branch.mode == "BRANCH_EQ")  # nan takes the way of equal numbers
                self._set(place, branch, branch.threshold, second, out, nan_left=nan_equal)
                self._set(second, branch, _before(branch.threshold), below, equal, nan_left=False)
                waiting += [(other, out, depth + 1), (other, below, depth + 2), (same, equal, depth + 2)]
        return deepest

    def _place(self, count: int) -> range:
        first = len(self._nodes)
        self._nodes += [(0.0, 0, 0, 0)] * count
        return range(first, first + count)

    def _set(self, place: int, branch: Branch, threshold: Any, left: int, right: int, *, nan_left: bool) -> None:
        self._missing = self._missing or nan_left
        feature = branch.feature | int(NAN_LEFT) if nan_left else branch.feature
        self._nodes[place] = (float(threshold), feature, left, right)

    def _row(self, key: Key) -> NDArray[np.float32]:
        row = np.zeros(self._outputs, np.float32)
        for output, number in self._weights.get(key, ()):
            row[output] += np.float32(number)
        return row


def _as_leq(branch: Branch) -> tuple[Any, bool]:
    """A threshold for ``x <= threshold``, and whether the branch's true and false change places."""
    if branch.mode == "BRANCH_LEQ":
        return branch.threshold, False
    if branch.mode == "BRANCH_GT":
        return branch.threshold, True
    return _before(branch.threshold), branch.mode == "BRANCH_GTE"  # x < threshold


def _before(threshold: np.float32) -> Any:
    """The largest number under ``threshold``; nan, which nothing is under, for the lowest."""
    return np.float32(np.nan) if threshold == -np.inf else np.nextafter(threshold, np.float32(-np.inf))
