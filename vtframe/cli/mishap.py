"""What a person sees when something went wrong: one clear message on stderr; a traceback only where vtframe is at fault."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import click
import platformdirs

from vtframe import __version__
from vtframe.clock import LiveClock
from vtframe.errors import ConfigError, VtframeError


def report_error(error: VtframeError) -> int:
    """Print what somebody can put right; the exit code that goes with it."""
    if isinstance(error, ConfigError):
        for fault in error.faults:
            click.echo(str(fault), err=True)
        if len(error.faults) > 1:
            click.echo(f"{len(error.faults)} faults", err=True)
    else:
        click.echo(f"error: {error}", err=True)
    return error.exit_code


def report_mishap(error: Exception, *, debug: bool) -> int:
    """Print that vtframe itself is at fault, and keep the traceback in a file (on stderr with ``debug``); exit code 1."""
    text = "".join(traceback.format_exception(error))
    place = None if debug else _keep(text)
    if place is None:
        click.echo(text, err=True, nl=False)
    first = (str(error).strip() or "no message").splitlines()[0]
    where = "" if place is None else f"\nthe traceback is in {place} (or run `vtframe --debug ...` again)"
    click.echo(f"this is a fault of vtframe {__version__}, not yours: {type(error).__name__}: {first}{where}", err=True)
    return 1


def _keep(text: str) -> Path | None:
    """Write a traceback to the user's log folder; None where that cannot be written."""
    path = platformdirs.user_log_path("vtframe", appauthor=False) / f"fault-{LiveClock().now_ns()}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"vtframe {__version__}, Python {sys.version}\n{sys.argv}\n{text}", "utf-8")
    except OSError:
        return None
    return path
