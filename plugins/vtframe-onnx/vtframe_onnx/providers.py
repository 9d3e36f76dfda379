"""Which of ONNX Runtime's execution providers a model runs on; one that is missing is an error, unless asked otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from vtframe.api import BundleError

Provider = Literal["cpu", "cuda", "tensorrt"]
_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_NEEDS = {
    "cuda": "install onnxruntime-gpu with its CUDA and cuDNN libraries",
    "tensorrt": "install onnxruntime-gpu and TensorRT",
}


def choose(
    onnxruntime: Any, providers: Sequence[Provider], *, device: int, fallback: bool, where: str
) -> list[str | tuple[str, dict[str, str]]]:
    """What to give to InferenceSession, most wanted first. The CPU always stands last: it runs what the others cannot.

    Raises BundleError where a provider is not built in, unless ``fallback`` says to go on with the others.
    """
    there = onnxruntime.get_available_providers()
    chosen: list[str | tuple[str, dict[str, str]]] = []
    for name in dict.fromkeys(providers):
        if name == "cpu":
            continue
        if _NAMES[name] in there:
            chosen.append((_NAMES[name], {"device_id": str(device)}))
        elif not fallback:
            raise missing(onnxruntime, name, where, f"has {', '.join(there)}")
    return [*chosen, _NAMES["cpu"]]


def is_built_in(onnxruntime: Any, name: Provider) -> bool:
    """Whether this ONNX Runtime has the provider; its libraries may still be missing."""
    return _NAMES[name] in onnxruntime.get_available_providers()


def check_used(onnxruntime: Any, session: Any, providers: Sequence[Provider], *, fallback: bool, where: str) -> None:
    """A provider that is built in may still fail to load its libraries: ONNX Runtime then leaves it out and goes on."""
    used = session.get_providers()
    for name in providers:
        if _NAMES[name] not in used and not fallback:
            raise missing(onnxruntime, name, where, f"could not load it, and would run on {', '.join(used)}")


def missing(onnxruntime: Any, name: Provider, where: str, found: str) -> BundleError:
    """The message for a provider that cannot be had."""
    problem = f"is to run on {name}, and this ONNX Runtime ({onnxruntime.__version__}) {found}"
    return BundleError(where, problem, f'{_NEEDS[name]}; or say providers = ["cpu"], or fallback = true')
