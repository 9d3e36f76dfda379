"""Finds and imports plugins: built in by list, installed by name, local by file. Nothing that is not named is imported."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from vtframe.errors import PluginError
from vtframe.plugins.blame import cause
from vtframe.plugins.installed import distribution, find_plugin, installed_plugins
from vtframe.plugins.local import load_local
from vtframe.plugins.manager import Plugins


def load_plugins(
    builtin: Sequence[str] = (), *, named: Sequence[str] = (), local: Sequence[str] = (), folder: Path | None = None
) -> Plugins:
    """Load built-in modules by import path, installed plugins by entry-point name, and local files relative to ``folder``."""
    plugins = Plugins()
    for module in builtin:
        name = module.removeprefix("vtframe.").removesuffix(".hooks")
        plugins.add(name, "built-in", module, partial(_import, module, name))
    installed = installed_plugins()
    for name in dict.fromkeys(named):
        source = " and ".join(distribution(point) for point in installed.get(name, [])) or "not installed"
        plugins.add(name, "installed", source, partial(_import_installed, name, installed), installed=name in installed)
    base = folder or Path()
    for text in dict.fromkeys(local):
        path = base / Path(text).expanduser()
        plugins.add(text, "local", str(path), partial(load_local, path, text), installed=path.is_file())
    for name, points in installed.items():
        if name not in named:
            plugins.list_unnamed(name, " and ".join(distribution(point) for point in points))
    return plugins


def _import(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as e:  # noqa: BLE001 - told as one line that names the plugin
        raise PluginError(name, f"broken on import: {cause(e)}") from None


def _import_installed(name: str, installed: Mapping[str, list[EntryPoint]]) -> Any:
    point = find_plugin(name, installed)
    try:
        return point.load()
    except (Exception, SystemExit) as e:  # noqa: BLE001 - a stranger's module may raise anything while it is imported
        raise PluginError(name, f"broken on import: {cause(e)}") from None
