"""Registers the embedded market."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Feed, hookimpl
from vtframe.builtin.market.feed import EmbeddedMarket


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (EmbeddedMarket,)
