"""``redis sessions`` and ``redis read``: what is shared, for people and, with --json, for machines."""

from __future__ import annotations

from typing import Any

import click
import msgspec
import numpy as np

from vtframe.domain import Verdict
from vtframe_redis.share import Gap, Share, SharedMarket, SharedPredictions, SharedRows, read, sessions

_VERDICTS = [verdict.value for verdict in Verdict]
_namespace = click.option("--namespace", default="vtframe", show_default=True, help="The publisher's namespace.")
_json = click.option("--json", "as_json", is_flag=True, help="JSON for machines.")


@click.group("redis")
def redis_command() -> None:
    """Look at what sessions share through Redis. URL may be "env:NAME" where it holds a password."""


@redis_command.command("sessions")
@click.argument("url")
@_namespace
@_json
def list_sessions(url: str, *, namespace: str, as_json: bool) -> None:
    """List the sessions that are shared, the newest last, with what was made, published and dropped."""
    found: list[dict[str, Any]] = []
    for name in sessions(url, namespace=namespace):
        share = Share.open(url, namespace=namespace, session=name)
        description = share.description
        found.append(
            {
                "session": name,
                "instruments": description.instruments,
                "schema_hash": description.schema_hash,
                "market": description.market is not None,
                "streams": share.counts(),
            }
        )
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for session in found:
        click.echo(f"{session['session']}  schema {session['schema_hash']}  {', '.join(session['instruments'])}")
        for stream, counts in session["streams"].items():
            click.echo(
                f"    {stream}: {counts['made']:,} made, {counts['published']:,} published, {counts['dropped']:,} dropped"
            )


@redis_command.command("read")
@click.argument("url")
@_namespace
@click.option("--session", help="By default the one that began last.")
@click.option("--stream", "streams", multiple=True, help="rows, predictions:MODEL; by default all of them.")
@click.option("--follow", is_flag=True, help="Go on until the session ends.")
@click.option("--new", is_flag=True, help="Begin with what comes from now on.")
@_json
def read_share(
    url: str, *, namespace: str, session: str | None, streams: tuple[str, ...], follow: bool, new: bool, as_json: bool
) -> None:
    """Print rows and predictions, one a line, and the gaps between them."""
    with read(url, namespace=namespace, session=session, streams=streams or None, follow=follow, newest_only=new) as shared:
        description = shared.share.description
        for item in shared:
            if isinstance(item, SharedRows):
                lines = _lines("rows", item.first, item.meta, item.values, description.columns)
            elif isinstance(item, SharedPredictions):
                names = description.outputs[item.model]
                lines = _lines(f"predictions:{item.model}", item.first, item.meta, item.outputs, names)
            elif isinstance(item, Gap):
                lines = [{"stream": item.stream, "sequence": item.first, "missing": item.count}]
            elif isinstance(item, SharedMarket):
                lines = [{"stream": "market", "sequence": item.first, "inputs": item.count}]
            for line in lines:
                if "instrument" in line:
                    line["instrument"] = description.instruments[line["instrument"]]
                click.echo(msgspec.json.encode(line) if as_json else "  ".join(f"{key}={value}" for key, value in line.items()))


def _lines(
    stream: str, first: int, meta: np.ndarray[Any, Any], values: np.ndarray[Any, Any], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    lines = []
    for index in range(len(meta)):
        record = {name: meta[name][index].item() for name in meta.dtype.names or ()}
        if "verdict" in record:
            record["verdict"] = _VERDICTS[record["verdict"]]
        numbers = {name: value.item() for name, value in zip(names, values[index], strict=True)}
        lines.append({"stream": stream, "sequence": first + index, **record, **numbers})
    return lines
