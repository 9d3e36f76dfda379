"""Turns a graph into a program for one row: follows what the outputs need, and refuses by name what cannot be compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vtframe.api import BundleError, BundleInfo, Graph, Node
from vtframe.errors import nearest
from vtframe.inference.fused import ml_operators, movement, operators
from vtframe.inference.fused.program import Program
from vtframe.inference.fused.translation import Tensor, Translation

_MOST_WAITING = 100_000
_DOMAINS: dict[str, dict[str, Any]] = {"": {**operators.OPERATORS, **movement.OPERATORS}, "ai.onnx.ml": ml_operators.OPERATORS}


def translate(graph: Graph, bundle: BundleInfo) -> Program:
    """The program for one window of ``bundle``'s rows.

    Raises BundleError naming the file, and the operator and node that cannot be compiled and why.
    """
    where = str(bundle.path / bundle.file)
    length = bundle.window * len(bundle.columns)
    if math.prod(graph.shape) != length or graph.shape[0] != 1:
        problem = (
            f"reads one row of shape {graph.shape}, the bundle states {bundle.window} row(s) of {len(bundle.columns)} columns"
        )
        raise BundleError(where, problem, "the features in bundle.toml must be the ones that the graph was exported with")
    t = Translation(where, length=length, shape=graph.shape, name=graph.input, wide=bundle.dtype == "float64")
    for name, array in graph.weights.items():
        t.tensors[name] = Tensor(array, constant=True)
    wanted = _wanted(graph, bundle, where)
    for node in _needed(graph, wanted, where):
        _step(t, graph, node)
    t.node = None
    made = [_output(t, name) for name in wanted]
    together = Tensor(np.concatenate([one.array.reshape(-1) for one in made]), constant=False)
    if together.array.size != len(bundle.classes):
        problem = f"answers one row with {together.array.size} number(s), expected {len(bundle.classes)}"
        raise BundleError(where, problem, f"one number per class: {', '.join(bundle.classes)}")
    return t.program(together)


def _wanted(graph: Graph, bundle: BundleInfo, where: str) -> list[str]:
    """The graph's outputs that are the bundle's, in order."""
    heads = bundle.output_heads
    if len(graph.outputs) == len(heads) == 1:
        return list(graph.outputs)
    names = [head.name for head in heads]
    for name in names:
        if name not in graph.outputs:
            hint = nearest(name, graph.outputs) or f"it has {', '.join(graph.outputs)}"
            raise BundleError(where, f"has no output {name!r}", hint)
    return names


def _needed(graph: Graph, wanted: Sequence[str], where: str) -> list[Node]:
    """The nodes that ``wanted`` depend on, each after those that it reads: what computes labels is left out."""
    makers = {name: node for node in graph.nodes for name in node.outputs if name}
    found: dict[int, Node] = {}
    waiting = [(makers[name], False) for name in wanted if name in makers]
    while waiting:
        node, read = waiting.pop()
        if id(node) in found:
            continue
        if read:
            found[id(node)] = node
        else:
            waiting.append((node, True))
            waiting += [(makers[name], False) for name in node.inputs if name in makers]
        if len(waiting) > _MOST_WAITING:
            raise BundleError(where, "its nodes read each other in a circle", "export the model again")
    return list(found.values())


def _step(t: Translation, graph: Graph, node: Node) -> None:
    t.node = node
    t.opset = graph.opsets.get(node.domain, 0)
    known = _DOMAINS.get(node.domain, {})
    if node.operator not in known:
        raise t.refusal(f"it is not among those that are translated{f' (domain {node.domain})' if node.domain else ''}")
    try:
        answer = known[node.operator](t)
    except (ValueError, TypeError, IndexError, AttributeError) as e:  # numpy's, of shapes and values that an export can hold
        raise t.refusal(f"its attributes and inputs do not go together: {e}") from None
    results = answer if isinstance(answer, tuple) else (answer,)
    for name, tensor in zip(node.outputs, results, strict=False):
        if tensor is not None:
            t.tensors[name] = tensor


def _output(t: Translation, name: str) -> Tensor:
    found = t.tensors.get(name)
    if found is None or found.constant:
        raise BundleError(
            t.where,
            f"output {name!r} is {'the same for every row' if found else 'not computed from numbers'}",
            "keep the output that holds the probabilities or values",
        )
    return found
