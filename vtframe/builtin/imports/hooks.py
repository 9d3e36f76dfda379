"""Enters the feeds that read other people's files through the hooks."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Feed, hookimpl
from vtframe.builtin.imports.feeds import HftbacktestFeed, LobsterFeed, NautilusFeed, TardisFeed


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (HftbacktestFeed, LobsterFeed, NautilusFeed, TardisFeed)
