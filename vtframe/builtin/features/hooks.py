"""Registers the features in the box."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import Feature, hookimpl
from vtframe.builtin.features.book_imbalance import BookImbalance
from vtframe.builtin.features.micro_spread import MicroSpread
from vtframe.builtin.features.microprice import MicroPrice
from vtframe.builtin.features.order_flow_imbalance import OrderFlowImbalance
from vtframe.builtin.features.rolling_volatility import RollingVolatility
from vtframe.builtin.features.trade_imbalance import TradeImbalance


@hookimpl
def register_features() -> Sequence[type[Feature]]:
    return (BookImbalance, MicroSpread, MicroPrice, RollingVolatility, OrderFlowImbalance, TradeImbalance)
