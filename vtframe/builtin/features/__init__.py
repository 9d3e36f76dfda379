"""The features in the box."""

from vtframe.builtin.features.book_imbalance import BookImbalance
from vtframe.builtin.features.micro_spread import MicroSpread
from vtframe.builtin.features.microprice import MicroPrice
from vtframe.builtin.features.order_flow_imbalance import OrderFlowImbalance
from vtframe.builtin.features.rolling_volatility import RollingVolatility
from vtframe.builtin.features.trade_imbalance import TradeImbalance

__all__ = ["BookImbalance", "MicroPrice", "MicroSpread", "OrderFlowImbalance", "RollingVolatility", "TradeImbalance"]
