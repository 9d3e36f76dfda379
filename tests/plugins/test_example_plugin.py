"""plugins/vtframe-example as a third party would meet it: installed by pip into an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def python(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that sees this one's packages, with the example installed into it.

    No network: dependencies are there already, and the build runs with the hatchling that is installed here.
    """
    folder = tmp_path_factory.mktemp("example") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    parents = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = [f"import site; site.addsitedir({parent!r})\n" for parent in sorted(parents)]
    (site / "parent.pth").write_text("".join(lines))
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *flags, str(root / "plugins" / "vtframe-example")]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (site / "vtframe_example" / "__init__.py").is_file()
    return python


def vtframe(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-W", "error", "-m", "vtframe.cli.main", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def listed(python: Path, folder: Path) -> dict[str, Any]:
    done = vtframe(python, folder, "plugins", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_is_found_by_its_entry_point_and_loaded_only_when_named(python: Path, tmp_path: Path) -> None:
    found = listed(python, tmp_path)
    (example,) = [plugin for plugin in found["plugins"] if plugin["name"] == "example"]
    assert (example["installed"], example["named"], example["loaded"]) == (True, False, False)
    assert example["source"] == "vtframe-example 0.1.0"
    assert [part for part in found["parts"] if part["plugin"] == "example"] == []

    (tmp_path / "vtframe.toml").write_text('[vtframe]\nplugins = ["example"]\n')
    found = listed(python, tmp_path)
    (example,) = [plugin for plugin in found["plugins"] if plugin["name"] == "example"]
    assert (example["named"], example["loaded"], example["broken"]) == (True, True, False)
    parts = {(part["kind"], part["name"]) for part in found["parts"] if part["plugin"] == "example"}
    assert parts == {("feature", "spread_bps"), ("strategy", "one_lot"), ("risk policy", "long_only")}
    assert all(part["doc"] for part in found["parts"] if part["plugin"] == "example")
