"""``vtframe model inspect`` and ``verify``: for people, for machines, and with the right exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tiny_bundles import softmax_graph
from vtframe_onnx import OnnxBackend

from vtframe.api import BundleInfo
from vtframe.cli.main import cli
from vtframe.inference.verify import verify_model

Tiny = Callable[..., BundleInfo]


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["model", *map(str, arguments)])


def test_inspect_shows_inputs_outputs_metrics_and_baselines(tiny: Tiny) -> None:
    bundle = tiny()
    result = call("inspect", bundle.path)
    assert result.exit_code == 0
    for expected in (bundle.hash, "f3", "levels = 1", "10 rows ahead", "+1.5 bps", "log_loss  0.9  (baseline 1.1)", "made up"):
        assert expected in result.stdout


def test_inspect_prints_json_that_holds_the_whole_description(tiny: Tiny) -> None:
    bundle = tiny()
    result = call("inspect", bundle.path, "--json")
    data = json.loads(result.stdout)
    assert data["hash"] == bundle.hash
    assert data["columns"] == list(bundle.columns)
    assert data["features"][1] == {"use": "f1", "label": "f1", "columns": ["f1"], "settings": {"levels": 1}}
    assert data["expected_move_bps"] == [-1.5, 0.0, 1.5]


def test_verify_opens_the_model_and_passes_a_good_bundle(tiny: Tiny) -> None:
    bundle = tiny(window=2)
    result = call("verify", bundle.path, "--json")
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    assert data["ok"] is True
    assert data["hash"] == bundle.hash
    names = [check["name"] for check in data["checks"]]
    assert names == ["files", "shape", "finite", "probabilities", "reads_its_input", "repeats", "batch", "input_untouched"]
    assert "FAILED" not in call("verify", bundle.path).stdout


def test_verify_exits_1_where_outputs_are_not_probabilities(tiny: Tiny) -> None:
    bundle = tiny(graph=softmax_graph(4, outputs=("raw",)))
    result = call("verify", bundle.path, "--json")
    assert result.exit_code == 1
    assert [check["name"] for check in json.loads(result.stdout)["checks"] if not check["ok"]] == ["probabilities"]
    people = call("verify", bundle.path)
    assert people.exit_code == 1
    assert "FAILED" in people.stdout


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_a_refused_bundle_exits_2_with_one_message_on_stderr(tiny: Tiny, command: str) -> None:
    bundle = tiny()
    (bundle.path / "model.onnx").write_bytes(b"x")
    result = call(command, bundle.path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "its sha256 is" in result.stderr


def test_verify_says_where_a_graph_is_too_narrow(tiny: Tiny) -> None:
    result = call("verify", tiny(graph=softmax_graph(3)).path)
    assert result.exit_code == 2
    assert "found shape (n, 3), expected (batch, 4)" in result.stderr


def test_verify_names_the_plugin_that_is_not_there(tiny: Tiny) -> None:
    result = call("verify", tiny(backend="onyx").path)
    assert result.exit_code == 2
    assert "'onyx'" in result.stderr
    assert "Traceback" not in result.stderr


class Broken:
    """A model that breaks one clause of the contract."""

    def __init__(self, clause: str, inner: object) -> None:
        self.clause, self.inner, self.calls = clause, inner, 0

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.calls += 1
        answer = self.inner.predict(batch).copy()  # type: ignore[attr-defined]
        match self.clause:
            case "shape":
                return answer[:, :2]
            case "finite":
                answer[-1, 0] = np.nan
            case "probabilities":
                answer *= 1.01
            case "reads_its_input":
                answer[:] = 1 / 3
            case "repeats":
                answer[:, 0] += 1e-7 * self.calls
            case "batch":
                answer[0] = answer[-1] if len(batch) > 1 else answer[0]
            case "input_untouched":
                batch[0, 0, 0] += 1
        return answer


@pytest.mark.parametrize(
    "clause", ["shape", "finite", "probabilities", "reads_its_input", "repeats", "batch", "input_untouched"]
)
def test_a_model_that_breaks_a_clause_of_the_contract_is_caught_by_it(tiny: Tiny, clause: str) -> None:
    bundle = tiny()
    checks = verify_model(Broken(clause, OnnxBackend().open(bundle)), bundle)  # type: ignore[arg-type]
    assert clause in {check.name for check in checks if not check.ok}
