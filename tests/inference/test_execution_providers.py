"""Execution providers of ONNX Runtime: one that is missing, or cannot load, is an error; nothing falls back unasked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from vtframe_onnx import OnnxBackend
from vtframe_onnx.providers import check_used, choose, is_built_in

from vtframe.api import BundleError, BundleInfo

Tiny = Callable[..., BundleInfo]
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


def runtime(*there: str) -> Any:
    return SimpleNamespace(get_available_providers=lambda: list(there), __version__="9.9")


def session(*used: str) -> Any:
    return SimpleNamespace(get_providers=lambda: list(used))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("cpu",), [CPU]),
        (("cuda",), [(CUDA, {"device_id": "1"}), CPU]),
        (("tensorrt", "cuda"), [(TENSORRT, {"device_id": "1"}), (CUDA, {"device_id": "1"}), CPU]),
        (("cpu", "cuda"), [(CUDA, {"device_id": "1"}), CPU]),
    ],
)
def test_providers_are_given_in_the_order_that_was_asked_for_and_the_cpu_last(wanted: Any, expected: Sequence[Any]) -> None:
    found = choose(runtime(TENSORRT, CUDA, CPU), wanted, device=1, fallback=False, where="model.onnx")
    assert found == expected


def test_a_provider_that_is_not_built_in_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(
        BundleError, match=r"model.onnx: is to run on tensorrt, and this ONNX Runtime \(9.9\) has CUDAEx"
    ) as caught:
        choose(runtime(CUDA, CPU), ("tensorrt", "cuda"), device=0, fallback=False, where="model.onnx")
    assert 'install onnxruntime-gpu and TensorRT; or say providers = ["cpu"], or fallback = true' in str(caught.value)
    chosen = choose(runtime(CUDA, CPU), ("tensorrt", "cuda"), device=0, fallback=True, where="model.onnx")
    assert chosen == [(CUDA, {"device_id": "0"}), CPU]


def test_a_provider_that_onnx_runtime_dropped_by_itself_is_an_error_too() -> None:
    with pytest.raises(BundleError, match="could not load it, and would run on CPUExecutionProvider"):
        check_used(runtime(CUDA, CPU), session(CPU), ("cuda",), fallback=False, where="model.onnx")
    check_used(runtime(CUDA, CPU), session(CPU), ("cuda",), fallback=True, where="model.onnx")
    check_used(runtime(CUDA, CPU), session(CUDA, CPU), ("cuda",), fallback=False, where="model.onnx")


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_on_this_machine_a_backend_runs_where_it_was_told_or_says_why_not(tiny: Tiny, provider: Any) -> None:
    backend = OnnxBackend(providers=(provider,))
    assert (provider in OnnxBackend.runtimes()) is is_built_in(onnxruntime, provider)
    if not is_built_in(onnxruntime, provider):
        with pytest.raises(BundleError, match=f"is to run on {provider}"):
            backend.open(tiny())
        backend = OnnxBackend(providers=(provider,), fallback=True)
    rows = np.random.default_rng(0).normal(size=(5, 1, 4)).astype(np.float32)
    bundle = tiny(name="again")
    np.testing.assert_allclose(
        backend.open(bundle).predict(rows), OnnxBackend().open(bundle).predict(rows), atol=1e-3 if not backend.fallback else 0
    )
