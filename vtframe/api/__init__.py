"""What a plugin needs, and all that a plugin may import besides ``vtframe.domain`` and ``vtframe.testing``."""

from vtframe.api.calibration import Calibrator
from vtframe.api.example_venue import ExampleVenue
from vtframe.api.execution import ApprovedOrder, BookReader, ExecutionAdapter, ExecutionContext, ExecutionSink, OrderSink
from vtframe.api.feature import BookTop, Delta, Feature, Kernel, Moment, State, Trade, floats, ints
from vtframe.api.graph import Graph, Node
from vtframe.api.hooks import ENTRY_POINT_GROUP, hookimpl, hookspec
from vtframe.api.link import Link, Upkeep, lost
from vtframe.api.model import BundleInfo, Head, InputFeature, Label, Model, ModelBackend, TrainingColumn, calibrated
from vtframe.api.part import Part
from vtframe.api.resync import Resync
from vtframe.api.risk import RiskContext, RiskPolicy
from vtframe.api.sink import (
    MarketBlock,
    MarketInfo,
    PredictionBlock,
    Received,
    ReceivedConnection,
    ReceivedDamage,
    ReceivedMessage,
    ReceivedRecords,
    RowBlock,
    SessionInfo,
    Sink,
)
from vtframe.api.source import BookWatch, Codec, Feed, FeedContext, FeedSink, InstrumentTable
from vtframe.api.strategy import LaneView, Strategy
from vtframe.book.l3 import OrderBook, OrderBookCounts, RestingOrder
from vtframe.clock import Clock
from vtframe.domain import Top
from vtframe.errors import (
    BrokenRecordingError,
    BundleError,
    ConfigError,
    DecodeError,
    Fault,
    InputError,
    KernelError,
    PluginError,
    RecordingError,
    VtframeError,
)
from vtframe.sampling import Sampling
from vtframe.transport import Connection, Receiver, TransportError, connect
from vtframe.wire.numbers_seen import NumbersSeen
from vtframe.wire.plain import fixed, fixed_number, instant, written_decimals

__all__ = [
    "ENTRY_POINT_GROUP",
    "ApprovedOrder",
    "BookReader",
    "BookTop",
    "BookWatch",
    "BrokenRecordingError",
    "BundleError",
    "BundleInfo",
    "Calibrator",
    "Clock",
    "Codec",
    "ConfigError",
    "Connection",
    "DecodeError",
    "Delta",
    "ExampleVenue",
    "ExecutionAdapter",
    "ExecutionContext",
    "ExecutionSink",
    "Fault",
    "Feature",
    "Feed",
    "FeedContext",
    "FeedSink",
    "Graph",
    "Head",
    "InputError",
    "InputFeature",
    "InstrumentTable",
    "Kernel",
    "KernelError",
    "Label",
    "LaneView",
    "Link",
    "MarketBlock",
    "MarketInfo",
    "Model",
    "ModelBackend",
    "Moment",
    "Node",
    "NumbersSeen",
    "OrderBook",
    "OrderBookCounts",
    "OrderSink",
    "Part",
    "PluginError",
    "PredictionBlock",
    "Received",
    "ReceivedConnection",
    "ReceivedDamage",
    "ReceivedMessage",
    "ReceivedRecords",
    "Receiver",
    "RecordingError",
    "RestingOrder",
    "Resync",
    "RiskContext",
    "RiskPolicy",
    "RowBlock",
    "Sampling",
    "SessionInfo",
    "Sink",
    "State",
    "Strategy",
    "Top",
    "Trade",
    "TrainingColumn",
    "TransportError",
    "Upkeep",
    "VtframeError",
    "calibrated",
    "connect",
    "fixed",
    "fixed_number",
    "floats",
    "hookimpl",
    "hookspec",
    "instant",
    "ints",
    "lost",
    "written_decimals",
]
