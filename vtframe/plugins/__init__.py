"""Find parts: built in, installed and named, or in a local file. The configuration decides; installing changes nothing."""

from vtframe.plugins.installed import installed_plugins
from vtframe.plugins.kinds import KINDS, Kind
from vtframe.plugins.load import load_plugins
from vtframe.plugins.manager import Answer, Plugins, PluginStatus
from vtframe.plugins.registry import Entry, Registries, Registry

__all__ = [
    "KINDS",
    "Answer",
    "Entry",
    "Kind",
    "PluginStatus",
    "Plugins",
    "Registries",
    "Registry",
    "installed_plugins",
    "load_plugins",
]
