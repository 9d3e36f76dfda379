"""``vtframe features``: recordings in, one Parquet file of rows out, with labels where they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from rich.console import Console
from rich.table import Table

from vtframe.assemble.data_set import DataSetRun, DataSetSummary, DataSetWishes
from vtframe.cli.bulk_progress import BulkProgress
from vtframe.dataset.labels import Kind, LabelRule


@click.command()
@click.argument("recordings", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default=Path("vtframe.toml"),
    help="Features, sampling, feed; ./vtframe.toml.",
)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The Parquet file to make.")
@click.option(
    "--label", "kind", type=click.Choice(get_args(Kind)), help="Label every row; docs/features-command.md defines them."
)
@click.option("--horizon-rows", type=click.IntRange(min=1), help="The label's horizon, in rows of the instrument.")
@click.option("--horizon-ms", type=click.IntRange(min=1), help="The label's horizon, in milliseconds of ts_recv.")
@click.option("--threshold-bps", type=click.FloatRange(min=0), default=0.0, help="A move up to this is flat (directions).")
@click.option("--upper-bps", type=click.FloatRange(min=0, min_open=True), help="The upper barrier (triple_barrier).")
@click.option("--lower-bps", type=click.FloatRange(min=0, min_open=True), help="The lower barrier (triple_barrier).")
@click.option("--barrier-column", help="Barriers are multiples of this column, such as a volatility in bps (triple_barrier).")
@click.option("--venue", help="Of other people's files: the venue, where they do not say it.")
@click.option("--symbol", help="Of other people's files: the venue's symbol.")
@click.option("--tick-size", help="Of other people's files: the price step, such as 0.1.")
@click.option("--lot-size", help="Of other people's files: the quantity step, such as 0.001.")
@click.option("--fresh", is_flag=True, help="Drop unfinished work, and make every row anew.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def features(
    recordings: tuple[Path, ...],
    *,
    config: Path,
    out: Path,
    fresh: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Make a data set: the rows that a session would make of RECORDINGS (or of the configured feed), bit for bit.

    A run that was stopped or killed goes on from its last checkpoint when the same command is given again. OUT is there in
    full or not at all. Reads our recordings, hftbacktest .npz, LOBSTER csv, Tardis incremental_book_L2 csv, NautilusTrader
    Parquet deltas.
    """
    progress = Console(stderr=True, quiet=quiet)
    run = DataSetRun(
        DataSetWishes(
            config=config,
            out=out,
            recordings=recordings,
            feed={key: settings[key] for key in ("venue", "symbol", "tick_size", "lot_size") if settings[key] is not None},
            label=_label(settings),
            fresh=fresh,
            force=force,
            on_compile=lambda message: progress.print(f"[dim]{message}[/]", highlight=False),
        )
    )
    if run.done_before:
        found = run.summary()
    else:
        with run.work:
            try:
                with BulkProgress("playing", lambda: run.inputs, progress, total=run.total):
                    run.make_rows()
                with BulkProgress("writing", lambda: run.written, progress, total=run.rows, unit="rows"):
                    found = run.write()
            except KeyboardInterrupt:
                click.echo(f"stopped; the same command goes on behind what lies in {run.work.folder}", err=True)
                return 130
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif not quiet:
        _print(found, Console(highlight=False, soft_wrap=True))
    return 0


def _label(settings: dict[str, Any]) -> LabelRule | None:
    """The rule that the options spell; raises UsageError where they do not go together."""
    kind = settings["kind"]
    names = ("horizon_rows", "horizon_ms", "threshold_bps", "upper_bps", "lower_bps", "barrier_column")
    chosen = {name: settings[name] for name in names if settings[name] is not None}
    if kind is None:
        lone = [name for name, value in chosen.items() if value]
        if lone:
            raise click.UsageError(f"--{lone[0].replace('_', '-')} goes with --label")
        return None
    try:
        return LabelRule(kind=kind, **chosen)
    except ValueError as e:
        raise click.UsageError(f"--label {kind}: {e}") from None


def _print(found: DataSetSummary, console: Console) -> None:
    if found.done_before:
        console.print(f"{found.out} is there already, of these very data: {found.rows:,} rows")
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    again = f" ({found.again:,} made again and compared)" if found.again else ""
    before = f", {found.resumed:,} of them by an earlier run{again}" if found.resumed else ""
    table.add_row("rows", f"{found.rows:,}, {found.valid:,} valid{before}")
    if found.labels is not None:
        share = {name: f"{count:,} ({count / max(1, sum(found.labels.values())):.1%})" for name, count in found.labels.items()}
        table.add_row("labels", f"down {share['-1']}, flat {share['0']}, up {share['1']}")
    table.add_row("columns", ", ".join(found.columns))
    table.add_row("schema", f"{found.schema_hash}, fingerprint {found.fingerprint}")
    for place in found.damage[:5]:
        table.add_row("damage", place)
    if found.damaged > 5:
        table.add_row("", f"and {found.damaged - 5} more")
    console.print(f"wrote [bold]{found.out}[/]")
    console.print(table)
