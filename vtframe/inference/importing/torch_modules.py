"""Originals of torch: TorchScript, torch.export, and modules that Python code makes. Runs in the importing process only."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.errors import InputError
from vtframe.inference.importing import graphs
from vtframe.inference.importing.job import Job, SourceHead
from vtframe.inference.importing.onnx_files import joined
from vtframe.inference.importing.original import Original, choose_columns, library, pick


def open_module(job: Job, *, window: int, dtype: str, rows: NDArray[Any], module: Any = None) -> Original:
    """Load the module (unless it is loaded already), find the shape that it reads, and what it answers."""
    torch = library("torch")
    torch.set_num_threads(1)
    module = module if module is not None else _load(torch, job)
    program = None
    if isinstance(module, torch.export.ExportedProgram):
        program, module = module, module.module()
    with contextlib.suppress(NotImplementedError):  # an exported program's: it is as it was exported
        module = module.eval()
    columns = choose_columns(job, None, None, window=window)
    tail, widths = _shape(torch, module, pick(job, columns, rows[:2]), str(job.source))

    def ask(given: NDArray[Any]) -> NDArray[np.float64]:
        parts = []
        with torch.inference_mode():
            for k in range(0, len(given), 512):
                answer = module(torch.from_numpy(_float32(given[k : k + 512]).reshape(-1, *tail)))
                heads = answer if isinstance(answer, (tuple, list)) else (answer,)
                parts.append([head.to(torch.float64).numpy().reshape(len(head), -1) for head in heads])
        together = [np.concatenate([part[k] for part in parts]) for k in range(len(widths))]
        return joined(together, softmax=job.softmax)

    def write(folder: Path) -> str:
        example = torch.from_numpy(_float32(pick(job, columns, rows[:2])).reshape(2, *tail))
        if program is not None and not job.softmax:
            return _write_program(torch, job, program, folder, widths=widths, dtype=dtype)
        return _write(torch, job, module, example, folder, widths=widths, dtype=dtype)

    names = [f"head{k + 1}" for k in range(len(widths))]
    if job.form == "onnx":
        names = [f"{name}_out" for name in names]
    return Original(
        ask=ask,
        write=write,
        columns=columns,
        heads=tuple(
            SourceHead(name=name, width=width, kind="classification" if job.softmax else "")
            for name, width in zip(names, widths, strict=True)
        ),
        backend="onnx" if job.form == "onnx" else "torch",
        versions=f"torch {torch.__version__}",
    )


def _float32(rows: NDArray[Any]) -> NDArray[np.float32]:
    """What modules are made for, whatever the rows are."""
    return np.ascontiguousarray(rows, np.float32)


def _load(torch: Any, job: Job) -> Any:
    path, kind = str(job.source.path), job.source.kind
    if kind == "torchscript":
        return torch.jit.load(path, map_location="cpu")
    if kind == "export":
        _refuse_pickles(job)
        return torch.export.load(path)
    if kind == "torch_pickle":
        sys.path.insert(0, str(job.source.path.resolve().parent))  # where the module's class may be
        loaded = torch.load(path, map_location="cpu", weights_only=False)  # only after --trust-pickle
        if isinstance(loaded, dict):
            raise InputError(path, "holds weights without their module", "name it: FILE.py:NAME --weights FILE.pt")
        return loaded
    module = _from_code(job)
    if job.weights is not None:
        try:
            module.load_state_dict(torch.load(job.weights, map_location="cpu", weights_only=True))
        except Exception as e:  # noqa: BLE001 - torch raises what it likes for weights that do not fit
            raise InputError(str(job.weights), f"are no weights of this module: {' '.join(str(e).split())[:300]}") from None
    return module


def _refuse_pickles(job: Job) -> None:
    """torch.export.load unpickles parts of some files; vtframe-torch knows which."""
    archive = library("vtframe_torch.archive", install="vtframe-torch")
    archive.kind_of(job.source.path, trusted=False)


def _from_code(job: Job) -> Any:
    """The module that a Python file calls by name: an instance, or what makes one without arguments."""
    where, path = str(job.source), job.source.path.resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(where, "cannot be imported")
    code = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = code
    spec.loader.exec_module(code)
    found = getattr(code, job.source.name, None)
    if found is None:
        raise InputError(where, f"the file has no {job.source.name!r}", "write FILE.py:NAME")
    module = found() if isinstance(found, type) or not hasattr(found, "state_dict") else found
    if not hasattr(module, "state_dict"):
        raise InputError(where, f"{job.source.name} is a {type(module).__name__}, no torch module", "name a torch.nn.Module")
    return module


def _shape(torch: Any, module: Any, rows: NDArray[Any], where: str) -> tuple[tuple[int, ...], list[int]]:
    """The shape that one window takes, and the width of every head: found by asking about two rows."""
    window, width = rows.shape[1:]
    choices = [(window, width), (1, window, width)] if window > 1 else [(width,), (1, width), (1, 1, width)]
    if window > 1:
        choices.append((window * width,))
    problems = []
    for tail in choices:
        try:
            with torch.inference_mode():
                answer = module(torch.from_numpy(_float32(rows).reshape(2, *tail).copy()))
        except Exception as e:  # noqa: BLE001 - a module that reads another shape
            problems.append(f"({', '.join(map(str, ('n', *tail)))}): {' '.join(str(e).split())[-160:]}")
            continue
        heads = answer if isinstance(answer, (tuple, list)) else (answer,)
        if all(len(head) == 2 for head in heads):
            return tail, [int(np.prod(head.shape[1:])) for head in heads]
        problems.append(f"({', '.join(map(str, ('n', *tail)))}): two rows got {len(heads[0])} answers")
    problem = f"answers no windows of {window} row(s) of {width} columns: {problems[0]}"
    raise InputError(where, problem, "say how many rows it sees with --window, and which columns with --columns")


def _write(torch: Any, job: Job, module: Any, example: Any, folder: Path, *, widths: list[int], dtype: str) -> str:
    wrapped = _with_softmax(torch, module) if job.softmax else module
    if job.form == "torchscript":
        if not isinstance(wrapped, torch.jit.ScriptModule):
            try:
                wrapped = torch.jit.script(wrapped)
            except Exception:  # noqa: BLE001 - what scripting does not understand, tracing may record; the check tells
                wrapped = torch.jit.trace(wrapped, example)
        torch.jit.save(wrapped, str(folder / "model.pt"))
        return "model.pt"
    program = torch.export.export(wrapped, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    return _write_program(torch, job, program, folder, widths=widths, dtype=dtype)


def _write_program(torch: Any, job: Job, program: Any, folder: Path, *, widths: list[int], dtype: str) -> str:
    if job.form == "pt2":
        torch.export.save(program, str(folder / "model.pt2"))
        return "model.pt2"
    names = [f"head{k + 1}" for k in range(len(widths))]
    library("onnxscript")
    made = torch.onnx.export(program, dynamo=True, verbose=False, input_names=["rows"], output_names=names)
    model = made.model_proto
    outputs = graphs.finish_outputs(model, names, softmax=False)
    graphs.cast_input(model, dtype)
    graphs.set_outputs(model, outputs, widths)
    graphs.save(model, folder / "model.onnx")
    return "model.onnx"


def _with_softmax(torch: Any, module: Any) -> Any:
    class WithSoftmax(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, rows: Any) -> Any:
            answer = self.module(rows)
            if isinstance(answer, (tuple, list)):
                return tuple(torch.softmax(part, 1) for part in answer)
            return torch.softmax(answer, 1)

    return WithSoftmax().eval()
