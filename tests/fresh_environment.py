"""An environment of its own, and what a third party would do in it: install by pip, call the command line."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


class FreshEnvironment:
    """A new environment that sees this one's packages. No network: dependencies are there already, and builds run with the
    hatchling that is installed here."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        self.site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        parents = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        lines = [f"import site; site.addsitedir({parent!r})\n" for parent in sorted(parents)]
        (self.site / "parent.pth").write_text("".join(lines))

    def install(self, distribution: Path) -> None:
        flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", *flags, str(distribution)]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``python ARGUMENTS`` in a folder, where a warning is an error."""
        command = [str(self.python), "-W", "error", *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    def vtframe(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(folder, "-m", "vtframe.cli.main", *arguments)
