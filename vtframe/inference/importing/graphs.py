"""Changes to ONNX graphs: outputs chosen, input and outputs cast, a softmax behind. Runs in the importing process only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtframe.inference.importing.original import library

_ELEMENT = {"float32": 1, "float64": 11}  # TensorProto.FLOAT and DOUBLE
_LABEL = {6, 7, 8}  # int32, int64, string


def tensor_outputs(model: Any) -> list[str]:
    """The names of a graph's outputs that are numbers, not labels; of a ZipMap's dictionaries the tensor that it is made of."""
    makers = {name: node for node in model.graph.node for name in node.output}
    chosen = []
    for output in model.graph.output:
        maker = makers.get(output.name)
        if not output.type.HasField("tensor_type"):
            if maker is not None and maker.op_type == "ZipMap":
                chosen.append(maker.input[0])
        elif output.type.tensor_type.elem_type not in _LABEL:
            chosen.append(output.name)
    return chosen


def keep_outputs(model: Any, names: Sequence[str]) -> None:
    """Make ``names`` the graph's outputs, in this order, and drop what none of them needs."""
    helper = library("onnx").helper
    graph = model.graph
    typed = {value.name: value for value in (*graph.output, *graph.value_info)}
    outputs = [typed.get(name) or helper.make_empty_tensor_value_info(name) for name in names]
    makers = {name: node for node in graph.node for name in node.output}
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in makers:
            waiting += _inputs(makers[name])
    nodes = [node for node in graph.node if any(name in needed for name in node.output)]
    kept = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, values in (("node", nodes), ("initializer", kept), ("output", outputs)):
        del getattr(graph, field)[:]
        getattr(graph, field).extend(values)


def cast_input(model: Any, dtype: str) -> None:
    """Make the graph read ``dtype``: what it reads else is cast to first."""
    helper = library("onnx").helper
    node = model.graph.input[0]
    wanted, found = _ELEMENT[dtype], node.type.tensor_type.elem_type
    if found == wanted:
        return
    cast = f"{node.name}_as_read"
    for other in model.graph.node:
        for place, name in enumerate(other.input):
            if name == node.name:
                other.input[place] = cast
    model.graph.node.insert(0, helper.make_node("Cast", [node.name], [cast], to=found))
    node.type.tensor_type.elem_type = wanted


def round_tree_inputs(model: Any) -> None:
    """Round what trees read to float32, in a graph that computes in float64 before them."""
    onnx = library("onnx")
    trees = [node for node in model.graph.node if node.op_type.startswith("TreeEnsemble")]
    for k, tree in enumerate(trees):
        rounded = f"rounded{k}"
        cast = onnx.helper.make_node("Cast", [tree.input[0]], [rounded], to=onnx.TensorProto.FLOAT)
        tree.input[0] = rounded
        model.graph.node.insert(list(model.graph.node).index(tree), cast)


def finish_outputs(model: Any, names: Sequence[str], *, softmax: bool) -> list[str]:
    """Put a softmax behind each output where it is wanted, and a cast to float32; the names of what then comes out."""
    onnx = library("onnx")
    graph, finished = model.graph, []
    for name in names:
        last = name
        if softmax:
            graph.node.append(onnx.helper.make_node("Softmax", [last], [f"{name}_softmax"], axis=1))
            last = f"{name}_softmax"
        graph.node.append(onnx.helper.make_node("Cast", [last], [f"{name}_out"], to=onnx.TensorProto.FLOAT))
        finished.append(f"{name}_out")
    return finished


def set_outputs(model: Any, names: Sequence[str], widths: Sequence[int]) -> None:
    """State float32 outputs of (batch, width), and drop what only other outputs need."""
    onnx = library("onnx")
    infos = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", width])
        for name, width in zip(names, widths, strict=True)
    ]
    del model.graph.output[:]
    model.graph.output.extend(infos)
    keep_outputs(model, names)


def free_batch(model: Any) -> None:
    """A graph that was exported for one row is tried with any number; the check on rows tells whether it holds."""
    shape = model.graph.input[0].type.tensor_type.shape
    if shape.dim and shape.dim[0].dim_value == 1:
        shape.dim[0].dim_param = "batch"


def save(model: Any, path: Path) -> None:
    """The same graph always gives the same bytes."""
    versions = sorted(model.opset_import, key=lambda opset: str(opset.domain))  # converters list them in the order of a set
    del model.opset_import[:]
    model.opset_import.extend(versions)
    model.doc_string = ""
    del model.graph.value_info[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


def _inputs(node: Any) -> list[str]:
    """What a node reads, the graphs inside it (of If, Loop) included."""
    found = list(node.input)
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                found += _inputs(inner)
    return found
