"""The documentation's TOML and its commands: configurations pass `vtframe check`, commands and their options exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vtframe.cli.main import cli
from vtframe.config import read_config
from vtframe.config.read import TABLES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WHOLE = {"feed", "features", "models", "lanes", "risk"}
_LINE = re.compile(r"^(?:\$ |    )(vtframe .*)$", re.MULTILINE)
_INLINE = re.compile(r"`(vtframe [^`]+)`")


def blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text()
        for match in _TOML.finditer(text):
            yield f"{page.relative_to(ROOT)}:{text[: match.start()].count(chr(10)) + 1}", match[1]


def whole() -> list[tuple[str, str]]:
    return [(where, text) for where, text in blocks() if set(tomllib.loads(text)) >= _WHOLE]


def fragments() -> list[tuple[str, str]]:
    """Parts of a configuration: all of their tables are a configuration's."""
    return [
        (where, text) for where, text in blocks() if set(tomllib.loads(text)) < set(TABLES) and (where, text) not in whole()
    ]


def commands() -> list[str]:
    return sorted({match for page in PAGES for pattern in (_LINE, _INLINE) for match in pattern.findall(page.read_text())})


def test_there_is_something_to_check() -> None:
    assert any(where.startswith("docs/configuration.md") for where, _ in whole())
    assert len(fragments()) >= 3
    assert len(commands()) >= 15


@pytest.mark.parametrize(("where", "text"), whole(), ids=[where for where, _ in whole()])
def test_every_whole_configuration_of_the_documentation_passes_check(where: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "vtframe.toml"
    path.write_text(text.replace('"models/', f'"{ROOT}/models/').replace('"strategies/', f'"{ROOT}/strategies/'))
    result = CliRunner().invoke(cli, ["check", str(path)])
    assert result.exit_code == 0, f"{where}\n{result.output}"


@pytest.mark.parametrize(("where", "text"), fragments(), ids=[where for where, _ in fragments()])
def test_every_part_of_a_configuration_has_only_keys_that_there_are(where: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "vtframe.toml"
    path.write_text(text)
    _, faults = read_config(path)
    assert [str(fault) for fault in faults if fault.problem != "missing"] == [], where


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_documentation_is_there_with_its_options(line: str) -> None:
    context, command = click.Context(cli), cli
    words = re.split(r"[\s\[\]|]+", line.partition("vtframe ")[2])
    while words and isinstance(command, click.Group) and (found := command.get_command(context, words[0])) is not None:
        command, context = found, click.Context(found, parent=context)
        words = words[1:]
    known = {option for parameter in command.get_params(context) for option in (*parameter.opts, *parameter.secondary_opts)}
    assert command is not cli or words[0].startswith("-") or words[0] == "...", f"no command: {line}"
    assert [word for word in words if word.startswith("--") and word.partition("=")[0] not in known] == [], line


def runnable() -> list[str]:
    """Those that need no session, recording or time: they look, and everything that they name is there."""
    found = []
    for line in commands():
        words = shlex.split(line)[1:] if "[" not in line else []
        looks = words[:1] in (["check"], ["plugins"]) or (
            len(words) > 2 and words[:2] in (["model", "inspect"], ["model", "verify"])
        )
        if looks and not any(word.isupper() for word in words):
            found.append(line)
    return found


@pytest.mark.parametrize("line", runnable())
def test_commands_that_only_look_do_what_is_written(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(cli, shlex.split(line)[1:])
    assert result.exit_code == 0, f"{line}\n{result.output}"
