"""`vtframe new plugin` writes a distribution that pip installs, whose tests pass, and whose parts keep the laws."""

from __future__ import annotations

import ast
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fresh_environment import FreshEnvironment

from vtframe.cli.main import cli
from vtframe.testing import CODEC_CHECKS, FEATURE_CHECKS, FEED_CHECKS

KINDS = ("feature", "codec", "feed", "strategy", "risk-policy")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def new(name: str, *kinds: str) -> Any:
    return CliRunner().invoke(cli, ["new", "plugin", name, *(text for kind in kinds for text in ("--with", kind))])


def test_what_is_written_is_installed_by_pip_tested_and_checked_elsewhere(tmp_path: Path) -> None:
    result = new("my_part", *KINDS)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "vtframe-my-part"
    fresh = FreshEnvironment(tmp_path / "env")
    fresh.install(folder)
    (folder / "vtframe_my_part").rename(tmp_path / "away")  # what is tested is what was installed

    # the laws are tried below, by the command; that the written tests try them too is seen in test_new_parts.py
    tested = fresh.run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not keeps_the_laws")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert f" passed, {len(FEATURE_CHECKS) + 2 * len(CODEC_CHECKS) + len(FEED_CHECKS)} deselected" in tested.stdout

    checked = fresh.vtframe(tmp_path, "plugins", "check", "my_part", "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = Counter((one["kind"], one["outcome"]) for one in json.loads(checked.stdout))
    assert found["feature", "kept"] == len(FEATURE_CHECKS)
    assert found["codec", "kept"] == 2 * len(CODEC_CHECKS), "the feed has one, too"
    assert found["feed", "kept"] == len(FEED_CHECKS)
    assert {outcome for _, outcome in found} <= {"kept", "not tried"}

    (tmp_path / "vtframe.toml").write_text('[vtframe]\nplugins = ["my_part"]\n')
    listed = json.loads(fresh.vtframe(tmp_path, "plugins", "--json").stdout)
    (own,) = [plugin for plugin in listed["plugins"] if plugin["name"] == "my_part"]
    assert (own["source"], own["named"], own["loaded"], own["broken"]) == ("vtframe-my-part 0.1.0", True, True, False)
    parts = [part for part in listed["parts"] if part["plugin"] == "my_part"]
    assert {part["kind"] for part in parts} == {kind.replace("-", " ") for kind in KINDS}
    assert {part["name"] for part in parts} == {"my_part", "my_part_messages"}
    assert all(part["doc"] for part in parts)


def test_a_feed_brings_its_codec_so_that_its_recordings_can_be_played(tmp_path: Path) -> None:
    assert new("lean", "feed").exit_code == 0
    text = (tmp_path / "vtframe-lean" / "vtframe_lean" / "__init__.py").read_text()
    assert "from vtframe_lean.feed import LeanFeed, LeanFeedCodec" in text
    assert "def register_codecs() -> Sequence[type[Codec]]:\n    return (LeanFeedCodec,)" in text
    assert "def register_feeds() -> Sequence[type[Feed]]:\n    return (LeanFeed,)" in text


@pytest.mark.parametrize("kinds", [(), ("strategy",), ("risk-policy", "feature", "feature")])
def test_it_holds_the_parts_that_were_asked_for_each_once(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    assert new("lean", *kinds).exit_code == 0
    folder = tmp_path / "vtframe-lean"
    modules = {kind.replace("-", "_") for kind in kinds or ("feature",)}
    assert {path.stem for path in (folder / "vtframe_lean").glob("*.py")} == {"__init__", *modules}
    assert {path.stem for path in (folder / "tests").iterdir()} == {f"test_lean_{module}" for module in modules}
    hooks = {
        node.name
        for node in ast.walk(ast.parse((folder / "vtframe_lean" / "__init__.py").read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert len(hooks) == len(modules)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["entry-points"]) == ("vtframe-lean", {"vtframe.v1": {"lean": "vtframe_lean"}})
    assert 'plugins = ["lean"]' in (folder / "README.md").read_text()
    left = [path.name for path in folder.rglob("*") if path.is_file() and "$" in path.read_text()]
    assert left == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "vtframe-lean").mkdir()
    result = new("lean")
    assert result.exit_code == 2
    assert "vtframe-lean: is there already, and nothing is overwritten" in result.stderr
    assert list((tmp_path / "vtframe-lean").iterdir()) == []


def test_a_name_that_no_package_can_have_and_a_kind_that_is_none_are_refused(tmp_path: Path) -> None:
    assert "did you mean 'my_lean'?" in new("My-Lean").stderr
    unknown = new("lean", "sink")
    assert unknown.exit_code == 2
    assert "'sink' is not one of" in unknown.stderr
    assert list(tmp_path.iterdir()) == []
