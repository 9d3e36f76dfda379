"""The plugin: hooks only. Loaded where ``[vtframe] plugins`` names "vectrade"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from vtframe.api import Codec, ConfigError, Fault, Feed, hookimpl
from vtframe_vectrade.codec import VectradeCodec
from vtframe_vectrade.command import vectrade
from vtframe_vectrade.quotes import VectradeQuotes
from vtframe_vectrade.secret import check_reference
from vtframe_vectrade.stream import VectradeStream


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return (VectradeCodec,)


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (VectradeQuotes, VectradeStream)


@hookimpl
def register_commands() -> Sequence[click.Command]:
    return (vectrade,)


@hookimpl
def check_config(config: Mapping[str, Any]) -> Sequence[Fault]:
    """A key that stands in the configuration itself, which is copied into every session's folder."""
    feed = config.get("feed")
    if isinstance(feed, dict) and str(feed.get("use", "")).startswith("vectrade") and isinstance(feed.get("key"), str):
        try:
            check_reference(feed["key"], table="[feed]")
        except ConfigError as e:
            return e.faults
    return ()
