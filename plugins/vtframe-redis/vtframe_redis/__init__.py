"""The plugin: hooks, and what readers import. The client library is imported when something is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from vtframe.api import ConfigError, Fault, Feed, Sink, hookimpl
from vtframe_redis.address import resolve
from vtframe_redis.command import redis_command
from vtframe_redis.feed import RedisFeed, RedisReplay
from vtframe_redis.keys import Description, Keys
from vtframe_redis.share import Gap, Share, SharedMarket, SharedPredictions, SharedRows, read, sessions
from vtframe_redis.sink import RedisSink

__all__ = [
    "Description",
    "Gap",
    "Keys",
    "RedisFeed",
    "RedisReplay",
    "RedisSink",
    "Share",
    "SharedMarket",
    "SharedPredictions",
    "SharedRows",
    "read",
    "sessions",
]


@hookimpl
def register_sinks() -> Sequence[type[Sink]]:
    return (RedisSink,)


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (RedisFeed, RedisReplay)


@hookimpl
def register_commands() -> Sequence[click.Command]:
    return (redis_command,)


@hookimpl
def check_config(config: Mapping[str, Any]) -> Sequence[Fault]:
    """Addresses that cannot be used, without connecting."""
    feed, sinks = config.get("feed"), config.get("sinks")
    tables: list[tuple[str, Any]] = [("[feed]", feed)]
    tables += [(f"[[sinks]] {i}", table) for i, table in enumerate(sinks, start=1)] if isinstance(sinks, list) else []
    faults: list[Fault] = []
    for name, table in tables:
        if isinstance(table, dict) and table.get("use") in {"redis", "redis_replay"} and isinstance(table.get("url"), str):
            try:
                resolve(table["url"], table=name)
            except ConfigError as e:
                faults += e.faults
    return faults
