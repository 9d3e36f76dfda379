"""A session whose model runs inside the features' kernel, beside the same session with the model called from Python."""

from __future__ import annotations

import gzip
import itertools
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from fused_graphs import bundle, describe, model, network
from onnx import helper
from vtframe_onnx.backend import OnnxBackend

from vtframe.api import Calibrator, Head
from vtframe.assemble.check import examine
from vtframe.assemble.parity import ParityRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.assemble.trial import try_out
from vtframe.buffers import RowRing
from vtframe.clock import LiveClock
from vtframe.domain import ROW, Verdict
from vtframe.inference.bundle import load_bundle, write_bundle
from vtframe.inference.bundle_format import read_description
from vtframe.inference.fused import FusedExecutor, FusedModel, open_fused
from vtframe.inference.inline import InlineExecutor

MODEL = "btcusdt_direction"
YEAR_NS = 365 * 86_400 * 10**9


@pytest.fixture(scope="module")
def home(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same recorded minutes through both."""
    home = tmp_path_factory.mktemp("fused")
    shutil.copytree(root / "models" / MODEL, home / "models" / MODEL)
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        (home / "part.gz").write_bytes(gzip.compress(b"".join(itertools.islice(file, 8_000))))
    text = (root / "btcusdt.toml").read_text().replace("paths = []", 'paths = ["part.gz"]')
    assert 'where = "inline"' in text
    for where in ("inline", "fused"):
        (home / f"{where}.toml").write_text(text.replace('where = "inline"', f'where = "{where}"'))
        assemble(home / f"{where}.toml", Wishes(folder=home / where, deterministic=True)).session.run()
    return home


def test_a_fused_session_predicts_what_the_inline_one_predicts(home: Path) -> None:
    fused, inline = (pq.read_table(home / where / "predictions" / MODEL) for where in ("fused", "inline"))
    assert fused.num_rows == inline.num_rows > 400
    for name in ("row", "input", "verdict", "ts_event", "ts_recv", "batch", "batch_size"):
        assert fused.column(name).equals(inline.column(name)), name
    for name in ("down", "flat", "up"):
        found, wanted = (table.column(name).to_numpy() for table in (fused, inline))
        np.testing.assert_allclose(found, wanted, atol=1e-6, equal_nan=True)
    assert fused.column("verdict").to_pylist().count("ok") > 300


def test_parity_asks_a_fused_model_again_and_finds_the_same_bits(home: Path) -> None:
    found = ParityRun(home / "fused", predictions=True).run()
    answered = found.models[MODEL]
    assert found.passed
    assert answered.rows == answered.identical > 400


def test_check_refuses_a_model_that_cannot_be_compiled_with_line_and_operator(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models" / MODEL
    shutil.copytree(home / "models" / MODEL, folder)
    graph = onnx.load(folder / "model.onnx")
    graph.graph.node[-1].CopyFrom(helper.make_node("Sin", [graph.graph.node[-1].input[0]], ["probabilities"], name="wave"))
    description = read_description(folder / "bundle.toml")
    write_bundle(folder, description, {"model.onnx": graph.SerializeToString()}, replace=True)
    shutil.copy(home / "part.gz", tmp_path)
    text = (home / "fused.toml").read_text()
    (tmp_path / "session.toml").write_text(text)
    examined = examine(tmp_path / "session.toml")
    assert not examined.faults
    (fault,) = try_out(examined, lambda _: None).faults
    assert "operator Sin (node 'wave') cannot be compiled" in fault.problem
    line = text.splitlines()[fault.line - 1]
    assert line.startswith("bundle")
    (tmp_path / "session.toml").write_text(text.replace('where = "fused"', 'where = "inline"'))
    assert not try_out(examine(tmp_path / "session.toml"), lambda _: None).faults


def test_a_fused_model_that_answers_otherwise_than_its_backend_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = OnnxBackend.graph

    def altered(self: OnnxBackend, info: object) -> object:
        found = graph(self, info)
        found.weights["intercepts2"] = found.weights["intercepts2"] + np.array([1e-3, 0, 0], np.float32)
        return found

    monkeypatch.setattr(OnnxBackend, "graph", altered)
    (fault,) = try_out(examine(home / "fused.toml"), lambda _: None).faults
    assert "compiled it answers row" in fault.problem


@pytest.mark.parametrize("window", [1, 3])
def test_the_executor_answers_as_the_inline_one_does_on_any_columns_of_the_ring(tmp_path: Path, window: int) -> None:
    graph = network([2 * window, 8, 3])
    if window > 1:
        loaded = onnx.load_from_string(graph)
        nodes = [helper.make_node("Flatten", ["x"], ["flat"])]
        loaded.graph.node[0].input[0] = "flat"
        weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in loaded.graph.initializer}
        graph = model([*nodes, *loaded.graph.node], weights, shape=("n", window, 2))
    info = bundle(tmp_path / "bundle", graph, 2, 3, window=window)
    backend = OnnxBackend(warmup_runs=0)
    opened = backend.open(info)
    ring = RowRing(2, 8, 4)
    columns = ("a", "f1", "b", "f0")
    common = {"ring": ring, "columns": columns, "clock": LiveClock(), "deadline_ns": YEAR_NS, "max_age_ns": 100 * YEAR_NS}
    compiled = FusedModel(backend.graph(info), info)
    fused, inline = FusedExecutor(compiled, info, **common), InlineExecutor(opened, info, **common)
    with pytest.raises(LookupError):
        fused.predict(0, started=0)
    random = np.random.default_rng(1)
    meta = np.zeros((), ROW)
    for number in range(30):
        for instrument in (0, 1):
            meta["valid"] = number % 7 != 3
            ring.append(instrument, random.standard_normal(4).astype(np.float32), meta)
            place = (ring.head(instrument) - 1) % 8 + 8
            compiled.run(fused.entry.table, instrument, instrument + 1, place)
            found, wanted = (executor.predict(instrument, started=0) for executor in (fused, inline))
            assert (found.verdict, found.row, fused.batch) == (wanted.verdict, wanted.row, inline.batch)
            np.testing.assert_allclose(found.outputs, wanted.outputs, atol=1e-6)
    assert fused.calls == inline.calls > 10
    unasked = fused.unanswered(
        1, dict(zip(ROW.names or (), ring.window_meta(1, 1)[0].tolist(), strict=True)), Verdict.CONFLATED
    )
    assert (unasked.verdict, unasked.outputs) == (Verdict.CONFLATED, ())


def test_an_answer_that_is_not_finite_has_failed(tmp_path: Path) -> None:
    info = bundle(tmp_path / "bundle", model([helper.make_node("Reciprocal", ["x"], ["y"])], shape=("n", 2)), 2, 2)
    compiled = FusedModel(OnnxBackend().graph(info), info)
    ring = RowRing(1, 8, 2)
    executor = FusedExecutor(compiled, info, ring=ring, clock=LiveClock(), deadline_ns=YEAR_NS, max_age_ns=100 * YEAR_NS)
    meta = np.zeros((), ROW)
    meta["valid"] = 1
    ring.append(0, np.zeros(2, np.float32), meta)
    compiled.run(executor.entry.table, 0, 1, 8)
    answer = executor.predict(0, started=0)
    assert (answer.verdict, answer.outputs) == (Verdict.FAILED, ())
    assert executor.first_failure == "answered a number that is not finite"


def test_the_demo_bundles_are_compiled(root: Path) -> None:
    for name in ("btcusdt_direction", "embedded_direction"):
        info = load_bundle(root / "models" / name)
        assert 100 < FusedModel(OnnxBackend().graph(info), info).operations < 10_000


def test_heads_are_read_by_name_and_probabilities_are_calibrated(tmp_path: Path) -> None:
    """Two outputs of one graph: a classification, which the bundle's temperature changes, and a number, which it does not."""
    random = np.random.default_rng(3)
    weights = {"w": random.normal(size=(4, 2)).astype(np.float32), "v": random.normal(size=(4, 1)).astype(np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "v"], ["move"]),
        helper.make_node("MatMul", ["x", "w"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["chances"], axis=1),
    ]
    graph = onnx.load_from_string(model(nodes, weights, shape=("n", 4), output="move"))
    graph.graph.output.append(helper.make_tensor_value_info("chances", onnx.TensorProto.FLOAT, None))
    plain = describe(4, 3).output
    output = msgspec.structs.replace(
        plain,
        heads=(
            Head(name="chances", outputs=plain.classes[:2]),
            Head(name="move", kind="regression", outputs=plain.classes[2:]),
        ),
        calibrator=Calibrator(method="temperature", temperature=2.5),
    )
    info = bundle(tmp_path / "bundle", graph.SerializeToString(), 4, 3, output=output)
    backend = OnnxBackend(warmup_runs=0)
    opened, compiled = backend.open(info), open_fused(info, backend)
    ring = RowRing(1, 8, 4)
    fused = FusedExecutor(compiled, info, ring=ring, clock=LiveClock(), deadline_ns=YEAR_NS, max_age_ns=100 * YEAR_NS)
    meta = np.zeros((), ROW)
    meta["valid"] = 1
    for number in range(8):
        ring.append(0, random.standard_normal(4).astype(np.float32), meta)
        compiled.run(fused.entry.table, 0, 1, 8 + number)
        wanted = np.array(opened.predict(ring.window(0, 1)[None]))[0]
        np.testing.assert_allclose(fused.predict(0, started=0).outputs, wanted, atol=1e-6)
        assert np.abs(wanted[:2] - compiled.predict(ring.window(0, 1)[None])[0, :2]).max() > 1e-3
