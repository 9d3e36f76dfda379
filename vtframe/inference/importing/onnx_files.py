"""Originals that are ONNX already: asked through onnxruntime's plain ``run``, kept with their number outputs only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.errors import InputError
from vtframe.inference.importing import graphs
from vtframe.inference.importing.job import Job, SourceHead
from vtframe.inference.importing.original import Original, choose_columns, library, pick


def open_onnx(job: Job, *, window: int, dtype: str, rows: NDArray[Any]) -> Original:
    """Raises InputError where the graph is not one of rows in, numbers out."""
    onnx, onnxruntime = library("onnx"), library("onnxruntime")
    where = str(job.source)
    model = onnx.load(str(job.source.path))
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [node for node in model.graph.input if node.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(node.name for node in inputs)
        raise InputError(where, f"found {len(inputs)} inputs ({names}), expected 1", "join them in the graph")
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    numbers = graphs.tensor_outputs(model)
    if not numbers:
        raise InputError(where, "answers labels only", "export the probabilities as well")
    dims = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    width = int(np.prod(dims[1:])) if dims[1:] and all(dims[1:]) else None
    columns = choose_columns(job, None, width, window=window)
    reads = {1: np.float32, 11: np.float64}.get(inputs[0].type.tensor_type.elem_type)
    if reads is None:
        raise InputError(where, f"input {inputs[0].name!r} is not of float or double numbers", "cast inside the graph")
    tail = {2: (window * len(columns),), 3: (window, len(columns)), 4: (1, window, len(columns))}.get(len(dims))
    if tail is None:
        raise InputError(
            where, f"input {inputs[0].name!r} has {len(dims)} dimensions, expected 2, 3 or 4", "reshape inside the graph"
        )

    plain = _with_outputs(model, numbers)
    session = onnxruntime.InferenceSession(plain, providers=["CPUExecutionProvider"])

    def ask(given: NDArray[Any]) -> NDArray[np.float64]:
        shaped = given.astype(reads).reshape(len(given), *tail)
        steps = [shaped[k : k + 1] for k in range(len(shaped))] if dims[0] == 1 else [shaped]
        answers = [session.run(numbers, {inputs[0].name: step}) for step in steps]
        heads = [np.concatenate([np.asarray(answer[k], np.float64) for answer in answers]) for k in range(len(numbers))]
        return joined(heads, softmax=job.softmax)

    widths = _widths(
        session.run(numbers, {inputs[0].name: pick(job, columns, rows[:1]).astype(reads).reshape(1, *tail)}), where
    )

    def write(folder: Path) -> str:
        graphs.cast_input(model, dtype)
        outputs = graphs.finish_outputs(model, numbers, softmax=job.softmax)
        graphs.set_outputs(model, outputs, widths)
        graphs.free_batch(model)
        graphs.save(model, folder / "model.onnx")
        return "model.onnx"

    return Original(
        ask=ask,
        write=write,
        columns=columns,
        heads=tuple(SourceHead(name=f"{name}_out", width=width) for name, width in zip(numbers, widths, strict=True)),
        backend="onnx",
        versions=f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}",
    )


def joined(heads: list[NDArray[np.float64]], *, softmax: bool) -> NDArray[np.float64]:
    """Heads side by side, each through a softmax where it is wanted."""
    if softmax:
        heads = [np.exp(head - head.max(axis=1, keepdims=True)) for head in heads]
        heads = [head / head.sum(axis=1, keepdims=True) for head in heads]
    return np.concatenate(heads, axis=1)


def graph_original(
    job: Job,
    model: Any,
    *,
    ask: Callable[[NDArray[Any]], NDArray[np.float64]],
    columns: tuple[str, ...],
    heads: tuple[SourceHead, ...],
    dtype: str,
    versions: str,
) -> Original:
    """An original of another library that a converter has made a graph of; its number outputs are the heads, in order."""
    numbers = graphs.tensor_outputs(model)
    if len(numbers) != len(heads):
        problem = f"its converter made {len(numbers)} outputs ({', '.join(numbers)}) of {len(heads)} head(s)"
        raise InputError(str(job.source), problem, "export it to ONNX yourself")

    def write(folder: Path) -> str:
        graphs.cast_input(model, dtype)
        outputs = graphs.finish_outputs(model, numbers, softmax=False)
        graphs.set_outputs(model, outputs, [head.width for head in heads])
        graphs.save(model, folder / "model.onnx")
        return "model.onnx"

    named = tuple(
        SourceHead(name=f"{name}_out", width=head.width, kind=head.kind, classes=head.classes)
        for name, head in zip(numbers, heads, strict=True)
    )
    return Original(ask=ask, write=write, columns=columns, heads=named, backend="onnx", versions=versions)


def _with_outputs(model: Any, names: list[str]) -> bytes:
    """The original graph with ``names`` among its outputs, for asking it."""
    onnx = library("onnx")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graphs.keep_outputs(copy, names)
    return bytes(copy.SerializeToString())


def _widths(answers: list[Any], where: str) -> list[int]:
    for answer in answers:
        if np.ndim(answer) != 2:
            raise InputError(
                where, f"answers one row with shape {np.shape(answer)}, expected (1, outputs)", "reshape in the graph"
            )
    return [int(np.shape(answer)[1]) for answer in answers]
