"""The codecs that ``vtframe recording`` reads with: those in the box, and those of the plugins that a configuration names."""

from __future__ import annotations

from pathlib import Path

from vtframe.api import Codec
from vtframe.builtin import PLUGINS
from vtframe.cli.plugin_commands import DEFAULT_CONFIG
from vtframe.config import SessionTable, read_config
from vtframe.plugins import load_plugins


def known_codecs(config: Path | None) -> dict[str, type[Codec]]:
    """By name; of ./vtframe.toml where ``config`` names none."""
    path = config or DEFAULT_CONFIG
    session, folder = SessionTable(), Path()
    if config is not None or path.is_file():
        read, _ = read_config(path)
        session, folder = read.session, read.folder
    return load_plugins(PLUGINS, named=session.plugins, local=session.local, folder=folder).registries.codecs.classes()
