"""Third-party plugins by entry point. Looking imports nothing: what is not named in the configuration is never imported."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint, entry_points

from vtframe.api.hooks import ENTRY_POINT_GROUP
from vtframe.errors import PluginError

OFFICIAL = ("onnx",)
"""Plugins that we publish, as vtframe-NAME."""


def installed_plugins() -> dict[str, list[EntryPoint]]:
    """The entry points of the group by name; more than one under a name where distributions clash."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        known = found.setdefault(point.name, [])
        if all(distribution(point) != distribution(other) for other in known):
            known.append(point)
    return dict(sorted(found.items()))


def distribution(point: EntryPoint) -> str:
    """``vtframe-example 0.1.0``: what pip knows the plugin as."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def find_plugin(name: str, installed: Mapping[str, list[EntryPoint]]) -> EntryPoint:
    """The entry point called ``name``; raises PluginError where none or more than one has that name."""
    points = installed.get(name, [])
    if len(points) > 1:
        owners = " and ".join(distribution(point) for point in points)
        raise PluginError(name, f"{owners} both give a plugin of this name", "uninstall one of them")
    if not points:
        raise PluginError(name, "not installed", _advice(name, installed))
    return points[0]


def _advice(name: str, installed: Collection[str]) -> str:
    """What to do about a missing plugin. A package is named only where it is ours: a guess might be anybody's package."""
    bare = name.removeprefix("vtframe-").removeprefix("vtframe_").replace("-", "_")
    near = [bare] if bare in installed else difflib.get_close_matches(name, installed, n=1)
    ours = [bare] if bare in OFFICIAL else difflib.get_close_matches(bare, OFFICIAL, n=1)
    install = f"pip install vtframe-{ours[0]}" if ours else "pip install the package that gives it"
    if not near:
        return install
    return f"did you mean {near[0]!r}?" + (f" else {install}" if near != ours else "")
