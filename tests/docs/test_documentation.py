"""What the documentation says is there, is there, and the other way round."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vtframe.api import hooks

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _pages(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def _blocks(language: str) -> list[tuple[str, str]]:
    root = Path(__file__).resolve().parents[2]
    return [
        (f"{page.relative_to(root)}:{page.read_text()[: match.start()].count(chr(10)) + 1}", match[2])
        for page in _pages(root)
        for match in _FENCE.finditer(page.read_text())
        if match[1] == language
    ]


@pytest.mark.parametrize(("where", "code"), _blocks("python"), ids=[where for where, _ in _blocks("python")])
def test_every_python_block_of_the_documentation_runs(where: str, code: str, tmp_path: Path, root: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, "-W", "error", str(script)], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{where}\n{done.stdout}{done.stderr}"


def test_every_hook_is_documented(root: Path) -> None:
    page = (root / "docs" / "plugins.md").read_text()
    names = [name for name, value in inspect.getmembers(hooks, inspect.isfunction) if hasattr(value, "vtframe_spec")]
    assert len(names) >= 12
    assert [name for name in names if f"`{name}" not in page] == []


def test_every_command_is_documented(root: Path) -> None:
    import click

    from vtframe.cli.main import cli

    pages = "\n".join(page.read_text() for page in _pages(root))
    context = click.Context(cli)
    names = cli.list_commands(context)
    assert {"run", "check", "plugins", "report", "recording", "model", "bench"} <= set(names)
    missing = []
    for name in names:
        command = cli.get_command(context, name)
        paths = [name]
        if isinstance(command, click.Group):
            paths += [f"{name} {child}" for child in command.list_commands(context)]
        missing += [path for path in paths if f"vtframe {path}" not in pages]
    assert missing == []


def test_every_link_inside_the_repository_leads_somewhere(root: Path) -> None:
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in _pages(root)
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_no_file_is_longer_than_the_ceiling(root: Path) -> None:
    long = [
        f"{path.relative_to(root)}: {count}"
        for folder in ("vtframe", "plugins")
        for path in (root / folder).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 400
    ]
    assert long == []
