"""The plugin: hooks only. Loaded where ``[vtframe] plugins`` names "ccxt"; ccxt itself is imported when a feed is opened."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Feed, hookimpl
from vtframe_ccxt.feed import CcxtFeed


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (CcxtFeed,)
