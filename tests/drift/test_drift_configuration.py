"""What is wrong with a rule on drift is told by `vtframe check`, with line, key and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from vtframe.assemble import drift as drift_of_assemble
from vtframe.assemble.check import examine
from vtframe.cli.main import cli
from vtframe.inference.bundle import load_bundle, write_bundle
from vtframe.inference.bundle_format import read_description

GOOD = 'model = "btcusdt_direction"\nwarn = 0.2\n'


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    path = tmp_path / "vtframe.toml"
    path.write_text((root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/"))
    return path


def faults_of(config: Path, rule: str) -> list[tuple[str, str, str]]:
    """Table and key, problem and hint of each fault, after checking that each names its line."""
    before = config.read_text()
    text = f"{before}\n[[drift]]\n{rule}"
    config.write_text(text)
    found = examine(config).faults
    config.write_text(before)
    first = text[: text.index("[[drift]]")].count("\n") + 1
    for fault in found:
        assert fault.line is not None
        assert first <= fault.line <= first + rule.count("\n"), fault
        assert fault.file == str(config)
        if fault.key.split(" ")[0] in [line.split(" ")[0] for line in rule.splitlines()]:
            key = fault.key.split(" ")[0]
            assert text.splitlines()[fault.line - 1].startswith(key), fault
    return [(f"{fault.table} {fault.key}", fault.problem, fault.hint) for fault in found]


def test_good_rules_have_no_fault(config: Path) -> None:
    assert faults_of(config, GOOD) == []
    assert faults_of(config, GOOD + 'measure = "ks"\ncolumns = ["microprice"]\nwindow = 500\nevery = 50\nhalt = 0.9\n') == []
    assert faults_of(config, GOOD + 'watch = "scores"\nmeasure = "log_loss"\nshrink = 0.2\nfactor = 0.1\n') == []
    assert faults_of(config, GOOD + 'watch = "scores"\nmeasure = "adwin"\ndelta = 0.01\nreduce_only = 0.2\n') == []


@pytest.mark.parametrize(
    ("rule", "key", "problem", "hint"),
    [
        ("warn = 0.1\n", "model", "missing; expected a string", ""),
        ('model = "btcusdt_dirction"\nwarn = 1\n', "model", "no model 'btcusdt_dirction'", "did you mean 'btcusdt_direction'?"),
        (
            'model = "btcusdt_direction"\n',
            "warn",
            "missing; expected a number, more than 0",
            "give at least one of warn, shrink",
        ),
        (GOOD + "halt = 0.1\n", "halt", "found 0.1, under warn = 0.2", "answers become stricter: warn, shrink"),
        (GOOD + "shrink = -1\n", "shrink", "found -1 (integer), expected a number, more than 0", ""),
        (GOOD + 'halt = "now"\n', "halt", 'found "now" (string), expected a number, more than 0', ""),
        (GOOD + "shrink = 0.3\nfactor = 1.5\n", "factor", "expected a number, more than 0, less than 1", ""),
        (GOOD + "factor = 0.5\n", "factor", "found 0.5, which nothing uses", "say from which value on: shrink = ..."),
        (GOOD + "delta = 0.1\n", "delta", "found 0.1, which nothing uses", 'measure = "adwin"'),
        (GOOD + "window = 1010\n", "window", "found 1010, expected a multiple of every = 250", ""),
        (GOOD + "every = 300\n", "every", "found 5000, expected a multiple of every = 300", ""),
        (GOOD + "window = 10\nevery = 10\n", "window", "expected an integer, at least 100, at most 1000000", ""),
        (GOOD + 'measure = "log_loss"\n', "measure", 'found "log_loss", expected "psi" or "ks" or "adwin"', 'watch = "inputs"'),
        (GOOD + 'watch = "scores"\n', "measure", 'missing, expected "log_loss" or "adwin"', 'watch = "scores"'),
        (GOOD + 'measure = "kss"\n', "measure", 'found "kss" (string), expected one of', "did you mean 'ks'?"),
        (GOOD + 'watch = "scores"\nmeasure = "adwin"\ncolumns = ["microprice"]\n', "columns", "found columns with watch", ""),
        (GOOD + 'columns = ["microprice", "micro_spred"]\n', "columns 2", "reads no column 'micro_spred'", "'micro_spread'?"),
        (GOOD + 'measure = "ks"\nhalt = 2\n', "halt", "found 2, which is never reached", "between 0 and 1"),
        (GOOD + "wran = 0.1\n", "wran", "found an unknown key", "did you mean 'warn'?"),
    ],
)
def test_a_fault_of_a_rule_is_told_with_line_and_key(config: Path, rule: str, key: str, problem: str, hint: str) -> None:
    found = faults_of(config, rule)
    assert [place for place, _, _ in found] == [f"[[drift]] 1 {key}"], found
    assert problem in found[0][1]
    assert hint in found[0][2]


def test_all_faults_of_a_rule_are_told_at_once(config: Path) -> None:
    rule = 'model = "nobody"\nwatch = "scores"\nmeasure = "psi"\ncolumns = ["x"]\nwindow = 999\nfactor = 0.5\n'
    assert [place.split()[2] for place, _, _ in faults_of(config, rule)] == [
        "warn",
        "model",
        "measure",
        "columns",
        "window",
        "factor",
    ]


def test_drift_that_is_no_array_of_tables_is_told(config: Path) -> None:
    config.write_text("drift = 3\n" + config.read_text())
    assert [str(fault).split(": ", 1)[1] for fault in examine(config).faults] == [
        "found 3 (integer), expected an array of tables: [[drift]]"
    ]


def test_a_bundle_that_does_not_say_how_its_columns_lay_is_told(config: Path, root: Path, tmp_path: Path) -> None:
    old = root / "models" / "btcusdt_direction"
    described = read_description(old / "bundle.toml")
    bare = type(described.input)(
        **{n: getattr(described.input, n) for n in described.input.__struct_fields__ if n != "training"}
    )
    fields = {n: getattr(described, n) for n in described.__struct_fields__} | {"input": bare}
    write_bundle(tmp_path / "btcusdt_direction", type(described)(**fields), {"model.onnx": (old / "model.onnx").read_bytes()})
    config.write_text(config.read_text().replace(str(old), "btcusdt_direction"))
    assert examine(config).faults == ()
    found = faults_of(config, GOOD + 'columns = ["microprice", "micro_spread"]\n')
    assert found[0][0] == "[[drift]] 1 model"
    assert "does not say how microprice, micro_spread lay in training" in found[0][1]


def test_adwin_without_river_is_told_with_what_to_install(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_of_assemble, "available", lambda: False)
    found = faults_of(config, GOOD + 'measure = "adwin"\n')
    assert found == [
        (
            "[[drift]] 1 measure",
            'found "adwin", which needs the library river; it is not installed',
            "pip install vtframe[drift]",
        )
    ]


def test_vtframe_check_prints_the_fault_as_json(config: Path) -> None:
    config.write_text(config.read_text() + "\n[[drift]]\n" + GOOD + "halt = 0.1\n")
    done = CliRunner().invoke(cli, ["check", str(config), "--json"])
    assert done.exit_code == 2
    found = [fault for fault in json.loads(done.stdout) if fault["table"] == "[[drift]] 1"]
    assert [(fault["key"], fault["problem"]) for fault in found] == [("halt", "found 0.1, under warn = 0.2")]


@pytest.mark.parametrize("name", ["btcusdt_direction", "embedded_direction"])
def test_the_demo_bundles_say_how_each_of_their_columns_lay(root: Path, name: str) -> None:
    bundle = load_bundle(root / "models" / name)
    assert set(bundle.training) == set(bundle.columns)
    assert {column.rows for column in bundle.training.values()} == {bundle.provenance["rows"]["training"]}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[input.training.microprice]", "[input.training.macroprice]", "is no column of [[input.features]]"),
        ("edges = [-0.95087415, -0.4785241", "edges = [-0.4785241, -0.95087415", "ascending order"),
        ("edges = [-0.95087415, ", "edges = [nan, ", "finite numbers"),
        ("edges = [-0.95087415, ", "edges = [", "found 22, expected one more than edges: 21"),
        ("shares = [0.0, 0.050175344", "shares = [0.5, 0.050175344", "they are 1.5"),
    ],
)
def test_training_columns_that_make_no_sense_are_refused(root: Path, tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = (root / "models" / "btcusdt_direction" / "bundle.toml").read_text()
    head, mark, tail = text.partition("[input.training.microprice]")
    assert old in mark + tail
    path = tmp_path / "bundle.toml"
    path.write_text(head + (mark + tail).replace(old, new, 1))
    with pytest.raises(Exception, match=r"bundle.toml \[input.training.m.croprice\]") as caught:
        read_description(path)
    assert problem in str(caught.value)
