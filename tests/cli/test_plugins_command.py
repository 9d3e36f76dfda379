"""`vtframe plugins`: what there is, who gives it, and what became of every plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vtframe.builtin import PLUGINS
from vtframe.cli.main import cli

STRATEGY = "from vtframe.api import Strategy\nclass Mine(Strategy):\n    '''Mine, all mine.'''\n    name = 'mine'\n"
STRATEGY += "    def on_prediction(self, prediction, view): ...\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["plugins", *arguments])


def listed(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def test_the_parts_in_the_box_are_listed_with_what_gives_them_and_a_line_about_each() -> None:
    data = listed()
    parts = {(part["kind"], part["name"]): part for part in data["parts"]}
    assert parts["risk policy", "max_position"]["plugin"] == "builtin.risk"
    assert all(part["doc"] for part in data["parts"])
    built_in = [plugin for plugin in data["plugins"] if plugin["origin"] == "built-in"]
    assert [plugin["source"] for plugin in built_in] == list(PLUGINS)
    assert [plugin["problem"] for plugin in built_in if not plugin["loaded"]] == []


def test_local_plugins_of_the_configuration_are_listed_loaded_or_broken_and_why(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(STRATEGY)
    (tmp_path / "bad.py").write_text("nope\n")
    (tmp_path / "vtframe.toml").write_text('[vtframe]\nlocal = ["good.py", "bad.py"]\nplugins = ["absent"]\n[wrong]\n')
    data = listed("list")
    assert {"kind": "strategy", "name": "mine", "plugin": "good.py", "doc": "Mine, all mine."} in data["parts"]
    status = {plugin["name"]: plugin for plugin in data["plugins"]}
    assert (status["good.py"]["loaded"], status["good.py"]["broken"], status["good.py"]["origin"]) == (True, False, "local")
    assert (status["bad.py"]["installed"], status["bad.py"]["loaded"], status["bad.py"]["broken"]) == (True, False, True)
    assert status["bad.py"]["problem"].startswith("broken on import: NameError: name 'nope' is not defined (")
    assert (status["absent"]["installed"], status["absent"]["named"]) == (False, True)
    assert status["absent"]["problem"].startswith("not installed; pip install the package that gives it")


def test_the_table_for_people_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(STRATEGY)
    (tmp_path / "bad.py").write_text("nope\n")
    (tmp_path / "x.toml").write_text('[vtframe]\nlocal = ["good.py", "bad.py"]\nplugins = ["absent"]\n')
    result = run("--config", "x.toml")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any("mine good.py Mine, all mine." in line for line in lines)
    assert any(line.startswith("good.py ") and line.endswith(" loaded") for line in lines)
    assert any(line.startswith("bad.py ") and " broken broken on import: NameError" in line for line in lines)
    assert any(line.startswith("absent not installed not installed") for line in lines)
    assert run("list", "--config", "x.toml").stdout == result.stdout


def test_a_configuration_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    assert run("--config", "no.toml").exit_code == 2
    (tmp_path / "vtframe.toml").write_text("[")
    result = run("--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("vtframe.toml:1: not TOML")
