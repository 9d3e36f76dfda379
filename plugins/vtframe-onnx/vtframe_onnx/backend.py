"""ONNX Runtime as a model backend: opens a bundle's graph on the providers that are asked for. Runs once per model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from vtframe.api import BundleError, BundleInfo, Graph, Model, ModelBackend, calibrated
from vtframe_onnx.example import write_example
from vtframe_onnx.graph import read_graph
from vtframe_onnx.model import OnnxModel
from vtframe_onnx.providers import Provider, check_used, choose, is_built_in
from vtframe_onnx.shapes import check_answer, input_shape, one_line, output_names

_SILENT = 4  # onnxruntime's FATAL: what goes wrong is raised, and told once


class OnnxBackend(ModelBackend):
    """Opens ``.onnx`` files with ONNX Runtime, on the CPU or on the execution providers that are named."""

    name = "onnx"
    suffixes: ClassVar[tuple[str, ...]] = (".onnx",)
    thread_setting: ClassVar[str] = "intra_op_threads"

    intra_op_threads: Annotated[int, Meta(ge=1)] = 1
    inter_op_threads: Annotated[int, Meta(ge=1)] = 1
    warmup_runs: Annotated[int, Meta(ge=0)] = 50
    providers: tuple[Provider, ...] = ("cpu",)  # most wanted first; what one cannot run the next does, and the CPU the rest
    device: Annotated[int, Meta(ge=0)] = 0  # which GPU
    fallback: bool = False  # go on without a provider that is missing, instead of refusing to open

    @classmethod
    def example(cls, folder: Path, *, window: int, columns: int) -> Path | None:
        return write_example(folder, window=window, columns=columns)

    @classmethod
    def runtimes(cls) -> Mapping[str, Mapping[str, Any]]:
        import onnxruntime  # noqa: PLC0415 - heavy

        return {name: {"providers": (name,)} for name in ("cuda", "tensorrt") if is_built_in(onnxruntime, name)}

    def open(self, bundle: BundleInfo) -> Model:
        path = bundle.path / bundle.file
        session = self._session(path)
        shape = input_shape(session, bundle, path)
        model = OnnxModel(session, bundle, shape=shape, outputs=output_names(session, bundle, path))
        check_answer(model, bundle, path)
        probe = np.zeros((1, bundle.window, len(bundle.columns)), bundle.dtype)
        for _ in range(self.warmup_runs):
            model.predict(probe)
        return calibrated(model, bundle)

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
        providers = choose(onnxruntime, self.providers, device=self.device, fallback=self.fallback, where=str(path))
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as e:  # noqa: BLE001 - onnxruntime's own exceptions share no public base class
            problem = f"ONNX Runtime {onnxruntime.__version__} cannot open it: {one_line(e)}"
            raise BundleError(str(path), problem, "export the model again; a bundle's .onnx file must load by itself") from None
        check_used(onnxruntime, session, self.providers, fallback=self.fallback, where=str(path))
        return session
