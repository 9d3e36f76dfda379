"""The compiled model as a model: the contract, hot swap, what is refused, and the same source run as Python."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from fused_graphs import Pair, bundle, model, network
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from vtframe_onnx.backend import OnnxBackend
from vtframe_onnx.graph import read_graph

from vtframe.api import BundleInfo, Graph, ModelBackend
from vtframe.errors import BundleError
from vtframe.inference.bundle import load_bundle
from vtframe.inference.fused import FusedModel, check_against, rows_like_training
from vtframe.inference.verify import verify_model
from vtframe.kernels import KernelCache

Opened = Callable[..., Pair]
Normal = Callable[..., NDArray[np.float32]]


def test_it_keeps_the_contract_of_a_model(opened: Opened) -> None:
    pair = opened(network([5, 8, 3]), 5, 3)
    assert [check for check in verify_model(pair.fused, pair.info) if not check.ok] == []


def test_a_row_of_a_batch_has_the_bits_of_that_row_alone(opened: Opened, normal: Normal) -> None:
    fused = opened(network([5, 8, 3]), 5, 3).fused
    rows = normal(5, rows=600)
    alone = np.concatenate([np.array(fused.predict(rows[k : k + 1])) for k in range(600)])
    for size in (2, 7, 256, 257, 600):
        assert np.array(fused.predict(rows[:size])).tobytes() == alone[:size].tobytes()


@pytest.mark.parametrize("shape", [(1, 1, 4), (0, 1, 5), (1, 2, 5), (5,)])
def test_a_batch_of_another_shape_is_an_error(opened: Opened, shape: tuple[int, ...]) -> None:
    fused = opened(network([5, 8, 3]), 5, 3).fused
    with pytest.raises(ValueError, match=r"expected \(n, 1, 5\)"):
        fused.predict(np.zeros(shape, np.float32))


def test_a_closed_model_says_so(opened: Opened) -> None:
    fused = opened(network([5, 8, 3]), 5, 3).fused
    fused.close()
    fused.close()
    with pytest.raises(ValueError, match="closed"):
        fused.predict(np.zeros((1, 1, 5), np.float32))


def test_a_retrained_model_of_the_same_shape_needs_no_compilation(tmp_path: Path, normal: Normal) -> None:
    told: list[str] = []
    backend, rows = OnnxBackend(warmup_runs=0), normal(4)
    answers = []
    for seed in (1, 2):
        info = bundle(tmp_path / str(seed), network([4, 6, 2], seed=seed), 4, 2)
        fused = FusedModel(backend.graph(info), info, cache=KernelCache(tmp_path / "cache", told.append))
        check_against(fused, backend.open(info), rows, where="network")
        answers.append(np.array(fused.predict(rows)))
    assert len([line for line in told if line.startswith("compiling")]) <= 1
    assert np.abs(answers[0] - answers[1]).max() > 0.1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.01, 1.0, 8.0]), sizes=st.sampled_from([(3, 4, 2), (3, 5, 5, 3)])
)
def test_any_network_answers_as_onnx_runtime_does(tmp_path: Path, seed: int, scale: float, sizes: tuple[int, ...]) -> None:
    info = bundle(tmp_path / "bundle", network(sizes, "Sigmoid", seed=seed, scale=scale), sizes[0], sizes[-1])
    backend = OnnxBackend(warmup_runs=0)
    rows = (np.random.default_rng(seed).standard_normal((1_000, 1, sizes[0])) * 3).astype(np.float32)
    check_against(FusedModel(backend.graph(info), info), backend.open(info), rows, where="network")


def test_a_nan_or_infinity_in_a_row_is_never_answered_by_a_number(opened: Opened) -> None:
    fused = opened(network([3, 4, 2], "Tanh"), 3, 2).fused
    rows = np.ones((2, 1, 3), np.float32)
    rows[0, 0, 1] = np.nan
    assert np.isnan(np.array(fused.predict(rows))[0]).all()
    assert np.isfinite(np.array(fused.predict(rows))[1]).all()


def refused(folder: Path, graph: bytes, columns: int, outputs: int, **changes: Any) -> str:
    info = bundle(folder / "bundle", graph, columns, outputs, **changes)
    with pytest.raises(BundleError) as caught:
        FusedModel(OnnxBackend().graph(info), info)
    assert "model.onnx" in caught.value.where
    return str(caught.value)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([helper.make_node("Sin", ["x"], ["y"], name="wave")], "operator Sin (node 'wave') cannot be compiled: it is not"),
        ([helper.make_node("Sin", ["x"], ["y"])], "operator Sin (node 'y')"),
        ([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.DOUBLE)], "casts to float64"),
        ([helper.make_node("Add", ["x", "gone"], ["y"])], "'gone' is not made by any node"),
        ([helper.make_node("Add", ["x", "three"], ["y"])], "shapes (1, 2) and (3,) do not go together"),
        ([helper.make_node("MatMul", ["x", "three"], ["y"])], "only a product with one matrix"),
        ([helper.make_node("Neg", ["three"], ["y"])], "answers one row with 3 number(s)"),
        ([helper.make_node("Identity", ["three"], ["y"])], "the same for every row"),
        ([helper.make_node("Normalizer", ["x"], ["y"], domain="ai.onnx.ml", norm="L9")], "norm L9"),
        ([helper.make_node("Reshape", ["x", "five"], ["y"])], "does not take shape (5,)"),
        ([helper.make_node("Add", ["z", "x"], ["y"]), helper.make_node("Neg", ["y"], ["z"])], "in a circle"),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled_is_named(tmp_path: Path, nodes: list[onnx.NodeProto], message: str) -> None:
    weights = {"three": np.ones(3, np.float32), "five": np.array([5], np.int64)}
    assert message in refused(tmp_path, model(nodes, weights, shape=("n", 2)), 2, 2)


def test_a_graph_that_is_too_large_for_the_time_between_two_frames_is_refused(tmp_path: Path) -> None:
    weights = {"w": np.zeros((1_000, 2_100), np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["wide"]), helper.make_node("ReduceSum", ["wide"], ["y"])]
    message = refused(tmp_path, model(nodes, weights, shape=("n", 1_000)), 1_000, 1)
    assert "MatMul" in message
    assert "the graph is too large" in message
    assert "2,000,000" in message


def test_rows_of_another_width_are_refused(tmp_path: Path) -> None:
    assert "does not take 1 row(s) of 4 features" in refused(tmp_path, network([5, 2]), 4, 2)


def test_float64_rows_are_read_where_the_graph_casts_them(tmp_path: Path, normal: Normal) -> None:
    weights = {"w": np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)}
    nodes = [helper.make_node("Cast", ["x"], ["c"], to=1), helper.make_node("MatMul", ["c", "w"], ["y"])]
    graph = onnx.load_from_string(model(nodes, weights, shape=("n", 3)))
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    info = bundle(tmp_path / "bundle", graph.SerializeToString(), 3, 2, dtype="float64")
    backend = OnnxBackend(warmup_runs=0)
    rows = normal(3).astype(np.float64)
    check_against(FusedModel(backend.graph(info), info), backend.open(info), rows, where="cast")
    graph.graph.node[1].input[0] = "x"
    info = bundle(tmp_path / "other", graph.SerializeToString(), 3, 2, dtype="float64")
    with pytest.raises(BundleError, match="computes in float64"):
        FusedModel(backend.graph(info), info)


def test_a_backend_that_does_not_tell_its_operators_is_named(tmp_path: Path) -> None:
    class Silent(ModelBackend):
        name = "silent"

    with pytest.raises(BundleError, match="backend 'silent' does not tell"):
        Silent().graph(bundle(tmp_path / "bundle", network([2, 2]), 2, 2))


def test_models_that_differ_are_refused_with_the_worst_row(opened: Opened, normal: Normal, tmp_path: Path) -> None:
    pair = opened(network([3, 4, 2], seed=1), 3, 2)
    info = bundle(tmp_path / "other", network([3, 4, 2], seed=2), 3, 2)
    other = FusedModel(OnnxBackend().graph(info), info)
    rows = normal(3)
    with pytest.raises(BundleError, match=r"it answers row \d+ with 0\.\d+, its backend with 0\.\d+") as caught:
        check_against(other, pair.runtime, rows, where="here")
    row = int(str(caught.value).partition("answers row ")[2].split()[0])
    apart = np.abs(np.array(other.predict(rows)) - np.array(pair.runtime.predict(rows))).max(axis=1)
    assert apart[row] > 0.9 * apart.max()
    with pytest.raises(ValueError, match="1,000 are needed"):
        check_against(other, pair.runtime, rows[:999], where="here")


def test_rows_like_training_lie_as_the_bundle_says(root: Path) -> None:
    info = load_bundle(root / "models" / "btcusdt_direction")
    windows = rows_like_training(info, rows=20_000)
    assert windows is not None
    for index, name in enumerate(info.columns):
        column = info.training[name]
        found = np.searchsorted(column.edges, windows[:, 0, index].astype(np.float64), side="left") / len(column.edges)
        assert 0.3 < found.mean() < 0.7
        assert windows[:, 0, index].min() >= np.float32(column.edges[0])


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    info = bundle(tmp_path / "bundle", network([5, 8, 3]), 5, 3)
    path = info.path / "model.onnx"
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "text": b"not a graph at all", "empty": b""}[damage])
    with pytest.raises(BundleError, match=r"model\.onnx"):
        read_graph(info)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(data)
    info = _info(folder)
    found: Graph | BundleError
    try:
        found = read_graph(info)
    except BundleError as e:
        found = e
    assert isinstance(found, Graph) or "model.onnx" in found.where


def _info(folder: Path) -> BundleInfo:
    if not (folder / "whole").exists():
        bundle(folder / "whole", network([5, 8, 3]), 5, 3)
    return msgspec.structs.replace(load_bundle(folder / "whole"), path=folder)


KINDS = [np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.int8, np.uint16, np.uint32, np.uint64, np.bool_]


@pytest.mark.parametrize("raw", [True, False])
def test_tensors_are_read_as_onnx_reads_them(tmp_path: Path, *, raw: bool) -> None:
    arrays = {
        kind.__name__: (np.arange(6).reshape(2, 3) - (2 if np.dtype(kind).kind in "if" else 0)).astype(kind) for kind in KINDS
    }
    graph = onnx.load_from_string(network([5, 8, 3]))
    for name, array in arrays.items():
        tensor = numpy_helper.from_array(array, name)
        if not raw:
            tensor = helper.make_tensor(name, tensor.data_type, array.shape, array.reshape(-1))
        graph.graph.initializer.append(tensor)
    info = bundle(tmp_path / "bundle", graph.SerializeToString(), 5, 3)
    found = read_graph(info)
    for name, array in arrays.items():
        assert found.weights[name].dtype == array.dtype
        np.testing.assert_array_equal(found.weights[name], array)
    assert found.opsets == {"": 17, "ai.onnx.ml": 3}


LEG = """
import sys
from pathlib import Path
import numpy as np
from vtframe.inference.bundle import load_bundle
from vtframe.inference.fused import FusedModel
from vtframe_onnx.backend import OnnxBackend

