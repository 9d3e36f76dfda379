"""ONNX graphs for the tests of compiled models, and bundles around them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vtframe.api import BundleInfo, Head, InputFeature, Label, Model
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import Description, Input, Output, Provenance
from vtframe.inference.fused import FusedModel

ML = "ai.onnx.ml"


def model(
    nodes: Sequence[onnx.NodeProto],
    weights: dict[str, NDArray[Any]] | None = None,
    *,
    shape: tuple[Any, ...],
    output: str = "y",
    opset: int = 17,
) -> bytes:
    """A model whose only input is ``x`` of ``shape`` (the batch dimension included)."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML, 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def network(sizes: Sequence[int], activation: str = "Relu", *, seed: int = 0, scale: float = 1.0) -> bytes:
    """A classifier of dense layers."""
    random = np.random.default_rng(seed)
    nodes, weights, last = [], {}, "x"
    for k, (before, after) in enumerate(pairwise(sizes)):
        weights[f"w{k}"] = (scale * random.normal(size=(before, after)) / np.sqrt(before)).astype(np.float32)
        weights[f"b{k}"] = random.normal(size=after).astype(np.float32)
        nodes.append(helper.make_node("Gemm", [last, f"w{k}", f"b{k}"], [f"g{k}"], name=f"layer_{k}"))
        last = f"g{k}"
        if k < len(sizes) - 2:
            nodes.append(helper.make_node(activation, [last], [f"a{k}"]))
            last = f"a{k}"
    nodes.append(helper.make_node("Softmax", [last], ["y"], axis=1))
    return model(nodes, weights, shape=("n", sizes[0]))


def describe(columns: int, outputs: int, *, window: int = 1, dtype: Any = "float32", **changes: Any) -> Description:
    names = [f"f{index}" for index in range(columns)]
    features = tuple(InputFeature(use=name, label=name, columns=(name,)) for name in names)
    values: dict[str, Any] = {
        "name": "tiny",
        "backend": "onnx",
        "file": "model.onnx",
        "input": Input(features=features, window=window, dtype=dtype, sampling="frame"),
        "output": Output(
            classes=tuple(f"c{k}" for k in range(outputs)),
            label=Label(horizon_rows=10),
            expected_move_bps=(0.0,) * outputs,
            variance_bps2=1.0,
            horizon_ns=1,
            heads=(Head(name="value", kind="regression", outputs=("c0",)),) if outputs == 1 else (),
        ),
        "provenance": Provenance(),
    }
    return Description(**values | changes)


def bundle(folder: Path, graph: bytes, columns: int, outputs: int, *, window: int = 1, **changes: Any) -> BundleInfo:
    return write_bundle(folder, describe(columns, outputs, window=window, **changes), {"model.onnx": graph}, replace=True)


class Pair(NamedTuple):
    """One graph, compiled and in ONNX Runtime."""

    info: BundleInfo
    fused: FusedModel
    runtime: Model

    def apart(self, windows: NDArray[Any]) -> float:
        """The largest difference over ``windows`` (n, window, columns), nan equal to nan."""
        found, wanted = np.array(self.fused.predict(windows)), np.array(self.runtime.predict(windows))
        assert found.shape == wanted.shape
        same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
        with np.errstate(invalid="ignore"):
            return float(np.where(same, 0, np.nan_to_num(np.abs(found - wanted), nan=np.inf)).max())
