"""``vtframe plugins``: which parts there are and who gives them; which plugins there are and what became of them."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vtframe.api import Feature
from vtframe.builtin import PLUGINS
from vtframe.cli.plugin_commands import DEFAULT_CONFIG
from vtframe.config import SessionTable, read_config
from vtframe.errors import PluginError
from vtframe.features.python_calls import COST
from vtframe.plugins import Entry, Plugins, installed_plugins, load_plugins
from vtframe.testing.plugin_check import Verdict, check_part

_CONFIG = click.option(
    "-c", "--config", type=click.Path(path_type=Path), help="Load the plugins that it names; ./vtframe.toml where there is one."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print for machines.")


@click.group(invoke_without_command=True)
@_CONFIG
@_JSON
@click.pass_context
def plugins(ctx: click.Context, *, config: Path | None, as_json: bool) -> None:
    """List parts by kind, and plugins with what became of them."""
    if ctx.invoked_subcommand is None:
        _show(config, as_json=as_json)
    else:
        ctx.obj = (config, as_json)


@plugins.command("list")
@_CONFIG
@_JSON
@click.pass_obj
def list_plugins(outer: tuple[Path | None, bool], *, config: Path | None, as_json: bool) -> None:
    """List parts by kind, and plugins with what became of them."""
    _show(config or outer[0], as_json=as_json or outer[1])


@plugins.command("check")
@click.argument("name")
@click.option("--recording", type=click.Path(path_type=Path), help="Messages to try a codec on, where it has no examples.")
@_CONFIG
@_JSON
@click.pass_obj
def check_plugin(
    outer: tuple[Path | None, bool], *, name: str, recording: Path | None, config: Path | None, as_json: bool
) -> int:
    """Try the laws of the conformance kit on every part of a plugin.

    NAME is a plugin (as `vtframe plugins` lists it, or a Python file with parts) or one part. Exits 1 where a law is broken.
    """
    as_json = as_json or outer[1]
    chosen = _parts_of(name, config or outer[0])
    verdicts = []
    for part in chosen:
        if not as_json:
            click.echo(f"{part.kind} {part.name}")
        for verdict in check_part(part, recording=recording):
            verdicts.append(verdict)
            if not as_json:
                click.echo(_line(verdict))
    broken = sum(verdict.outcome == "broken" for verdict in verdicts)
    kept = sum(verdict.outcome == "kept" for verdict in verdicts)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(verdicts)).decode())
    else:
        click.echo(f"{kept} kept, {broken} broken, {len(verdicts) - kept - broken} not tried")
    return 1 if broken or not kept else 0


def _line(verdict: Verdict) -> str:
    law = verdict.law.removeprefix("check_").replace("_", " ")
    told = f": {verdict.problem}" if verdict.problem else ""
    return f"  {verdict.outcome:<9} {law}{told}" if law else f"  {verdict.outcome}{told}"


def _parts_of(name: str, config: Path | None) -> list[Entry]:
    """The parts of the plugin called ``name``, or the part of that name. Raises PluginError where there is neither."""
    found = _load(config, also=name)
    names = {name, str(Path(name).absolute())}  # of a file that no configuration names
    for error in found.errors:
        if error.plugin in names:
            raise error
    parts = [part for part in found.parts if part.plugin in names] or [part for part in found.parts if part.name == name]
    if not parts:
        known = [*found.loaded, *(part.name for part in found.parts)]
        near = difflib.get_close_matches(name, known, n=1)
        raise PluginError(name, "no plugin and no part has this name", f"did you mean {near[0]!r}?" if near else "")
    return parts


def _show(config: Path | None, *, as_json: bool) -> None:
    found = _load(config)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_as_data(found))).decode())
    else:
        _print(found)


def _load(config: Path | None, *, also: str = "") -> Plugins:
    """Load what the configuration names, and the plugin called ``also`` where there is one installed, or a file of that name.

    The configuration's other faults are not asked about here; ``vtframe check`` tells them.
    """
    path = config or DEFAULT_CONFIG
    session, folder = SessionTable(), Path()
    if config is not None or path.is_file():
        read, _ = read_config(path)
        session, folder = read.session, read.folder
    named, local = list(session.plugins), list(session.local)
    if also in installed_plugins():
        named.append(also)
    if also.endswith(".py") and also not in local:
        local.append(str(Path(also).absolute()))
    return load_plugins(PLUGINS, named=named, local=local, folder=folder)


def _as_data(found: Plugins) -> dict[str, Any]:
    parts = [{"kind": part.kind, "name": part.name, "plugin": part.plugin, "doc": _told(part)} for part in found.parts]
    commands = [
        {"kind": "command", "name": name, "plugin": plugin, "doc": command.get_short_help_str(200)}
        for name, (command, plugin) in found.commands.items()
    ]
    status = [
        {
            "name": plugin.name,
            "origin": plugin.origin,
            "source": plugin.source,
            "installed": plugin.installed,
            "named": plugin.named,
            "loaded": plugin.loaded,
            "broken": bool(plugin.problem),
            "problem": plugin.problem,
        }
        for plugin in found.status
    ]
    return {"parts": parts + commands, "plugins": status}


def _told(part: Entry) -> str:
    slow = issubclass(part.cls, Feature) and part.cls.python
    return f"{part.summary} (not compiled: runs as Python, {COST})" if slow else part.summary


def _print(found: Plugins) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    parts = _table("kind", "name", "plugin", "what it is")
    previous = ""
    for part in _as_data(found)["parts"]:
        kind = part["kind"] if part["kind"] != previous else ""
        previous = part["kind"]
        parts.add_row(kind, part["name"], escape(part["plugin"]), escape(part["doc"].replace("``", "")))
    console.print(parts)
    console.print()
    table = _table("plugin", "from", "state", "why")
    for plugin in found.status:
        if plugin.loaded:
            state = "[green]loaded[/green]"
        elif plugin.named:
            state = "[red]broken[/red]" if plugin.installed else "[red]not installed[/red]"
        else:
            state = "installed, not named"
        table.add_row(escape(plugin.name), escape(plugin.source), state, escape(plugin.problem))
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
