"""``vtframe check``: every fault of a configuration at once, without trading."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vtframe.assemble.check import Examined, examine
from vtframe.assemble.feed_table import feed_overrides
from vtframe.assemble.trial import Trial, try_out
from vtframe.config import in_order
from vtframe.errors import ConfigError, Fault


@click.command()
@click.argument("config", type=click.Path(path_type=Path), default="vtframe.toml")
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Check with this recorded file instead of the configured feed, as `vtframe run` would play it. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the faults as a JSON list.")
def check(config: Path, *, recordings: tuple[Path, ...], as_json: bool) -> int:
    """Check a configuration without trading; every fault at once.

    Compiles its features (kept for the next start), opens its models and looks at its recordings; needs no network.
    CONFIG is ./vtframe.toml where none is named. Exits 0 where a session can be made of it, 2 where not.
    """
    faults: tuple[Fault, ...]
    progress = Console(stderr=True)
    try:
        examined = examine(config, overrides=feed_overrides(config, recordings))
    except ConfigError as e:
        faults = e.faults
    else:
        trial = try_out(examined, lambda message: progress.print(f"[dim]{escape(message)}[/]", highlight=False))
        faults = tuple(in_order((*examined.faults, *trial.faults)))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(faults)).decode())
    elif faults:
        for fault in faults:
            click.echo(str(fault), err=True)
        click.echo(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}", err=True)
    else:
        _print_summary(examined, trial)
    return 2 if faults else 0


def _print_summary(examined: Examined, trial: Trial) -> None:
    """What the configuration would run."""
    config, parts = examined.config, examined.usable_parts()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("feed", ": ".join(part for part in (type(parts.feed).name, ", ".join(trial.instruments)) if part))
    table.add_row("features", ", ".join(feature.label for feature in parts.features))
    table.add_row("rows", f"{len(examined.columns)} columns of {config.rows.dtype}, sampled by {config.sampling}")
    for model in parts.models:
        bundle = examined.bundles[model.name]
        table.add_row("model", f"{model.name}: {bundle.backend}, {bundle.window} row(s), {model.where}, {bundle.hash[:12]}")
    for lane in parts.lanes:
        limits = "".join(f", limit {type(limit).name}" for limit in lane.limits)
        path = f"{lane.table.model} -> {type(lane.strategy).name} -> {type(lane.execution).name}"
        kind = "shadow lane" if lane.table.shadow else "lane"
        limits += f", only {', '.join(lane.table.instruments)}" if lane.table.instruments else ""
        table.add_row(kind, f"{lane.id}: {path}, {lane.table.capital} quote, late: {lane.table.when_late}{limits}")
    table.add_row("risk", ", ".join(type(policy).name for policy in parts.risk))
    if parts.sinks:
        table.add_row("sinks", ", ".join(type(sink).name for sink in parts.sinks))
    named = (*config.session.plugins, *config.session.local)
    if named:
        table.add_row("plugins", ", ".join(named))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[green]OK[/green] {config.path}")
    console.print(table)
    for warning in trial.warnings:
        console.print(f"[yellow]warning[/yellow] {escape(warning)}")
