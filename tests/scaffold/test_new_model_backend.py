"""`vtframe new model-backend` writes a backend that works as it stands, and `plugins check` tries the laws on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vtframe.cli.main import cli
from vtframe.testing import BACKEND_CHECKS


def test_what_is_written_passes_its_own_tests_and_keeps_the_laws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["new", "model-backend", "my_linear"])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my_linear.py", "test_my_linear.py"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-k",
        "not spawned and not thread",
    ]
    done = subprocess.run([*command, "test_my_linear.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    checked = CliRunner().invoke(cli, ["plugins", "check", "my_linear.py"])
    assert checked.exit_code == 0, checked.output
    assert f"{len(BACKEND_CHECKS)} kept, 0 broken" in checked.output
