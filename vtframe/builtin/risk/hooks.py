"""Registers the risk policies in the box."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import RiskPolicy, hookimpl
from vtframe.builtin.risk.max_order_notional import MaxOrderNotional
from vtframe.builtin.risk.max_position import MaxPosition
from vtframe.builtin.risk.order_rate import OrderRate
from vtframe.builtin.risk.price_collar import PriceCollar
from vtframe.builtin.risk.stale_prediction import StalePrediction


@hookimpl
def register_risk_policies() -> Sequence[type[RiskPolicy]]:
    return (MaxPosition, MaxOrderNotional, PriceCollar, OrderRate, StalePrediction)
