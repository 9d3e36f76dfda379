"""`vtframe new` writes parts that work as they stand, and overwrites nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vtframe.assemble.check import examine
from vtframe.cli.main import cli


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def new(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["new", *arguments])


def pytest_of(folder: Path, file: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", file]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["feature", "codec", "feed", "strategy", "risk-policy", "execution-adapter"])
def test_what_is_written_passes_its_own_tests(tmp_path: Path, kind: str) -> None:
    result = new(kind, "my_part")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my_part.py", "test_my_part.py"]
    done = pytest_of(tmp_path, "test_my_part.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


CONFIG = '[vtframe]\nlocal = ["lean.py", "my_venue.py"]\n[feed]\nuse = "market"\n[[features]]\nuse = "lean"\nweight = 0.5\n'


def test_check_takes_what_is_written_as_local_plugins(tmp_path: Path) -> None:
    new("feature", "lean")
    new("codec", "my_venue")
    (tmp_path / "vtframe.toml").write_text(CONFIG)
    examined = examine(tmp_path / "vtframe.toml")
    assert [fault for fault in examined.faults if fault.table.startswith(("[[features]]", "[vtframe]"))] == []
    assert examined.columns == ("lean",)
    assert "my_venue" in examined.plugins.registries.codecs.names()
    (tmp_path / "vtframe.toml").write_text(CONFIG.replace("0.5", "7"))
    assert [fault.key for fault in examine(tmp_path / "vtframe.toml").faults if fault.table.startswith("[[features]]")] == [
        "weight"
    ]


@pytest.mark.parametrize("file", ["lean.py", "test_lean.py"])
def test_nothing_is_overwritten(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("mine\n")
    result = new("feature", "lean")
    assert result.exit_code == 2
    assert f"{file}: is there already, and nothing is overwritten" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_text() == "mine\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MyFeature", "did you mean 'my_feature'?"),
        ("my-feature", "did you mean 'my_feature'?"),
        ("2fast", "did you mean 'fast'?"),
        ("../up", "did you mean 'up'?"),
        ("été", "small letters, digits and underscores"),
        ("lambda", "is a word of Python or a module's name"),
        ("time", "is a word of Python or a module's name"),
        ("numpy", "is a word of Python or a module's name"),
    ],
)
def test_a_name_that_no_part_can_have_is_refused(tmp_path: Path, name: str, words: str) -> None:
    result = new("feature", name)
    assert result.exit_code == 2
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    result = new("feature", "lean")
    assert result.exit_code == 2
    assert "lean.py: cannot be written: No such file or directory" in result.stderr
