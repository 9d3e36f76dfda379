"""What the command line makes of the configuration's [feed] table, and of where its lanes trade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vtframe.builtin.imports.formats import RECORDING, feed_for
from vtframe.config import read_document
from vtframe.errors import RecordingError

AT_VENUES = ("binance",)
"""Feeds and execution adapters that ``--venue-url`` points to an embedded venue."""


def playing(recordings: Sequence[Path], table: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The table that plays ``recordings`` instead of the configured feed (the configured one where none is named), with
    ``settings`` besides.

    Recordings of our own format need nothing else; for another's format the table's own settings are kept where it reads that
    format. Raises RecordingError where the files are of several formats.
    """
    if not recordings:
        return {**table, **(settings or {})}
    names = {feed_for(path) for path in recordings}
    if len(names) > 1:
        raise RecordingError(", ".join(map(str, recordings)), f"are of several formats: {', '.join(sorted(names))}")
    (name,) = names
    kept = {} if name == RECORDING or table.get("use") != name else dict(table)
    return {**kept, "use": name, "paths": [str(path.resolve()) for path in recordings], **(settings or {})}


def at_venue(lanes: Any, url: str) -> list[Any]:
    """The lanes with those that trade at a venue pointed to the one at ``url``; empty where none does."""
    if not isinstance(lanes, list):
        return []
    changed = []
    for lane in lanes:
        execution = lane.get("execution") if isinstance(lane, dict) else None
        if isinstance(execution, dict) and execution.get("use") in AT_VENUES:
            kept = {key: value for key, value in execution.items() if key != "real_money"}
            changed.append({**lane, "execution": {**kept, "url": url}})
        else:
            changed.append(lane)
    return changed if changed != lanes else []


def full_speed(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without its pace: as fast as possible."""
    return {key: value for key, value in table.items() if key != "speed"}


def feed_at(table: Mapping[str, Any], url: str) -> dict[str, Any]:
    """The table of a feed, pointed to the venue at ``url`` where it is one that can be."""
    return {**table, "url": url} if table.get("use") in AT_VENUES else dict(table)


def feed_overrides(config: Path, recordings: Sequence[Path], venue_url: str | None = None) -> dict[str, Any]:
    """The overrides for read_config that play ``recordings`` instead of the feed of the file at ``config``, or have the feed at
    ``venue_url``; none for none."""
    if not recordings and venue_url is None:
        return {}
    feed = read_document(config).data.get("feed")
    table = playing(recordings, feed if isinstance(feed, dict) else {})
    return {"feed": table if venue_url is None else feed_at(table, venue_url)}
