"""``vtframe run``: market data in, risk-checked orders out, a report at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from vtframe.assemble.own_venue import venue_for
from vtframe.assemble.session import Wishes, assemble
from vtframe.assemble.trial import warnings
from vtframe.cli.progress import RunProgress
from vtframe.cli.summary import print_summary


@click.command()
@click.argument("config", type=click.Path(path_type=Path), default="vtframe.toml")
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Play this recorded file instead of the configured feed. Repeatable; files are played in the order given.",
)
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), help="1 plays in real time. Default: as fast as possible."
)
@click.option(
    "--venue-url",
    help="Base URL of an embedded venue (vtframe venue): the feed and the lanes at an exchange are there instead.",
)
@click.option("--session", "folder", type=click.Path(path_type=Path), help="The session's folder; it must not exist yet.")
@click.option(
    "--deterministic",
    is_flag=True,
    help="Do not count processing time against deadlines, so that two runs over one input decide alike.",
)
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON instead of the summary.")
def run(
    config: Path,
    *,
    recordings: tuple[Path, ...],
    speed: float | None,
    venue_url: str | None,
    folder: Path | None,
    deterministic: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a session: market data in, risk-checked orders out, a report at the end.

    CONFIG is ./vtframe.toml where none is named. Ctrl-C stops in order (orders canceled, files closed, report written); a
    second Ctrl-C insists.
    """
    progress = Console(stderr=True, quiet=quiet)

    def announce(message: str) -> None:
        progress.print(f"[dim]{message}[/]", highlight=False)

    with venue_for(config, venue_url, announce) as at:
        wishes = Wishes(
            recordings=recordings,
            speed=speed,
            venue_url=at,
            folder=folder,
            deterministic=deterministic,
            on_compile=announce,
        )
        assembled = assemble(config, wishes)
        session = assembled.session
        for warning in warnings(assembled.examined, session.info.instruments):
            progress.print(f"[yellow]{escape(warning)}[/]", highlight=False, soft_wrap=True)
        with RunProgress(session.look, progress, total=assembled.total):
            outcome = session.run()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(outcome.report)).decode())
    elif not quiet:
        print_summary(outcome.report, session.info.folder, Console())
        progress.print("[dim]next: vtframe parity FOLDER proves that these rows are what its frames make[/]", highlight=False)
    problems = [f"lane {name} failed: {lane['problem']}" for name, lane in outcome.report["lanes"].items() if lane["problem"]]
    problems += [f"sink {name} failed: {reason}" for name, reason in outcome.report["sinks_failed"].items()]
    if unknown := outcome.report["orders"].get("unknown"):
        problems.append(
            f"{unknown} orders are UNKNOWN: nobody heard what became of them; look at the venue before you trade on"
        )
    for problem in [*problems, *_unrecorded(outcome.report.get("recorder", {}))]:
        click.echo(problem, err=True)
    if outcome.interrupted:
        return 130
    if outcome.halted:
        click.echo(outcome.reason, err=True)
        return 3
    return 1 if problems else 0


def _unrecorded(told: dict[str, Any]) -> list[str]:
    """What is not in the recording. Whether that ends a session is declared; it fails none."""
    if not told.get("failed") and not told.get("lost"):
        return []
    why = f"stopped: {told['failed']}" if told["failed"] else "could not keep up"
    return [f"recorder {why}; {told['lost']:,} of {told['inputs']:,} inputs are not in the recording"]
