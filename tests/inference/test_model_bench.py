"""``vtframe model bench``: figures of every runtime, and advice that follows from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tiny_bundles import softmax_graph

from vtframe.api import BundleInfo
from vtframe.cli.main import cli
from vtframe.cli.model_bench import BATCHES, Runtime, Timing, advise

Tiny = Callable[..., BundleInfo]


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def bench(bundle: BundleInfo, *arguments: str) -> Any:
    result = CliRunner().invoke(cli, ["model", "bench", str(bundle.path), "--seconds", "0.05", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_runtime_has_its_figures_at_every_batch(tiny: Tiny) -> None:
    found = json.loads(bench(tiny(), "--json"))
    assert [runtime["name"] for runtime in found["runtimes"]] == ["onnx", "fused"]
    for runtime in found["runtimes"]:
        assert runtime["problem"] == ""
        assert [timing["batch"] for timing in runtime["timings"]] == list(BATCHES)
        for timing in runtime["timings"]:
            assert 0 < timing["p50_us"] <= timing["p99_us"] <= timing["p999_us"]
            assert timing["calls"] >= 30
        assert 0 <= runtime["free"] <= 1
    assert found["recommended"]["where"] in {"fused", "inline", "thread", "process"}


def test_a_runtime_that_cannot_be_had_says_why_and_the_others_are_measured(tiny: Tiny) -> None:
    import onnx

    graph = onnx.load_from_string(softmax_graph(4))
    graph.graph.node[3].CopyFrom(onnx.helper.make_node("Mod", ["product", "bias"], ["scores"], fmod=1))
    bundle = tiny(graph=graph.SerializeToString())
    found = json.loads(bench(bundle, "--json"))
    assert "Mod" in found["runtimes"][1]["problem"]
    assert found["runtimes"][1]["timings"] == []
    assert found["recommended"]["where"] != "fused"
    people = bench(bundle)
    assert "fused: " in people
    assert 'where = "' in people


def runtime(name: str, p50: float, p99: float, free: float = 1.0, problem: str = "") -> Runtime:
    timings = tuple(Timing(batch=batch, calls=100, p50_us=p50, p99_us=p99, p999_us=2 * p99) for batch in BATCHES)
    return Runtime(name=name, timings=() if problem else timings, free=None if problem else free, problem=problem)


@pytest.mark.parametrize(
    ("runtimes", "where"),
    [
        ([runtime("onnx", 4, 6), runtime("fused", 1, 2)], "fused"),
        ([runtime("onnx", 4, 6), runtime("fused", 9, 12)], "inline"),
        ([runtime("onnx", 4, 6), runtime("fused", 0, 0, problem="no operator Conv")], "inline"),
        ([runtime("torch", 60, 90), runtime("fused", 0, 0, problem="no graph")], "inline"),
        ([runtime("torch", 900, 1_400, free=0.9)], "thread"),
        ([runtime("torch", 900, 1_400, free=0.2)], "process"),
        ([runtime("sklearn", 60, 400, free=0.1)], "process"),
    ],
)
def test_advice_follows_from_the_figures(runtimes: list[Runtime], where: str) -> None:
    advice = advise(runtimes)
    assert advice.where == where
    assert "us" in advice.why
