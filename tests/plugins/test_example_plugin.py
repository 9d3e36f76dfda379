"""plugins/vtframe-example as a third party would meet it: installed by pip into an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fresh_environment import FreshEnvironment
from onnx import TensorProto, helper, numpy_helper

from vtframe.api import InputFeature, Label
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import Description, Input, Output


@pytest.fixture(scope="module")
def fresh(root: Path, tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """An environment with the example installed into it."""
    environment = FreshEnvironment(tmp_path_factory.mktemp("example") / "env")
    environment.install(root / "plugins" / "vtframe-example")
    assert (environment.site / "vtframe_example" / "__init__.py").is_file()
    return environment


def listed(fresh: FreshEnvironment, folder: Path) -> dict[str, Any]:
    done = fresh.vtframe(folder, "plugins", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_is_found_by_its_entry_point_and_loaded_only_when_named(fresh: FreshEnvironment, tmp_path: Path) -> None:
    found = listed(fresh, tmp_path)
    (example,) = [plugin for plugin in found["plugins"] if plugin["name"] == "example"]
    assert (example["installed"], example["named"], example["loaded"]) == (True, False, False)
    assert example["source"] == "vtframe-example 0.1.0"
    assert [part for part in found["parts"] if part["plugin"] == "example"] == []

    (tmp_path / "vtframe.toml").write_text('[vtframe]\nplugins = ["example"]\n')
    found = listed(fresh, tmp_path)
    (example,) = [plugin for plugin in found["plugins"] if plugin["name"] == "example"]
    assert (example["named"], example["loaded"], example["broken"]) == (True, True, False)
    parts = {(part["kind"], part["name"]) for part in found["parts"] if part["plugin"] == "example"}
    assert parts == {("feature", "spread_bps"), ("strategy", "one_lot"), ("risk policy", "long_only")}
    assert all(part["doc"] for part in found["parts"] if part["plugin"] == "example")


CONFIG = """\
[vtframe]
plugins = ["onnx", "example"]
[feed]
use = "market"
duration_s = 60
[[features]]
use = "spread_bps"
[[models]]
bundle = "up"
[[models]]
bundle = "down"
[[lanes]]
id = "bull"
model = "up"
strategy = { use = "one_lot", lots = 5 }
[[lanes]]
id = "bear"
model = "down"
strategy = { use = "one_lot", lots = 5 }
limits = [{ use = "long_only" }]
[[risk]]
use = "max_position"
notional = 100_000
"""


def write_constant_bundle(folder: Path, scores: tuple[float, float, float]) -> None:
    """A model of the example's feature whose answer is always the softmax of ``scores``."""
    weights = numpy_helper.from_array(np.zeros((1, 3), np.float32), "weights")
    bias = numpy_helper.from_array(np.array(scores, np.float32), "bias")
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 1))
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ("n", 3))
    graph = helper.make_graph(nodes, "constant", [given], [answer], [weights, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    output = Output(
        classes=("down", "flat", "up"),
        label=Label(horizon_rows=10),
        expected_move_bps=(-1.0, 0.0, 1.0),
        variance_bps2=1.0,
        horizon_ns=1_000_000_000,
    )
    spread = InputFeature(use="spread_bps", label="spread_bps", columns=("spread_bps",))
    inputs = Input(features=(spread,), sampling="frame")
    description = Description(name=folder.name, backend="onnx", file="model.onnx", input=inputs, output=output)
    write_bundle(folder, description, {"model.onnx": model.SerializeToString()})


def test_a_session_runs_with_its_feature_its_strategy_and_its_risk_policy(fresh: FreshEnvironment, tmp_path: Path) -> None:
    write_constant_bundle(tmp_path / "up", (0.0, 0.0, 3.0))
    write_constant_bundle(tmp_path / "down", (3.0, 0.0, 0.0))
    (tmp_path / "vtframe.toml").write_text(CONFIG)
    done = fresh.vtframe(tmp_path, "run", "--session", "out", "--quiet", "--deterministic")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    counts = report["counts"]
    assert counts["rows"] > 1_000
    assert counts["predictions"] > 1_000
    assert counts["fills"] >= 1  # the bull holds its lots
    assert report["denials"]["long_only"] >= 1  # the bear holds nothing to sell
    rows = pq.read_table(tmp_path / "out" / "rows").to_pandas()
    quoted = rows["spread_bps"][rows["valid"]]
    mid = (rows["bid"] + rows["ask"])[rows["valid"]] / 2
    expected = 1e4 * (rows["ask"] - rows["bid"])[rows["valid"]] / mid
    assert len(quoted) > 1_000
    np.testing.assert_allclose(quoted, expected, rtol=1e-6)
