"""ONNX Runtime as a model backend: checks the graph against the bundle, and opens it for the CPU. Runs once per model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from vtframe.api import BundleError, BundleInfo, Graph, Model, ModelBackend
from vtframe_onnx.graph import read_graph
from vtframe_onnx.model import OnnxModel

_SILENT = 4  # onnxruntime's FATAL: what goes wrong is raised, and told once
_TYPES = {"float32": "tensor(float)", "float64": "tensor(double)"}


class OnnxBackend(ModelBackend):
    """Opens ``.onnx`` files with ONNX Runtime's CPU provider."""

    name = "onnx"
    suffixes: ClassVar[tuple[str, ...]] = (".onnx",)

    intra_op_threads: Annotated[int, Meta(ge=1)] = 1
    inter_op_threads: Annotated[int, Meta(ge=1)] = 1
    warmup_runs: Annotated[int, Meta(ge=0)] = 50

    def open(self, bundle: BundleInfo) -> Model:
        path = bundle.path / bundle.file
        session = self._session(path)
        shape = _input_shape(session, bundle, path)
        output = _output_name(session, bundle, path)
        model = OnnxModel(session, bundle, shape=shape, output=output)
        _probe(model, bundle, path)
        probe = np.zeros((1, bundle.window, len(bundle.columns)), bundle.dtype)
        for _ in range(self.warmup_runs):
            model.predict(probe)
        return model

    def graph(self, bundle: BundleInfo) -> Graph:
        return read_graph(bundle)

    def _session(self, path: Path) -> Any:
        import onnxruntime  # noqa: PLC0415 - heavy: 0.2 s, only for sessions that open a model

        if path.suffix.lower() not in self.suffixes:
            hint = 'name the .onnx file in "file", or another backend in "backend"'
            raise BundleError(str(path), f"found a {path.suffix or 'nameless'} file, the onnx backend reads .onnx", hint)
        onnxruntime.set_default_logger_severity(_SILENT)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _SILENT
        options.intra_op_num_threads = self.intra_op_threads
        options.inter_op_num_threads = self.inter_op_threads
        parallel = self.inter_op_threads > 1
        mode = onnxruntime.ExecutionMode
        options.execution_mode = mode.ORT_PARALLEL if parallel else mode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        try:
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as e:  # noqa: BLE001 - onnxruntime's own exceptions share no public base class
            problem = f"ONNX Runtime {onnxruntime.__version__} cannot open it: {_one_line(e)}"
            raise BundleError(str(path), problem, "export the model again; a bundle's .onnx file must load by itself") from None


def _input_shape(session: Any, bundle: BundleInfo, path: Path) -> tuple[int, ...]:
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


def _output_name(session: Any, bundle: BundleInfo, path: Path) -> str:
    outputs = session.get_outputs()
    if len(outputs) != 1:
        names = ", ".join(node.name for node in outputs)
        hint = "keep the class probabilities only (scikit-learn: zipmap off, the label output removed)"
        raise BundleError(str(path), f"found {len(outputs)} outputs ({names}), expected 1", hint)
    node = outputs[0]
    count = len(bundle.classes)
    found = f"{node.type} of shape {_shape(node.shape)}"
    problem = f"output {node.name!r}: found {found}, expected tensor(float) of shape (batch, {count})"
    fits = len(node.shape) == 2 and _fits(node.shape[0], 1) and _fits(node.shape[1], count)
    if node.type != "tensor(float)" or (node.shape and not fits):
        raise BundleError(str(path), problem, f"one number per class: {', '.join(bundle.classes)}")
    return str(node.name)


def _probe(model: OnnxModel, bundle: BundleInfo, path: Path) -> None:
    """Run one row of zeros: what the graph does not state about its output shows here."""
    row = np.zeros((1, bundle.window, len(bundle.columns)), bundle.dtype)
    try:
        found = model.unbound(row).shape
    except Exception as e:  # noqa: BLE001 - onnxruntime's own exceptions share no public base class
        raise BundleError(str(path), f"fails on a row of zeros: {_one_line(e)}", "export the model again") from None
    expected = (1, len(bundle.classes))
    if found != expected:
        problem = f"answers one row with shape {_shape(found)}, expected {_shape(expected)}"
        raise BundleError(str(path), problem, f"one number per class: {', '.join(bundle.classes)}")


def _fits(found: Any, wanted: int) -> bool:
    """A dimension that is free (a name, or unknown) takes any length."""
    return not isinstance(found, int) or found == wanted


def _shape(shape: Any) -> str:
    return "(" + ", ".join("?" if part is None else str(part) for part in shape) + ("," if len(shape) == 1 else "") + ")"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
