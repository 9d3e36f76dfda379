"""``vtframe report``: what a session did, from its journal; killed sessions too."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from vtframe.cli.summary import print_summary
from vtframe.engine.report import differences, report_of, stored_report


@click.command()
@click.argument("session", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, in the shape of report.json.")
def report(session: Path, *, as_json: bool) -> int:
    """Show what the session in folder SESSION did.

    The report is computed from the journal, so that a killed session has one too. Exits 1 where report.json says something
    else, 2 where SESSION is no session's folder or its journal is damaged.
    """
    computed = report_of(session)
    stored = stored_report(session)
    known = {} if stored is None else {key: computed.get(key) for key in stored}  # an older report has fewer keys
    differing = [] if stored is None else differences(known, stored)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(computed)).decode())
    else:
        print_summary(computed, session, Console(highlight=False))
    for difference in differing[:10]:
        click.echo(f"report.json differs from the journal: {difference}", err=True)
    if len(differing) > 10:
        click.echo(f"and {len(differing) - 10} more differences", err=True)
    return 1 if differing else 0
