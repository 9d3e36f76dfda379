"""``vtframe parity``: a session made again from what it was fed, and compared with what it logged, bit for bit."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from vtframe.assemble.parity import Certificate, ParityRun
from vtframe.cli.bulk_progress import BulkProgress


@click.command()
@click.argument("session", type=click.Path(path_type=Path))
@click.option("--model", "predictions", is_flag=True, help="Ask the session's models again, too, and compare their answers.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the certificate as JSON.")
def parity(session: Path, *, predictions: bool, quiet: bool, as_json: bool) -> int:
    """Prove that the rows of the session in folder SESSION are what its configuration makes of what it was fed.

    Exits 0 where every row was made again and every bit agrees, 1 where one does not (the first difference is named), 2 where
    the session cannot be made again.
    """
    progress = Console(stderr=True, quiet=quiet)
    check = ParityRun(
        session, predictions=predictions, on_compile=lambda message: progress.print(f"[dim]{message}[/]", highlight=False)
    )
    with BulkProgress("replaying", lambda: check.inputs, progress, total=check.total):
        certificate = check.run()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(certificate)).decode())
    else:
        _print(certificate, Console(highlight=False, soft_wrap=True))
    return 0 if certificate.passed else 1


def _print(found: Certificate, console: Console) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("rows", f"{found.rows:,}: {found.compared:,} compared, {found.identical:,} identical")
    if found.missing or found.unmatched:
        table.add_row("", f"{found.missing:,} not in the log, {found.unmatched:,} logged and not made again")
    for name, model in found.models.items():
        told = f"{model.rows:,} predictions: {model.compared:,} compared, {model.identical:,} identical"
        apart = f"; {model.timed:,} failed, conflated or overrun, which time decided" if model.timed else ""
        versions = f"; {model.versions} versions" if model.versions > 1 else ""
        table.add_row(f"model {name}", told + apart + versions)
    table.add_row("rows sha256", found.rows_sha256)
    table.add_row("schema", found.schema_hash)
    table.add_row("fingerprint", _fingerprint(found))
    for source in found.sources:
        table.add_row("source", f"{source.path}  {source.size:,} bytes  sha256 {source.sha256}")
    table.add_row("ended", found.ended)
    verdict = "[bold green]parity holds[/]" if found.passed else "[bold red]parity does not hold[/]"
    console.print(f"{verdict}: session {found.session}")
    console.print(table)
    if found.first_difference is not None:
        click.echo(f"first difference: {found.first_difference}", err=True)
    for name, model in found.models.items():
        if model.first_difference is not None:
            click.echo(f"first difference of model {name}: {model.first_difference}", err=True)
    for name, distance in found.largest_difference.items():
        click.echo(f"largest difference in {name}: {distance:.6g}", err=True)
    for problem in found.problems:
        click.echo(f"problem: {problem}", err=True)


def _fingerprint(found: Certificate) -> str:
    if found.fingerprint == found.fingerprint_here:
        return found.fingerprint
    return f"{found.fingerprint}; this machine's is {found.fingerprint_here}: equal bits are not promised across fingerprints"