answers = []
for folder in sys.argv[2:]:
    info = load_bundle(Path(folder))
    model = FusedModel(OnnxBackend().graph(info), info)
    rows = np.random.default_rng(0).standard_normal((20, 1, len(info.columns))).astype(np.float32)
    answers.append(np.array(model.predict(rows)).reshape(-1))
    model.close()
np.save(sys.argv[1], np.concatenate(answers))
"""


def test_the_same_source_run_as_python_gives_the_same_bits(tmp_path: Path) -> None:
    script = tmp_path / "leg.py"
    script.write_text(LEG)
    forest = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=2,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_modes=["BRANCH_LT", "LEAF", "LEAF"],
        nodes_featureids=[1, 0, 0],
        nodes_values=[0.2, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_missing_value_tracks_true=[1, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 1],
        target_weights=[0.5, 0.25],
    )
    graphs = [network([3, 6, 2], "Tanh"), network([3, 6, 2], "Sigmoid"), model([forest], shape=("n", 3))]
    folders = [str(bundle(tmp_path / f"b{k}", graph, 3, 2).path) for k, graph in enumerate(graphs)]
    answers = []
    for name, environment in (("compiled", {}), ("python", {"NUMBA_DISABLE_JIT": "1"})):
        out = tmp_path / f"{name}.npy"
        ran = subprocess.run(
            [sys.executable, "-W", "error", str(script), str(out), *folders],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        answers.append(np.load(out))
    assert answers[0].tobytes() == answers[1].tobytes()
