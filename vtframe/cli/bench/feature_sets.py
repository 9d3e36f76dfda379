"""The features that benches compute, by how many there are. Levels are ten where a feature takes levels."""

from __future__ import annotations

from vtframe.api import Feature
from vtframe.builtin.features import (
    BipowerVolatility,
    BookImbalance,
    DecayedTradeImbalance,
    DepthConvexity,
    DepthSlope,
    DepthWeightedImbalance,
    EwmVolatility,
    IntegratedOrderFlowImbalance,
    LogReturn,
    MicroPrice,
    MicroSpread,
    MultiLevelOrderFlowImbalance,
    OrderFlowImbalance,
    QueueChange,
    QueueSize,
    ReturnAutocorrelation,
    RollingVolatility,
    Spread,
    TimeSinceMidChange,
    TradeCountImbalance,
    TradeImbalance,
    TradeIntensity,
    VolumeAdjustedMid,
)

LEVELS = 10


def six_features() -> list[Feature]:
    """The six of the demo sessions, with their defaults."""
    return [BookImbalance(), MicroSpread(), MicroPrice(), RollingVolatility(), OrderFlowImbalance(), TradeImbalance()]


def twelve_features() -> list[Feature]:
    """Twelve columns of book, order flow, trades and moves: what ``twelve.PlainTwelve`` computes, in this order."""
    return [
        BookImbalance(),
        BookImbalance(as_="book_imbalance_10", levels=LEVELS),
        MicroSpread(levels=LEVELS),
        MicroPrice(),
        VolumeAdjustedMid(levels=LEVELS),
        DepthWeightedImbalance(levels=LEVELS),
        Spread(),
        OrderFlowImbalance(),
        TradeImbalance(),
        RollingVolatility(),
        EwmVolatility(),
        LogReturn(rows=10),
    ]


def twenty_four_features() -> list[Feature]:
    """Those, and twelve more, some of which have several columns: 33 in all."""
    return [
        *twelve_features(),
        DepthSlope(levels=LEVELS),
        DepthConvexity(levels=LEVELS),
        QueueSize(levels=LEVELS),
        QueueChange(window=20),
        MultiLevelOrderFlowImbalance(),
        IntegratedOrderFlowImbalance(),
        TradeCountImbalance(),
        DecayedTradeImbalance(),
        TradeIntensity(),
        BipowerVolatility(),
        ReturnAutocorrelation(),
        TimeSinceMidChange(),
    ]
