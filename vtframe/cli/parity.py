"""``vtframe parity``: a session made again from what it was fed, and compared with what it logged, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from vtframe.assemble.decisions import DecisionCertificate, DecisionRun
from vtframe.assemble.parity import Certificate, ParityRun
from vtframe.cli.bulk_progress import BulkProgress


@click.command()
@click.argument("session", type=click.Path(path_type=Path))
@click.option("--model", "predictions", is_flag=True, help="Ask the session's models again, too, and compare their answers.")
@click.option(
    "--decisions",
    is_flag=True,
    help="Decide again, too, from the recorded inputs, answers and times; compare every intent, order and denial.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the certificate as JSON.")
def parity(session: Path, *, predictions: bool, decisions: bool, quiet: bool, as_json: bool) -> int:
    """Prove that the rows of the session in folder SESSION are what its configuration makes of what it was fed.

    With --decisions its decisions are made again as well.

    Exits 0 where everything was made again and every bit agrees, 1 where one does not (the first difference is named), 2 where
    the session cannot be made again.
    """
    progress = Console(stderr=True, quiet=quiet)

    def on_compile(message: str) -> None:
        progress.print(f"[dim]{message}[/]", highlight=False)

    check = ParityRun(session, predictions=predictions, on_compile=on_compile)
    with BulkProgress("replaying", lambda: check.inputs, progress, total=check.total):
        certificate = check.run()
    decided = _decide(session, progress, on_compile) if decisions else None
    if as_json:
        found = msgspec.to_builtins(certificate) | ({} if decided is None else {"decisions": msgspec.to_builtins(decided)})
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        console = Console(highlight=False, soft_wrap=True)
        _print(certificate, console)
        if decided is not None:
            _print_decisions(decided, console)
    return 0 if certificate.passed and (decided is None or decided.passed) else 1


def _decide(session: Path, progress: Console, on_compile: Callable[[str], None]) -> DecisionCertificate:
    again = DecisionRun(session, on_compile=on_compile)
    with BulkProgress("deciding", lambda: again.inputs, progress, total=again.total):
        return again.run()


def _print_decisions(found: DecisionCertificate, console: Console) -> None:
    verdict = "[bold green]decisions are the same[/]" if found.passed else "[bold red]decisions are not the same[/]"
    console.print(verdict)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("decisions", f"{found.decisions:,}: {found.compared:,} compared, {found.identical:,} identical")
    if found.left:
        table.add_row("", f"{found.left:,} recorded, and not made again")
    table.add_row("hash", found.hash if found.hash == found.hash_here else f"{found.hash}; here {found.hash_here}")
    console.print(table)
    if found.first_difference is not None:
        click.echo(f"first difference: {found.first_difference}", err=True)
    for problem in found.problems:
        click.echo(f"problem: {problem}", err=True)


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
