"""torch as a model backend: TorchScript frozen and optimized, torch.export as saved. Checks shapes; runs once per model."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from vtframe.api import BundleError, BundleInfo, Model, ModelBackend, calibrated
from vtframe_torch.archive import kind_of
from vtframe_torch.example import write_example
from vtframe_torch.model import TorchModel
from vtframe_torch.threads import ThreadCount


class TorchBackend(ModelBackend):
    """Opens TorchScript (``.pt``, ``.ts``) and torch.export (``.pt2``) files with PyTorch, on the CPU or a CUDA device.

    The module takes ``(batch, window, features)``, or ``(batch, 1, window, features)``, or ``(batch, window * features)``,
    and answers ``(batch, outputs)``, or one such tensor per head.
    """

    name = "torch"
    suffixes: ClassVar[tuple[str, ...]] = (".pt", ".ts", ".pt2")
    thread_setting: ClassVar[str] = "threads"

    threads: Annotated[int, Meta(ge=1)] = 1
    device: Annotated[str, Meta(pattern=r"^(cpu|cuda(:[0-9]+)?)$")] = "cpu"
    fallback: bool = False  # use the CPU where the device is missing, instead of refusing to open
    warmup_runs: Annotated[int, Meta(ge=0)] = 10

    @classmethod
    def example(cls, folder: Path, *, window: int, columns: int) -> Path | None:
        return write_example(folder, window=window, columns=columns)

    @classmethod
    def runtimes(cls) -> Mapping[str, Mapping[str, Any]]:
        import torch  # noqa: PLC0415 - heavy

        return {"cuda": {"device": "cuda"}} if torch.cuda.is_available() else {}

    def open(self, bundle: BundleInfo) -> Model:
        path = bundle.path / bundle.file
        if path.suffix.lower() not in self.suffixes:
            hint = 'name the .pt or .pt2 file in "file", or another backend in "backend"'
            raise BundleError(
                str(path), f"found a {path.suffix or 'nameless'} file, the torch backend reads .pt, .ts, .pt2", hint
            )
        kind = kind_of(path, trusted=bundle.trusted)
        threads = ThreadCount(self.threads, str(path))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch deprecates what it reads; it is ours to follow
                device = self._device(path)
                module = _script(path, device) if kind == "torchscript" else _exported(path, device)
                tail, dtype = _reads(module, bundle, device, path)
                model = TorchModel(module, bundle, tail=tail, dtype=dtype, device=device, threads=threads)
                _probe(model, bundle, path)
                row = np.zeros((1, bundle.window, len(bundle.columns)), bundle.dtype)
                for _ in range(self.warmup_runs):
                    model.predict(row)
        except BaseException:
            threads.release()
            raise
        return calibrated(model, bundle)

    def _device(self, path: Path) -> str:
        import torch  # noqa: PLC0415 - heavy: a second, only for sessions that open a model

        if self.device == "cpu" or torch.cuda.is_available():
            return self.device
        if self.fallback:
            return "cpu"
        problem = f"is to run on {self.device}, and this torch ({torch.__version__}) finds no CUDA device"
        raise BundleError(str(path), problem, 'say device = "cpu", or fallback = true')


def _script(path: Path, device: str) -> Any:
    """A TorchScript module, frozen: its weights are constants, and what follows from them is computed once."""
    import torch  # noqa: PLC0415

    jit: Any = torch.jit
    try:
        loaded = jit.load(str(path), map_location=device).eval()
        return jit.optimize_for_inference(jit.freeze(loaded))
    except Exception as e:  # noqa: BLE001 - torch raises what it likes for a damaged file
        raise BundleError(str(path), f"torch {torch.__version__} cannot open it: {_one_line(e)}", "export it again") from None


def _exported(path: Path, device: str) -> Any:
    import torch  # noqa: PLC0415

    try:
        module = torch.export.load(str(path)).module()
        return module.to(device) if device != "cpu" else module
    except Exception as e:  # noqa: BLE001 - as above
        raise BundleError(str(path), f"torch {torch.__version__} cannot open it: {_one_line(e)}", "export it again") from None


def _reads(module: Callable[[Any], Any], bundle: BundleInfo, device: str, path: Path) -> tuple[tuple[int, ...], str]:
    """The shape that one row's window takes, and its number type: the first that the module accepts; only a run tells."""
    import torch  # noqa: PLC0415

    window, width = bundle.window, len(bundle.columns)
    choices = [(window, width), (1, window, width)] if window > 1 else [(width,), (1, width), (1, 1, width)]
    if window > 1:
        choices.append((window * width,))
    failures = []
    dtypes = dict.fromkeys((bundle.dtype, "float32"))
    for tail, dtype in itertools.product(choices, dtypes):
        rows = torch.zeros((2, *tail), dtype=getattr(torch, dtype), device=device)
        try:
            with torch.inference_mode():
                answer = module(rows)
        except Exception as e:  # noqa: BLE001 - a module that reads another shape
            failures.append(f"({', '.join(map(str, ('n', *tail)))}): {_one_line(e)}")
            continue
        parts = answer if isinstance(answer, (tuple, list)) else (answer,)
        if all(len(part) == 2 for part in parts):
            return tail, dtype
        failures.append(f"({', '.join(map(str, ('n', *tail)))}): two rows got {len(parts[0])} answers")
    problem = f"answers no window of {window} row(s) of {width} features: {failures[0]}"
    raise BundleError(str(path), problem, "the features in bundle.toml must be the ones that the module was made for")


def _probe(model: TorchModel, bundle: BundleInfo, path: Path) -> None:
    """What a module answers, and whether it leaves its input alone, is known only when it has answered."""
    for count in (1, 2):
        rows = np.linspace(-1, 1, count * bundle.window * len(bundle.columns), dtype=bundle.dtype)
        rows = rows.reshape(count, bundle.window, len(bundle.columns))
        kept = rows.copy()
        try:
            found = model.ask(rows).shape
        except Exception as e:  # noqa: BLE001 - torch raises what it likes
            raise BundleError(str(path), f"fails on {count} row(s): {_one_line(e)}", "export it again") from None
        if rows.tobytes() != kept.tobytes():
            problem = "writes into its input, which is the ring that everybody reads"
            raise BundleError(str(path), problem, "use operations that make new tensors in the module's first layer")
        if found != (count, len(bundle.classes)):
            problem = f"answers {count} row(s) with shape {tuple(found)}, expected ({count}, {len(bundle.classes)})"
            raise BundleError(str(path), problem, f"one number per output: {', '.join(bundle.classes)}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[-200:]
