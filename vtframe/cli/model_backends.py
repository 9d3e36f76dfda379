"""The backend of a bundle, for commands: from the plugins that a configuration names, or the installed plugin of its name."""

from __future__ import annotations

from pathlib import Path

from vtframe.api import ModelBackend
from vtframe.builtin import PLUGINS
from vtframe.builtin.ensemble.backend import knowing
from vtframe.cli.plugin_commands import DEFAULT_CONFIG
from vtframe.config import SessionTable, read_config
from vtframe.plugins import Plugins, load_plugins


def backend_of(name: str, config: Path | None) -> ModelBackend:
    """Backend ``name`` with its usual settings; see ``backend_class``."""
    plugins = _plugins_with(name, config)
    backends = plugins.registries.model_backends
    return knowing(backends.get(name)(), backends.classes().values())


def backend_class(name: str, config: Path | None) -> type[ModelBackend]:
    """The class of backend ``name``; naming a bundle asks for the plugin that is named like its backend.

    ``config`` is a configuration, else ./vtframe.toml where there is one. Raises ConfigError or PluginError.
    """
    return _plugins_with(name, config).registries.model_backends.get(name)


def _plugins_with(name: str, config: Path | None) -> Plugins:
    session, folder = SessionTable(), Path()
    if config is not None or DEFAULT_CONFIG.is_file():
        read, _ = read_config(config or DEFAULT_CONFIG)
        session, folder = read.session, read.folder
    plugins = load_plugins(PLUGINS, named=session.plugins, local=session.local, folder=folder)
    if name not in plugins.registries.model_backends.names() and name not in session.plugins:
        plugins = load_plugins(named=[name])
        plugins.raise_errors()
    return plugins
