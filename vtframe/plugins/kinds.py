"""The kinds of parts there are: a table that collecting, checking and listing go by."""

from __future__ import annotations

from typing import Any, NamedTuple

from vtframe.api.execution import ExecutionAdapter
from vtframe.api.feature import Feature
from vtframe.api.model import ModelBackend
from vtframe.api.risk import RiskPolicy
from vtframe.api.sink import Sink
from vtframe.api.source import Codec, Feed
from vtframe.api.strategy import Strategy


class Kind(NamedTuple):
    """One kind of part: the hook that collects it, the class that it extends, and what it must define."""

    name: str
    hook: str
    cls: type[Any]
    required: tuple[str, ...]


FEED = Kind("feed", "register_feeds", Feed, ("open", "run"))
CODEC = Kind("codec", "register_codecs", Codec, ("open", "decode", "sequence_rule"))
FEATURE = Kind("feature", "register_features", Feature, ("kernel",))
MODEL_BACKEND = Kind("model backend", "register_model_backends", ModelBackend, ("open",))
STRATEGY = Kind("strategy", "register_strategies", Strategy, ("on_prediction",))
RISK_POLICY = Kind("risk policy", "register_risk_policies", RiskPolicy, ("review",))
EXECUTION_ADAPTER = Kind(
    "execution adapter", "register_execution_adapters", ExecutionAdapter, ("guarantee", "start", "submit", "cancel")
)
SINK = Kind("sink", "register_sinks", Sink, ("start",))
KINDS = (FEED, CODEC, FEATURE, MODEL_BACKEND, STRATEGY, RISK_POLICY, EXECUTION_ADAPTER, SINK)
