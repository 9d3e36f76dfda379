"""`vtframe check` opens what a session would: a configuration that it passes can run, and one that cannot is told why."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from vtframe.cli.main import cli
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import read_description

FEATURES = """
from vtframe.api import Feature, Kernel


class Halves(Feature):
    \"\"\"Cannot be compiled: a float and a text have no sum.\"\"\"

    name = "halves"

    def kernel(self):
        def on_frame(moment, book, state, out):
            out[0] = book.bid_price[0] + "half"

        return Kernel(on_frame=on_frame)


class Quarter(Feature):
    \"\"\"Reads what ``halves`` makes.\"\"\"

    name = "quarter"

    def kernel(self):
        def on_frame(moment, book, state, out, inputs):
            out[0] = inputs[0] / 4.0

        return Kernel(on_frame=on_frame, inputs=("halves",))


class Attributes(Feature):
    \"\"\"Cannot be compiled: there is no such attribute.\"\"\"

    name = "attributes"

    def kernel(self):
        def on_frame(moment, book, state, out):
            out[0] = book.no_such_thing[0]

        return Kernel(on_frame=on_frame)

"""


@pytest.fixture
def config(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """vtframe.toml with a model of its own, on a machine without a network."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("check reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    shutil.copytree(root / "models" / "embedded_direction", tmp_path / "models" / "embedded_direction")
    path = tmp_path / "vtframe.toml"
    path.write_text((root / "market.toml").read_text())
    return path


def change(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))


def checked(config: Path, *arguments: str) -> list[str]:
    """The faults, without the path before them."""
    result = CliRunner().invoke(cli, ["check", str(config), "--json", *arguments])
    faults = json.loads(result.stdout)
    assert result.exit_code == (2 if faults else 0), result.stderr
    place = "{table} {key}: {problem}; {hint}"
    return [f"{fault['line']} {place.format(**fault)}" for fault in faults]


def graph_of(config: Path, content: bytes) -> None:
    """Another graph in the bundle, with hashes that agree."""
    bundle = config.parent / "models" / "embedded_direction"
    write_bundle(bundle, read_description(bundle / "bundle.toml"), {"model.onnx": content}, replace=True)


