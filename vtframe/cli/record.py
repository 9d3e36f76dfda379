"""``vtframe record``: a configuration's feed to files, and nothing else."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click
import msgspec
from rich.console import Console

from vtframe.assemble.own_venue import venue_for
from vtframe.assemble.recording_run import RecordingOutcome, RecordingRun
from vtframe.cli.bulk_progress import BulkProgress


@click.command()
@click.argument("config", type=click.Path(path_type=Path), default="vtframe.toml")
@click.option("--out", "folder", type=click.Path(path_type=Path), required=True, help="The folder; it must not exist yet.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many inputs.")
@click.option("--duration", "seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so many seconds.")
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Record what playing this file delivers, instead of the configured feed. Repeatable.",
)
@click.option("--venue-url", help="Base URL of an embedded venue (vtframe venue): a feed of an exchange is there instead.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print what was recorded as JSON.")
def record(
    config: Path,
    *,
    folder: Path,
    count: int | None,
    seconds: float | None,
    recordings: tuple[Path, ...],
    venue_url: str | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Record the feed of CONFIG (./vtframe.toml) into a folder: no model, no order. Ctrl-C stops in order.

    A feed with url = "embedded" brings its venue, as in vtframe run.

    Of the configuration only [vtframe], [feed] and [recorder] are looked at. Exits 0 where the feed ended or enough came, 130
    where it was interrupted, 1 where inputs were lost or the disk took no more, 2 where it could not begin.
    """
    progress = Console(stderr=True, quiet=quiet)

    def announce(message: str) -> None:
        progress.print(f"[dim]{message}[/]", highlight=False)

    venue = nullcontext(None) if recordings else venue_for(config, venue_url, announce, trades=False)
    with venue as at:
        run = RecordingRun(config, folder, count=count, seconds=seconds, recordings=recordings, venue_url=at, announce=announce)
        with BulkProgress("recording", lambda: run.inputs, progress, total=run.total):
            outcome = run.run()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(outcome)).decode())
    elif not quiet:
        click.echo(_as_text(outcome))
    if outcome.interrupted:
        return 130
    return 1 if outcome.recorder["lost"] else 0


def _as_text(found: RecordingOutcome) -> str:
    told = found.recorder
    lost = f", {told['lost']:,} LOST" if told["lost"] else ""
    damaged = f", {found.damaged:,} that the feed could not read" if found.damaged else ""
    return (
        f"{found.folder}: {told['recorded']:,} inputs{lost}{damaged}, {told['bytes']:,} bytes in {len(found.files)} files; "
        f"{found.reason}"
    )
