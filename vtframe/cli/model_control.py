"""``vtframe model swap``, ``promote``, ``rollback``, ``status``: commands to a running session, through its control socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from vtframe.engine.commands import Command, Promote, RollBack, Status, Swap
from vtframe.engine.control_client import tell_session

_SESSION = click.argument("session", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print for machines.")


@click.command("swap")
@_SESSION
@click.argument("model")
@click.argument("bundle", type=click.Path(path_type=Path))
@_JSON
def swap_model(session: Path, model: str, bundle: Path, *, as_json: bool) -> int:
    """Let another BUNDLE answer for MODEL of a running SESSION, from the next row on.

    It is checked, opened and warmed while the version before goes on answering; one that will not do changes nothing.
    """
    return _tell(session, Swap(model=model, bundle=str(bundle.absolute())), as_json=as_json)


@click.command("promote")
@_SESSION
@click.argument("shadow")
@click.option("--lane", default="", help="The lane that trades; may be left out where there is only one.")
@_JSON
def promote_shadow(session: Path, shadow: str, *, lane: str, as_json: bool) -> int:
    """Let a lane that trades and the lane SHADOW of a running SESSION exchange their models, from the next row on.

    Positions and orders stay with their lanes. `rollback` of either model undoes it.
    """
    return _tell(session, Promote(shadow=shadow, lane=lane), as_json=as_json)


@click.command("rollback")
@_SESSION
@click.argument("model")
@_JSON
def roll_back_model(session: Path, model: str, *, as_json: bool) -> int:
    """Undo the newest change of MODEL in a running SESSION."""
    return _tell(session, RollBack(model=model), as_json=as_json)


@click.command("status")
@_SESSION
def show_models(session: Path) -> None:
    """Show as JSON which version of each model answers in a running SESSION, and for which lanes."""
    _print(tell_session(session, Status()))


def _tell(session: Path, command: Command, *, as_json: bool) -> int:
    told = tell_session(session, command)
    failed: dict[str, str] = told.get("failed_lanes", {})
    if as_json:
        _print(told)
    elif "lane" in told:
        both = f"{told['lane']} has model {told['lane_model']}, its shadow {told['shadow']} has {told['shadow_model']}"
        click.echo(f"from input {told['input']:,} on, {both}")
    else:
        click.echo(f"from input {told['input']:,} on, {told['bundle']} ({told['after'][:12]}) answers for {told['model']}")
    for lane, problem in failed.items():
        click.echo(f"lane {lane} failed: {problem}", err=True)
    return 1 if failed else 0


def _print(told: dict[str, Any]) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
