"""Reads an .onnx file into vtframe's own description of a graph. Imports neither onnx nor onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleError, BundleInfo, Graph, Node
from vtframe_onnx.protobuf import Message

_DTYPES = {
    1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8", 12: "<u4", 13: "<u8",
}  # fmt: skip
"""TensorProto.DataType to numpy, for the kinds that a graph of numbers has."""
_EXTERNAL = 1  # TensorProto.DataLocation
_AI_ONNX = "ai.onnx"  # an old name of the default domain


def read_graph(bundle: BundleInfo) -> Graph:
    """The graph in the bundle's .onnx file. Raises BundleError naming the file and what in it cannot be read."""
    path = bundle.path / bundle.file
    try:
        model = Message(path.read_bytes())
        return _graph(model, bundle)
    except OSError as e:
        raise BundleError(str(path), f"cannot be read: {e.strerror}") from None
    except (ValueError, UnicodeDecodeError) as e:
        raise BundleError(str(path), f"is not an ONNX graph that can be read: {e}", "export the model again") from None


def _graph(model: Message, bundle: BundleInfo) -> Graph:
    graph = model.message(7)
    weights = {}
    for tensor in graph.messages(5):
        weights[tensor.text(8)] = _tensor(tensor, bundle.path, bundle.files)
    if graph.has(15):
        raise ValueError("it has sparse weights")
    inputs = [value for value in graph.messages(11) if value.text(1) not in weights]  # old files list weights as inputs
    if len(inputs) != 1:
        raise ValueError(f"it has {len(inputs)} inputs, expected 1")
    opsets = {_domain(entry.text(1)): entry.integer(2) for entry in model.messages(8)}
    functions = {(_domain(function.text(10)), function.text(1)) for function in model.messages(25)}
    nodes = tuple(_node(node, bundle) for node in graph.messages(1))
    for node in nodes:
        if (node.domain, node.operator) in functions:
            raise ValueError(
                f"node {node.name!r} calls {node.operator}, a function of the file's own: export without functions"
            )
    return Graph(
        input=inputs[0].text(1),
        shape=_row_shape(inputs[0], bundle),
        outputs=tuple(value.text(1) for value in graph.messages(12)),
        nodes=nodes,
        weights=weights,
        opsets=opsets,
    )


def _row_shape(value: Message, bundle: BundleInfo) -> tuple[int, ...]:
    """The input's shape for one row: what the file leaves open is one row of the bundle's width."""
    tensor = value.message(2).message(1)
    found = [dim.integer(1) if dim.has(1) else None for dim in tensor.message(2).messages(1)]
    window, width = bundle.window, len(bundle.columns)
    for tail in ((window * width,), (window, width), (1, window, width)):
        choice = (1, *tail)
        if len(found) == len(choice) and all(have in (None, want) for have, want in zip(found, choice, strict=True)):
            return choice
    shape = "(" + ", ".join("?" if part is None else str(part) for part in found) + ")"
    raise ValueError(f"input {value.text(1)!r} has shape {shape}, which does not take {window} row(s) of {width} features")


def _node(node: Message, bundle: BundleInfo) -> Node:
    attributes = {attribute.text(1): _attribute(attribute, bundle) for attribute in node.messages(5)}
    return Node(
        operator=node.text(4),
        name=node.text(3),
        domain=_domain(node.text(7)),
        inputs=node.texts(1),
        outputs=node.texts(2),
        attributes=attributes,
    )


def _attribute(attribute: Message, bundle: BundleInfo) -> Any:
    kind = attribute.integer(20)  # AttributeProto.AttributeType
    if kind == 1:
        return (attribute.floats(2) or (0.0,))[-1]
    if kind == 2:
        return attribute.integer(3)
    if kind == 3:
        return attribute.text(4)
    if kind == 4:
        return _tensor(attribute.message(5), bundle.path, bundle.files)
    if kind == 6:
        return attribute.floats(7)
    if kind == 7:
        return attribute.integers(8)
    if kind == 8:
        return attribute.texts(9)
    return None  # a graph, a sparse tensor, a type: operators that have such are not translated


def _tensor(tensor: Message, folder: Path, files: dict[str, str]) -> NDArray[Any]:
    name, code = tensor.text(8), tensor.integer(2)
    if code not in _DTYPES:
        return np.empty(0, object)  # strings and the like: no operator that is translated reads them
    dtype = np.dtype(_DTYPES[code])
    dims = tensor.integers(1)
    if tensor.integer(14) == _EXTERNAL:
        flat = _outside(tensor, dtype, folder, files)
    elif tensor.has(9):
        flat = np.frombuffer(bytes(tensor.blocks(9)[-1]), dtype)
    elif code == 1:
        flat = np.array(tensor.floats(4), dtype)
    elif code == 11:
        flat = np.frombuffer(b"".join(tensor.blocks(10)), dtype)
    elif code == 7:
        flat = np.array(tensor.integers(7), dtype)
    elif code in (12, 13):
        flat = np.array(tensor.integers(11), np.int64).astype(dtype)
    elif code == 10:
        flat = np.array(tensor.integers(5), np.int64).astype(np.uint16).view(dtype)
    else:
        flat = np.array(tensor.integers(5), np.int64).astype(dtype)
    if flat.size != int(np.prod(dims, dtype=np.int64)):
        raise ValueError(f"weight {name!r} has {flat.size} numbers, its shape {dims} says otherwise")
    return flat.reshape(dims)


def _outside(tensor: Message, dtype: np.dtype[Any], folder: Path, files: dict[str, str]) -> NDArray[Any]:
    """Weights in a file beside the graph; only one that the bundle lists, and so has checked, is read."""
    said = {entry.text(1): entry.text(2) for entry in tensor.messages(13)}
    location = said.get("location", "")
    if location not in files:
        raise ValueError(f"weight {tensor.text(8)!r} lies in {location!r}, which the bundle does not list")
    data = (folder / location).read_bytes()
    offset = int(said.get("offset", 0))
    return np.frombuffer(data[offset : offset + int(said.get("length", len(data) - offset))], dtype)


def _domain(text: str) -> str:
    return "" if text == _AI_ONNX else text
