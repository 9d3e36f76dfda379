"""Commands that plugins add. They join where ./vtframe.toml names the plugins; a broken one never breaks the command line."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click

from vtframe.config import read_config
from vtframe.errors import ConfigError

DEFAULT_CONFIG = Path("vtframe.toml")


class Found(NamedTuple):
    """Commands by name, and in words why some could not be looked for."""

    commands: dict[str, click.Command]
    problems: tuple[str, ...]


@cache
def find_commands(config: Path = DEFAULT_CONFIG) -> Found:
    """The commands of the plugins that ``config`` names; nothing where there is no such file."""
    if not config.is_file():
        return Found({}, ())
    try:
        session = read_config(config)[0].session
    except ConfigError as e:
        return Found({}, (str(e.faults[0]),))
    if not session.plugins and not session.local:
        return Found({}, ())
    loader = importlib.import_module("vtframe.plugins")  # brings numpy: only where there is something to load
    plugins = loader.load_plugins(named=session.plugins, local=session.local, folder=config.resolve().parent)
    commands = {name: command for name, (command, _) in plugins.commands.items()}
    return Found(commands, tuple(str(error) for error in plugins.errors))
