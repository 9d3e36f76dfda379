"""Whether a graph's inputs and outputs are the bundle's; raises BundleError with what was found and what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vtframe.api import BundleError, BundleInfo
from vtframe_onnx.model import OnnxModel

_TYPES = {"float32": "tensor(float)", "float64": "tensor(double)"}


def input_shape(session: Any, bundle: BundleInfo, path: Path) -> tuple[int, ...]:
    """The graph's input shape for one row, its batch dimension included."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(node.name for node in inputs)
        raise BundleError(str(path), f"found {len(inputs)} inputs ({names}), expected 1", "join them in the graph")
    node = inputs[0]
    expected_type = _TYPES[bundle.dtype]
    if node.type != expected_type:
        problem = (
            f"input {node.name!r}: found {node.type}, expected {expected_type} (bundle.toml says dtype = {bundle.dtype!r})"
        )
        raise BundleError(str(path), problem, "cast in the graph, or state the dtype that the graph reads")
    window, width = bundle.window, len(bundle.columns)
    found = list(node.shape)
    choices = [(window * width,), (window, width), (1, window, width)]
    for choice in choices:
        if len(found) == 1 + len(choice) and all(_fits(have, want) for have, want in zip(found, (1, *choice), strict=True)):
            return (1, *choice)
    expected = f"(batch, {window * width})" if window == 1 else f"(batch, {window * width}) or (batch, {window}, {width})"
    problem = f"input {node.name!r}: found shape {_shape(found)}, expected {expected}: {window} row(s) of {width} features"
    raise BundleError(str(path), problem, "the features in bundle.toml must be the ones that the graph was exported with")


def output_names(session: Any, bundle: BundleInfo, path: Path) -> list[str]:
    """The graph's outputs in the order of the heads: its only one, or those that the heads are named after."""
    outputs, heads = session.get_outputs(), bundle.output_heads
    names = [node.name for node in outputs]
    if len(heads) == 1 and len(outputs) == 1:
        chosen = outputs
    elif len(heads) == len(outputs) and {head.name for head in heads} == set(names):
        chosen = [outputs[names.index(head.name)] for head in heads]
    else:
        hint = "keep the class probabilities only (scikit-learn: zipmap off, the label output removed)"
        expected = "1" if len(heads) == 1 else f"the heads {', '.join(head.name for head in heads)}"
        raise BundleError(str(path), f"found {len(outputs)} outputs ({', '.join(names)}), expected {expected}", hint)
    for node, head in zip(chosen, heads, strict=True):
        count = len(head.outputs)
        found = f"{node.type} of shape {_shape(node.shape)}"
        problem = f"output {node.name!r}: found {found}, expected tensor(float) of shape (batch, {count})"
        fits = len(node.shape) == 2 and _fits(node.shape[0], 1) and _fits(node.shape[1], count)
        if node.type != "tensor(float)" or (node.shape and not fits):
            each = "class" if head.kind == "classification" else "output"
            raise BundleError(str(path), problem, f"one number per {each}: {', '.join(head.outputs)}")
    return [node.name for node in chosen]


def check_answer(model: OnnxModel, bundle: BundleInfo, path: Path) -> None:
    """Run one row of zeros: what the graph does not state about its output shows here."""
    row = np.zeros((1, bundle.window, len(bundle.columns)), bundle.dtype)
    try:
        found = model.unbound(row).shape
    except Exception as e:  # noqa: BLE001 - onnxruntime's own exceptions share no public base class
        raise BundleError(str(path), f"fails on a row of zeros: {one_line(e)}", "export the model again") from None
    expected = (1, len(bundle.classes))
    if found != expected:
        problem = f"answers one row with shape {_shape(found)}, expected {_shape(expected)}"
        raise BundleError(str(path), problem, f"one number per class: {', '.join(bundle.classes)}")


def one_line(error: Exception) -> str:
    """An error's text without its line breaks."""
    return " ".join(str(error).split())[:300]


def _fits(found: Any, wanted: int) -> bool:
    """A dimension that is free (a name, or unknown) takes any length."""
    return not isinstance(found, int) or found == wanted


def _shape(shape: Any) -> str:
    return "(" + ", ".join("?" if part is None else str(part) for part in shape) + ("," if len(shape) == 1 else "") + ")"
