"""Local plugins: Python files beside the configuration, used without installation.

Each is imported under the reserved package ``vtframe_local``, always from its source, so that tracebacks and compiled
features see the real file as it is now, and nothing is written beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from vtframe.errors import PluginError
from vtframe.plugins.blame import cause
from vtframe.plugins.kinds import KINDS, Kind

PACKAGE = "vtframe_local"


class _SourceOnly(SourceFileLoader):
    """Compiles the source at every import: a cached .pyc is taken for current when an edit keeps second and size."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def load_local(path: Path, plugin: str) -> ModuleType:
    """Import the file at ``path``; raises PluginError (in the name of ``plugin``) where it is missing or breaks."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise PluginError(plugin, f"{found} at {path}", "[vtframe] local names Python files, relative to the configuration")
    name = _module_name(path.resolve())
    spec = importlib.util.spec_from_loader(name, _SourceOnly(name, str(path.resolve())))
    if spec is None:
        raise PluginError(plugin, f"{path} cannot be imported", "a local plugin is a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]  # the loader is the one above
    except (Exception, SystemExit) as e:  # noqa: BLE001 - the file is the user's: whatever it raises is told in one line
        del sys.modules[name]
        raise PluginError(plugin, f"broken on import: {cause(e)}") from None
    return module


def files_of(classes: Iterable[type[Any]]) -> tuple[str, ...]:
    """The files of those local plugins that define some of ``classes``, in their order."""
    modules = [sys.modules[cls.__module__] for cls in classes if cls.__module__.startswith(f"{PACKAGE}.")]
    return tuple(dict.fromkeys(str(module.__file__) for module in modules))


def own_parts(module: ModuleType, kind: Kind) -> list[type[Any]]:
    """The classes of ``kind`` that the file itself defines and names, in order: its parts where it writes no hook."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, kind.cls)
        and value.__module__ == module.__name__
        and "name" in vars(value)
    ]


def nameless_parts(module: ModuleType) -> list[str]:
    """Classes that look like parts and have no name of their own, for the message that nothing was found."""
    bases = tuple(kind.cls for kind in KINDS)
    own = (v for v in vars(module).values() if isinstance(v, type) and v.__module__ == module.__name__)
    return [value.__name__ for value in own if issubclass(value, bases)]


def _module_name(path: Path) -> str:
    """``vtframe_local.<stem>``; with a hash of the path where another file of that stem has the name."""
    package = sys.modules.get(PACKAGE)
    if package is None:
        package = ModuleType(PACKAGE, "Local plugins; each module is a file named in [vtframe] local.")
        package.__path__ = []
        sys.modules[PACKAGE] = package
    name = f"{PACKAGE}.{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}"
    holder = sys.modules.get(name)
    if holder is None or holder.__file__ == str(path):
        return name
    return f"{name}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
