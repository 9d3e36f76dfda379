"""The contract of a sink: takes rows and predictions off the hot path, in a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from vtframe.api.part import Part
from vtframe.domain import Instrument, SequenceRule


class MarketInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to make something of the market inputs that a session took."""

    instruments: tuple[Instrument, ...]  # in the order of their indexes
    rules: tuple[SequenceRule, ...]  # of their update ids
    codec: str = ""  # that decodes the messages; empty where the feed delivers records
    codec_settings: dict[str, Any] = {}
    market_time: bool = False  # the session's clock follows ts_recv


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is, for those who write about it."""

    session_id: str
    folder: Path
    instruments: tuple[str, ...]
    columns: tuple[str, ...]  # of rows
    dtype: str
    schema_hash: str
    fingerprint: str
    outputs: dict[str, tuple[str, ...]] = {}  # model: names of its outputs
    market: MarketInfo | None = None  # None outside of sessions


class RowBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive rows: ``meta`` (records of domain.ROW) and ``values`` (n, columns)."""

    meta: NDArray[Any]
    values: NDArray[Any]


class PredictionBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive answers of one model: ``meta`` (records of domain.PREDICTION) and ``outputs`` (n, outputs).

    ``versions`` are the hashes of the bundles that answered so far in the session: one more with each swap.
    """

    model: str
    meta: NDArray[Any]
    outputs: NDArray[Any]
    versions: tuple[str, ...] = ()


class ReceivedMessage(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """One message of a market connection, as it came."""

    data: bytes
    ts_recv: int
    connection: int = 0


class ReceivedRecords(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Frames that need no decoding, each an input: records of domain.FRAME and domain.EVENT, numbers not filled in."""

    frames: bytes
    events: bytes


class ReceivedDamage(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """Something that the feed could not read."""

    where: str
    problem: str


class ReceivedConnection(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """A market connection came up or went down."""

    connection: int
    up: bool
    reason: str = ""


Received = ReceivedMessage | ReceivedRecords | ReceivedDamage | ReceivedConnection


class MarketBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive market inputs as the feed delivered them; ``first`` is the number of the first, counted from 0.

    ``count`` is how many they are: every frame of ReceivedRecords is one. A block that does not begin where the last one
    ended follows on a loss.
    """

    first: int
    count: int
    inputs: tuple[Received, ...]


class Sink(Part):
    """Receives blocks; a sink that raises is reported once and left out from then on, and trading goes on."""

    @property
    def takes_market(self) -> bool:
        """Whether ``market`` is to be called; asked once, while the session is assembled."""
        return False

    def start(self, session: SessionInfo) -> None:
        raise NotImplementedError

    def market(self, block: MarketBlock) -> None:
        """A block of market inputs, in order; only where ``takes_market``."""

    def rows(self, block: RowBlock) -> None:
        """A block of rows, in order."""

    def predictions(self, block: PredictionBlock) -> None:
        """A block of one model's predictions, in order."""

    def close(self) -> None:
        """Flush and release; called once."""

    def report(self) -> Mapping[str, Any]:
        """Numbers for ``sinks`` of report.json; called by another thread, from time to time and after ``close``."""
        return {}
