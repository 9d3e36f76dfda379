"""Walks an ensemble of trees. Plain Python that is compiled.

Every tree is walked as many steps as it is deep: a leaf leads to itself. There is no branch to guess wrong, and the processor
walks several trees at once. Trees are summed in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.inference.fused.functions import ZERO

NODE = np.dtype([("threshold", "<f4"), ("feature", "<u4"), ("left", "<u4"), ("right", "<u4")])
"""Left where ``x[feature] <= threshold``. A leaf has threshold nan, right itself and left its row in the table of leaves.
nan goes right, or left where ``feature`` has NAN_LEFT."""
NAN_LEFT = np.uint32(1 << 31)
FEATURE = np.uint32((1 << 31) - 1)


def trees(x: Any, nodes: Any, roots: Any, leaves: Any, out: Any) -> None:
    """``nodes`` of NODE without NAN_LEFT; ``roots`` (trees, 2) of uint32: first node, depth; ``leaves`` (leaves, outputs)."""
    for k in range(len(out)):
        out[k] = ZERO
    for tree in range(len(roots)):
        at = roots[tree, 0]
        for _ in range(roots[tree, 1]):
            node = nodes[at]
            left, right = node["left"], node["right"]
            at = left if x[node["feature"]] <= node["threshold"] else right
        row = leaves[nodes[at]["left"]]
        for k in range(len(out)):
            out[k] += row[k]


def trees_with_missing(x: Any, nodes: Any, roots: Any, leaves: Any, out: Any) -> None:
    """The same where some nodes send nan left."""
    for k in range(len(out)):
        out[k] = ZERO
    for tree in range(len(roots)):
        at = roots[tree, 0]
        for _ in range(roots[tree, 1]):
            node = nodes[at]
            left, right, feature = node["left"], node["right"], node["feature"]
            value = x[feature & FEATURE]
            at = left if (value <= node["threshold"]) | ((value != value) & (feature >= NAN_LEFT)) else right  # noqa: PLR0124
        row = leaves[nodes[at]["left"]]
        for k in range(len(out)):
            out[k] += row[k]
