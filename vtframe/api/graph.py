"""A model as a graph of operators and weights: what a backend states of it so that it can be compiled into the features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from numpy.typing import NDArray


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One operator, with ONNX's names, attributes and meaning. An input that is left out is an empty name."""

    operator: str  # "Gemm"
    name: str = ""  # of the node, for messages
    domain: str = ""  # "" is ai.onnx; "ai.onnx.ml"
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = {}  # int, float, str, tuple of those, or an array


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes in an order in which they can run, and the constant tensors that they read.

    ``shape`` is the input's for one row, its batch dimension (1) included; ``outputs`` are the graph's, of which a model has
    one that is used. ``opsets`` maps a domain to the version of its operators.
    """

    input: str
    shape: tuple[int, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    weights: Mapping[str, NDArray[Any]]
    opsets: Mapping[str, int]
