"""Bench of compiled models beside ONNX Runtime with io binding: the call alone, inside a kernel, and from row to prediction."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, InputFeature, Label, Model, ModelBackend
from vtframe.buffers.ring import RowRing
from vtframe.cli.bench.rows import Row, time_row
from vtframe.clock import LiveClock
from vtframe.domain import ROW
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import Description, Input, Output
from vtframe.inference.fused import FusedExecutor, FusedModel, check_against
from vtframe.inference.inline import InlineExecutor

_WIDTH: Final = 32
_CLASSES: Final = ("down", "flat", "up")
_TREES, _DEPTH = 200, 6
_CALLS: Final = 10_000
_BATCH: Final = 256
_YEAR_NS: Final = 365 * 86_400 * 10**9

_now = time.perf_counter_ns


def run_fused(backend: ModelBackend, say: Callable[[str], None]) -> Iterator[Row]:
    """Rows of a network 32-64-32-3 and of 200 trees of depth 6; none where the package onnx, which makes their graphs, is
    missing."""
    if importlib.util.find_spec("onnx") is None:
        say("fused models are not measured: their graphs are made with the package onnx, which is not installed")
        return
    for name, graph in (("MLP 32-64-32-3", _network((_WIDTH, 64, 32, 3))), (f"{_TREES} trees of depth {_DEPTH}", _forest())):
        with tempfile.TemporaryDirectory() as folder:
            bundle = write_bundle(Path(folder) / "bundle", _describe(), {"model.onnx": graph})
            fused, runtime = FusedModel(backend.graph(bundle), bundle), backend.open(bundle)
            rows = np.random.default_rng(7).standard_normal((4_096, 1, _WIDTH)).astype(np.float32)
            apart = check_against(fused, runtime, rows, where=name).largest
            say(f"{name}: compiled within {apart:.0e} of onnxruntime on {len(rows):,} rows; {_CALLS:,} calls of each in turn")
            yield from _calls(name, fused, runtime, rows)
            yield _row_to_prediction(name, fused, runtime, bundle)
            fused.close()
            runtime.close()


def network_bundle(path: Path, features: Sequence[InputFeature] | None = None) -> BundleInfo:
    """The network as a bundle in folder ``path``, on 32 columns or on those of ``features``; needs the package onnx."""
    described = _describe() if features is None else _describe(tuple(features))
    width = sum(len(feature.columns) for feature in described.input.features)
    return write_bundle(path, described, {"model.onnx": _network((width, 64, 32, 3))})


def _calls(name: str, fused: FusedModel, runtime: Model, rows: NDArray[Any]) -> Iterator[Row]:
    called, inside, bound = [], [], []
    for k in range(_CALLS):
        row = rows[k % len(rows)][None]
        before = _now()
        fused.predict(row)
        middle = _now()
        runtime.predict(row)
        after = _now()
        called.append((middle - before) / 1e3)
        bound.append((after - middle) / 1e3)
    for k in range(_CALLS // _BATCH):
        batch = rows[k % 8 * _BATCH : (k % 8 + 1) * _BATCH]
        before = _now()
        fused.predict(batch)
        inside.append((_now() - before) / 1e3 / _BATCH)
    baseline = "onnxruntime with io binding"
    yield time_row(f"inference: fused {name}, called from Python", "us", called, baseline, bound)
    yield time_row(f"inference: fused {name}, a row inside the kernel", "us", inside, baseline, bound)


def _row_to_prediction(name: str, fused: FusedModel, runtime: Model, bundle: BundleInfo) -> Row:
    """The entry as the features' kernel calls it (here from Python, which costs a little more) and the executor, beside the
    inline executor with ONNX Runtime."""
    ring = RowRing(1, 4_096, _WIDTH)
    random, meta = np.random.default_rng(9), np.zeros((), ROW)
    meta["valid"] = 1
    for _ in range(ring.capacity):
        ring.append(0, random.standard_normal(_WIDTH).astype(np.float32), meta)
    clock = LiveClock()
    joined = FusedExecutor(fused, bundle, ring=ring, clock=clock, deadline_ns=_YEAR_NS, max_age_ns=100 * _YEAR_NS)
    inline = InlineExecutor(runtime, bundle, ring=ring, clock=clock, deadline_ns=_YEAR_NS, max_age_ns=100 * _YEAR_NS)
    run, table = fused.run, joined.entry.table
    times, baseline = [], []
    for k in range(_CALLS):
        before = _now()
        run(table, 0, 1, ring.capacity + k % ring.capacity)
        joined.predict(0, started=before)
        middle = _now()
        inline.predict(0, started=middle)
        after = _now()
        times.append((middle - before) / 1e3)
        baseline.append((after - middle) / 1e3)
    return time_row(f"inference: fused {name}, row to prediction", "us", times, "inline, onnxruntime", baseline)


def _network(sizes: tuple[int, ...]) -> bytes:
    from onnx import helper, numpy_helper  # noqa: PLC0415 - heavy, and only here

    random = np.random.default_rng(5)
    nodes, weights, last = [], [], "x"
    for k, (before, after) in enumerate(pairwise(sizes)):
        weights.append(numpy_helper.from_array((random.normal(size=(before, after)) / 4).astype(np.float32), f"w{k}"))
        weights.append(numpy_helper.from_array(random.normal(size=after).astype(np.float32), f"b{k}"))
        nodes.append(helper.make_node("Gemm", [last, f"w{k}", f"b{k}"], [f"g{k}"]))
        nodes.append(helper.make_node("Relu" if k < len(sizes) - 2 else "Softmax", [f"g{k}"], [f"a{k}"]))
        last = f"a{k}"
    return _model(nodes, weights, last, width=sizes[0])


def _forest() -> bytes:
    """Full trees as boosting makes them: each adds to one class."""
    from onnx import helper  # noqa: PLC0415

    random = np.random.default_rng(6)
    inner, count = 2**_DEPTH - 1, 2 ** (_DEPTH + 1) - 1
    nodes, trees = np.tile(np.arange(count), _TREES), np.repeat(np.arange(_TREES), count)
    branch, leaf = nodes < inner, nodes >= inner
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "y"],
        domain="ai.onnx.ml",
        nodes_treeids=trees.tolist(),
        nodes_nodeids=nodes.tolist(),
        nodes_modes=["BRANCH_LEQ" if one else "LEAF" for one in branch.tolist()],
        nodes_featureids=np.where(branch, random.integers(0, _WIDTH, len(nodes)), 0).tolist(),
        nodes_values=np.where(branch, random.normal(size=len(nodes)), 0.0).tolist(),
        nodes_truenodeids=np.where(branch, 2 * nodes + 1, 0).tolist(),
        nodes_falsenodeids=np.where(branch, 2 * nodes + 2, 0).tolist(),
        class_treeids=trees[leaf].tolist(),
        class_nodeids=nodes[leaf].tolist(),
        class_ids=(trees[leaf] % len(_CLASSES)).tolist(),
        class_weights=(random.normal(size=int(leaf.sum())) / 10).tolist(),
        classlabels_int64s=list(range(len(_CLASSES))),
        post_transform="SOFTMAX",
    )
    return _model([node], [], "y")


def _model(nodes: list[Any], weights: list[Any], output: str, *, width: int = _WIDTH) -> bytes:
    from onnx import TensorProto, helper  # noqa: PLC0415

    entered = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", width))
    answered = helper.make_tensor_value_info(output, TensorProto.FLOAT, ("n", len(_CLASSES)))
    graph = helper.make_graph(nodes, "bench", [entered], [answered], weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


_FEATURES: Final = tuple(InputFeature(use=f"f{k}", label=f"f{k}", columns=(f"f{k}",)) for k in range(_WIDTH))


def _describe(features: tuple[InputFeature, ...] = _FEATURES) -> Description:
    output = Output(
        classes=_CLASSES, label=Label(horizon_rows=1), expected_move_bps=(0.0, 0.0, 0.0), variance_bps2=1.0, horizon_ns=1
    )
    return Description(
        name="bench", backend="onnx", file="model.onnx", input=Input(features=features, sampling="frame"), output=output
    )