def softmax_of(width: int) -> bytes:
    """A graph that reads rows of ``width``."""
    weights = numpy_helper.from_array(np.ones((width, 3), np.float32), "weights")
    nodes = [helper.make_node("MatMul", ["x", "weights"], ["y"]), helper.make_node("Softmax", ["y"], ["p"], axis=1)]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", n)) for name, n in (("x", width), ("p", 3))]
    graph = helper.make_graph(nodes, "softmax", values[:1], values[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def test_the_session_that_is_shipped_passes_without_a_network(config: Path) -> None:
    assert checked(config) == []


def test_the_recorded_session_passes_with_a_recording_and_not_without(root: Path, data: Path) -> None:
    (fault,) = checked(root / "btcusdt.toml")
    assert fault.startswith("9 [feed] paths: no recording is named;")
    assert "--recording FILE.gz" in fault
    recording = data / "binance" / "usdm_btcusdt_20240808.gz"
    assert checked(root / "btcusdt.toml", "--recording", str(recording)) == []


@pytest.mark.parametrize(
    "content",
    [None, b"", b"nothing of the kind\n", gzip.compress(b"1723161255030314667 {}\n" * 50)],
    ids=["missing", "empty", "nothing of the kind", "no frames"],
)
def test_a_recording_that_cannot_be_played_is_told_at_its_key(config: Path, content: bytes | None) -> None:
    change(config, 'use = "market"', 'use = "recording"\npaths = ["day.gz"]')
    change(config, "seed = 7\nduration_s = 1200", "")
    if content is not None:
        (config.parent / "day.gz").write_bytes(content)
    (fault,) = checked(config)
    assert fault.startswith(f"10 [feed] paths: {config.parent / 'day.gz'}: ")


def test_a_graph_that_does_not_load_or_is_of_another_width_is_told_where_the_bundle_is_named(config: Path) -> None:
    line = config.read_text().splitlines().index('bundle = "models/embedded_direction"') + 1
    graph_of(config, b"not a graph")
    (fault,) = checked(config)
    assert fault.startswith(f"{line} [[models]] 1 bundle: ")
    assert "model.onnx: ONNX Runtime" in fault
    graph_of(config, softmax_of(6))
    (fault,) = checked(config)
    assert "6), expected (batch, 7): 1 row(s) of 7 features" in fault


def test_a_ring_too_small_to_be_safe_is_refused(config: Path) -> None:
    change(config, "[sampling]", "[rows]\nring = 50\n[sampling]")
    (fault,) = checked(config)
    assert "[rows] ring: found 50 (integer), expected an integer, at least 1024" in fault


@pytest.mark.parametrize("name", ["bid", "valid", "ts_recv", "state"])
def test_a_feature_with_the_name_of_a_fixed_column_is_refused(config: Path, name: str) -> None:
    change(config, "[[models]]", f'[[features]]\nuse = "spread"\nas = "{name}"\n[[models]]')
    line = config.read_text().splitlines().index(f'as = "{name}"') + 1
    (fault,) = checked(config)
    assert fault.startswith(f"{line} [[features]] 8 as: column '{name}' has the name of a fixed column of row files; give it")


def test_every_kernel_that_does_not_compile_is_told_and_none_that_only_depends_on_it(config: Path) -> None:
    (config.parent / "mine.py").write_text(FEATURES)
    change(config, 'plugins = ["onnx"]', 'plugins = ["onnx"]\nlocal = ["mine.py"]')
    uses = "".join(f'[[features]]\nuse = "{name}"\n' for name in ("halves", "quarter", "attributes"))
    change(config, "[[models]]", f"{uses}[[models]]")
    lines = config.read_text().splitlines()
    halves, attributes = (lines.index(f'use = "{name}"') for name in ("halves", "attributes"))
    first, second = checked(config)
    mine = config.parent / "mine.py"
    half = FEATURES.splitlines().index('            out[0] = book.bid_price[0] + "half"') + 1
    assert first.startswith(f"{halves} [[features]] 8 : {mine}:{half}: feature 'halves': it cannot be compiled")
    assert second.startswith(f"{attributes} [[features]] 10 : {mine}:")
    assert "feature 'attributes': " in second
    assert "uses book.no_such_thing, which is not there" in second


def test_faults_that_only_trying_tells_stand_among_the_others_in_the_order_of_the_lines(config: Path) -> None:
    change(config, 'use = "market"', 'use = "recording"\npaths = ["no.gz", "nor.gz"]')
    change(config, "seed = 7\nduration_s = 1200", "")
    change(config, "enter = 0.5", "enter = 1.5")
    change(config, "[[models]]", '[[features]]\nuse = "spread"\nas = "bid"\n[[models]]')
    graph_of(config, b"not a graph")
    faults = checked(config)
    words = ["no.gz", "nor.gz", "fixed column", "ONNX Runtime", "enter"]
    assert [word for word, fault in zip(words, faults, strict=True) if word not in fault] == []
    numbers = [int(fault.split()[0]) for fault in faults]
    assert numbers == sorted(numbers)


def test_a_leader_that_the_feed_does_not_bring_is_told_at_its_key(config: Path) -> None:
    change(config, "[[models]]", '[[features]]\nuse = "spread"\ninstrument = "SIMUSD@sim"\n[[models]]')
    (fault,) = checked(config)
    assert "instrument: the session has no instrument 'SIMUSD@sim'; did you mean 'SIMUSDT@sim'?" in fault


def test_a_model_that_was_trained_on_another_market_is_a_warning_and_no_fault(root: Path, data: Path, config: Path) -> None:
    recording = str(data / "binance" / "usdm_btcusdt_20240808.gz")
    result = CliRunner().invoke(cli, ["check", str(config), "--recording", recording])
    assert result.exit_code == 0, result.output
    warning = (
        "warning model 'embedded_direction' was trained on SIMUSDT@sim, and decides about BTCUSDT@binance_usdm all the same"
    )
    assert warning in result.stdout
    own = CliRunner().invoke(cli, ["check", str(root / "btcusdt.toml"), "--recording", recording])
    assert (own.exit_code, "warning" in own.stdout) == (0, False)
