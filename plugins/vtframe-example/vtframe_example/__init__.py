"""A plugin: what it gives is what its hooks return. Loaded where ``[vtframe] plugins`` names "example"."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Feature, RiskPolicy, Strategy, hookimpl
from vtframe_example.long_only import LongOnly
from vtframe_example.one_lot import OneLot
from vtframe_example.spread_bps import SpreadBps


@hookimpl
def register_features() -> Sequence[type[Feature]]:
    return (SpreadBps,)


@hookimpl
def register_strategies() -> Sequence[type[Strategy]]:
    return (OneLot,)


@hookimpl
def register_risk_policies() -> Sequence[type[RiskPolicy]]:
    return (LongOnly,)
