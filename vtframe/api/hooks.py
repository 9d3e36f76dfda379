"""The hooks. Each runs while a session is assembled or torn down, never per event.

A plugin is a module or object in the entry-point group ``vtframe.v1`` with functions marked ``@hookimpl``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
import pluggy

from vtframe.api.execution import ExecutionAdapter
from vtframe.api.feature import Feature
from vtframe.api.model import ModelBackend
from vtframe.api.risk import RiskPolicy
from vtframe.api.sink import SessionInfo, Sink
from vtframe.api.source import Codec, Feed
from vtframe.api.strategy import Strategy
from vtframe.errors import Fault

ENTRY_POINT_GROUP = "vtframe.v1"
hookspec = pluggy.HookspecMarker("vtframe")
hookimpl = pluggy.HookimplMarker("vtframe")


@hookspec
def register_feeds() -> Sequence[type[Feed]]:
    """Feeds by class; ``[feed] use = "name"`` chooses one."""
    return ()


@hookspec
def register_codecs() -> Sequence[type[Codec]]:
    """Decoders of venues' messages."""
    return ()


@hookspec
def register_features() -> Sequence[type[Feature]]:
    """Features by class; ``[[features]] use = "name"`` computes one."""
    return ()


@hookspec
def register_model_backends() -> Sequence[type[ModelBackend]]:
    """Runtimes that open model bundles."""
    return ()


@hookspec
def register_strategies() -> Sequence[type[Strategy]]:
    """Strategies by class; ``[[lanes]] strategy = { use = "name" }`` chooses one."""
    return ()


@hookspec
def register_risk_policies() -> Sequence[type[RiskPolicy]]:
    """Limits by class; ``[[risk]] use = "name"`` adds one to the account gate."""
    return ()


@hookspec
def register_execution_adapters() -> Sequence[type[ExecutionAdapter]]:
    """Ways to a venue; ``[[lanes]] execution = { use = "name" }`` chooses one."""
    return ()


@hookspec
def register_sinks() -> Sequence[type[Sink]]:
    """Receivers of rows and predictions; ``[[sinks]] use = "name"`` adds one."""
    return ()


@hookspec
def register_commands() -> Sequence[click.Command]:
    """Commands that join the command line."""
    return ()


@hookspec
def check_config(config: Mapping[str, Any]) -> Sequence[Fault]:  # noqa: ARG001 - a specification names its arguments
    """Faults of the configuration (as parsed from TOML) that only this plugin can see."""
    return ()


@hookspec
def session_started(session: SessionInfo) -> None:
    """Everything is assembled; the first input has not arrived."""


@hookspec
def session_stopped(session: SessionInfo, report: Mapping[str, Any]) -> None:
    """The last input was handled, the files are closed, the report is written."""
