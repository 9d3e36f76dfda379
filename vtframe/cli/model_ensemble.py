"""``vtframe model ensemble``: several bundles become one that averages or stacks their answers."""

from __future__ import annotations

import re
from pathlib import Path

import click
import msgspec

from vtframe.builtin.ensemble.backend import EnsembleBackend
from vtframe.builtin.ensemble.make import make_ensemble
from vtframe.cli.model_backends import backend_of
from vtframe.errors import InputError
from vtframe.inference.importing.rows import read_rows

_PATH = click.Path(path_type=Path)


@click.command("ensemble")
@click.argument("members", nargs=-1, required=True, type=_PATH, metavar="BUNDLE...")
@click.option("-o", "--out", required=True, type=_PATH, help="The ensemble's folder; its name is the model's.")
@click.option("--rows", "rows_file", required=True, type=_PATH, help="A labeled data set of `vtframe features`, to measure on.")
@click.option(
    "--unseen", required=True, type=click.FloatRange(0, 1, min_open=True), help="Share of it, at its end, that none trained on."
)
@click.option("--weights", help="One for each member, in order: 2,1,1. Without them all count the same.")
@click.option("--stack", type=_PATH, help="A bundle that reads the members' outputs and answers for all.")
@click.option("-c", "--config", type=_PATH, help="Load the plugins that it names; ./vtframe.toml where there is one.")
@click.option("--force", is_flag=True, help="Replace a bundle that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print for machines.")
def make_ensemble_command(
    members: tuple[Path, ...],
    *,
    out: Path,
    rows_file: Path,
    unseen: float,
    weights: str | None,
    stack: Path | None,
    config: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make one model of several: the mean of their answers, a weighted mean, or what one more model makes of them.

    The members stay where they are, and are named by path and hash: one that changes is refused. What the ensemble is worth is
    measured on the unseen rows.
    """
    if len(members) < 2:
        raise InputError("BUNDLE...", f"found {len(members)}, an ensemble has two members or more")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", out.name):
        raise InputError(str(out), "its last part is no name for a model", "letters, digits, _, - and .")
    if out.exists() and not force:
        raise InputError(str(out), "exists already", "--force replaces it")
    bundle = make_ensemble(
        out,
        members,
        read_rows(rows_file),
        unseen=unseen,
        weights=_numbers(weights),
        stack=stack,
        replace=force,
        backend=backend_of(EnsembleBackend.name, config),
    )
    if as_json:
        told = {
            "bundle": str(bundle.path),
            "hash": bundle.hash,
            "outputs": bundle.classes,
            "expected_move_bps": bundle.expected_move_bps,
            "metrics": bundle.metrics,
            "baselines": bundle.baselines,
        }
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
        return
    click.echo(f"wrote {bundle.path}, of {len(members)} members")
    moves = zip(bundle.classes, bundle.expected_move_bps, strict=True)
    click.echo("worth: " + ", ".join(f"{name} {move:+.4g} bps" for name, move in moves))
    click.echo("out of sample: " + ", ".join(f"{name} {value:.4g}" for name, value in bundle.metrics.items()))


def _numbers(text: str | None) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in (text or "").split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of numbers such as 2,1,1", param_hint="--weights") from None
    if any(not 0 < weight < float("inf") for weight in found):
        raise InputError("--weights", f"found {text}, expected numbers above 0")
    return found
