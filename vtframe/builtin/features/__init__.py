"""The features in the box."""

from vtframe.builtin.features.adjusted_microprice import AdjustedMicroPrice
from vtframe.builtin.features.amihud_illiquidity import AmihudIlliquidity
from vtframe.builtin.features.bipower_volatility import BipowerVolatility
from vtframe.builtin.features.book_imbalance import BookImbalance
from vtframe.builtin.features.decayed_trades import DecayedTradeImbalance, TradeIntensity
from vtframe.builtin.features.depth_profile import DepthConvexity, DepthSlope
from vtframe.builtin.features.depth_weighted_imbalance import DepthWeightedImbalance
from vtframe.builtin.features.ewm_volatility import EwmVolatility
from vtframe.builtin.features.kyle_lambda import KyleLambda
from vtframe.builtin.features.log_return import LogReturn, TimedReturn
from vtframe.builtin.features.micro_spread import MicroSpread
from vtframe.builtin.features.microprice import MicroPrice
from vtframe.builtin.features.microprice_fit import fit_adjusted_microprice
from vtframe.builtin.features.order_flow_imbalance import OrderFlowImbalance
from vtframe.builtin.features.order_flow_levels import IntegratedOrderFlowImbalance, MultiLevelOrderFlowImbalance
from vtframe.builtin.features.queue import QueueChange, QueueSize
from vtframe.builtin.features.raw_levels import RawLevels
from vtframe.builtin.features.return_autocorrelation import ReturnAutocorrelation
from vtframe.builtin.features.rolling_rank import RollingRank
from vtframe.builtin.features.rolling_volatility import RollingVolatility
from vtframe.builtin.features.rolling_zscore import RollingZScore
from vtframe.builtin.features.spread import Spread
from vtframe.builtin.features.technical import Bollinger, Macd, Rsi
from vtframe.builtin.features.time_since import TimeSinceMidChange, TimeSinceTrade, TopOfBookAge
from vtframe.builtin.features.timed_trade_imbalance import TimedTradeImbalance
from vtframe.builtin.features.timed_volatility import TimedVolatility
from vtframe.builtin.features.trade_count_imbalance import TradeCountImbalance
from vtframe.builtin.features.trade_imbalance import TradeImbalance
from vtframe.builtin.features.volume_adjusted_mid import VolumeAdjustedMid
from vtframe.builtin.features.vpin import Vpin

FEATURES = (
    BookImbalance,
    MicroSpread,
    MicroPrice,
    RollingVolatility,
    OrderFlowImbalance,
    TradeImbalance,
    DepthWeightedImbalance,
    MultiLevelOrderFlowImbalance,
    IntegratedOrderFlowImbalance,
    AdjustedMicroPrice,
    Spread,
    DepthSlope,
    DepthConvexity,
    VolumeAdjustedMid,
    QueueSize,
    QueueChange,
    RawLevels,
    TradeCountImbalance,
    TimedTradeImbalance,
    DecayedTradeImbalance,
    TradeIntensity,
    Vpin,
    KyleLambda,
    AmihudIlliquidity,
    BipowerVolatility,
    EwmVolatility,
    TimedVolatility,
    LogReturn,
    TimedReturn,
    ReturnAutocorrelation,
    TimeSinceTrade,
    TimeSinceMidChange,
    TopOfBookAge,
    Rsi,
    Macd,
    Bollinger,
    RollingZScore,
    RollingRank,
)
"""Every one of them, in the order of the documentation."""

__all__ = [
    "FEATURES",
    "AdjustedMicroPrice",
    "AmihudIlliquidity",
    "BipowerVolatility",
    "Bollinger",
    "BookImbalance",
    "DecayedTradeImbalance",
    "DepthConvexity",
    "DepthSlope",
    "DepthWeightedImbalance",
    "EwmVolatility",
    "IntegratedOrderFlowImbalance",
    "KyleLambda",
    "LogReturn",
    "Macd",
    "MicroPrice",
    "MicroSpread",
    "MultiLevelOrderFlowImbalance",
    "OrderFlowImbalance",
    "QueueChange",
    "QueueSize",
    "RawLevels",
    "ReturnAutocorrelation",
    "RollingRank",
    "RollingVolatility",
    "RollingZScore",
    "Rsi",
    "Spread",
    "TimeSinceMidChange",
    "TimeSinceTrade",
    "TimedReturn",
    "TimedTradeImbalance",
    "TimedVolatility",
    "TopOfBookAge",
    "TradeCountImbalance",
    "TradeImbalance",
    "TradeIntensity",
    "VolumeAdjustedMid",
    "Vpin",
    "fit_adjusted_microprice",
]
