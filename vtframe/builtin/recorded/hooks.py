"""Enters the player of recordings through the hooks."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Feed, hookimpl
from vtframe.builtin.recorded.feed import RecordedFeed


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (RecordedFeed,)
