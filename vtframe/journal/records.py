"""What the journal holds: every input that is not market data, and every decision. Instruments are written by name."""

from __future__ import annotations

from typing import Any

import msgspec

from vtframe.domain import CancelOrder, Denied, DriftVerdict, OrderEvent, Prediction, Side, SubmitOrder
from vtframe.wire import SourceFile

FORMAT_VERSION = 1


class SessionStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first record of every journal."""

    format_version: int = FORMAT_VERSION
    session_id: str
    vtframe_version: str
    ts: int  # ns UTC, the machine's clock
    config: str  # the configuration as run, TOML
    instruments: tuple[dict[str, Any], ...]  # by index; msgspec.to_builtins of each Instrument
    lanes: tuple[str, ...]
    models: dict[str, str]  # name: hash
    columns: tuple[str, ...]
    schema_hash: str
    fingerprint: str
    config_folder: str = ""  # where relative paths of ``config`` start
    sources: tuple[SourceFile, ...] = ()  # the files that the feed reads, in its order
    shadows: tuple[str, ...] = ()  # lanes that are on paper beside the account
    recorded: bool = False  # what the feed delivers is in the session's folder
    market_time: bool = True  # the clock follows the market's messages alone; else a live market's, and the machine's


class InputArrived(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An input that the recording does not hold: a timer, a prediction, a connection's state, a command, damage."""

    number: int
    kind: int  # InputKind
    ts: int
    text: str = ""


class AnswersArrived(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Inputs: answers of a model in a thread or process, or the news that there will be none; ``number`` is the first one's.

    What was answered is in the prediction log.
    """

    number: int
    ts: int
    model: str
    rows: tuple[tuple[int, int], ...]  # (instrument, row) of each, in order


class DriftJudged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An input: a verdict on a model's inputs or scores. Whoever runs the session again takes it from here, at this number."""

    number: int
    ts: int  # market clock
    verdict: DriftVerdict


class ModelChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An input: from here on another version of a model answers. Rows that the one before was asked about it still answers."""

    number: int
    ts: int  # market clock
    model: str
    before: str  # hash of the bundle
    after: str
    bundle: str  # folder of the bundle ``after``, absolute
    cause: str  # "swap" or "rollback"


class LanesExchanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An input: from here on a trading lane and a shadow lane have each other's model. Positions and orders stay."""

    number: int
    ts: int  # market clock
    lane: str
    shadow: str
    lane_model: str  # from here on
    shadow_model: str
    cause: str  # "promote" or "rollback"


class IntentFormed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A strategy (or an attached exit) wants a position; everything that it saw."""

    lane: str
    instrument: str
    input: int
    ts: int  # market clock
    target: int
    position: int
    cause: str
    edge_bps: float | None = None
    prediction: Prediction | None = None
    row: tuple[float, ...] = ()  # the feature vector
    bid: int = 0
    bid_quantity: int = 0
    ask: int = 0
    ask_quantity: int = 0


class OrderApproved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The gate let an order pass; written before it is sent."""

    order: SubmitOrder
    instrument: str
    asked_quantity: int  # larger than order.quantity where a policy made it smaller
    notes: tuple[str, ...] = ()  # which policies resized it, which were skipped


class OrderDenied(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    order: SubmitOrder
    instrument: str
    denied: Denied


class DenialsRepeated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Denials that followed one of the same instrument, policy, side and cause: the first was written whole, these are
    counted, as often as there is a checkpoint."""

    lane: str
    instrument: str
    policy: str
    side: Side
    cause: str
    count: int  # since the last such record of the run; 0 where the run only ends
    first_input: int  # of the run, the denial that was written whole not included
    last_input: int
    ended: bool  # the last record of the run


class CancelSent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    command: CancelOrder


class OrderEventArrived(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An input: what a venue (not paper) says of one of our orders. Written before anything follows from it; an event that
    changes the order is written again, as an OrderReported, with what came of it."""

    number: int
    ts: int  # session's clock
    lane: str
    event: OrderEvent


class OrderReported(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue (or paper) on one of our orders, and what a fill came to."""

    lane: str
    input: int
    event: OrderEvent
    instrument: str = ""
    fee: str = "0"  # decimal, in fee_currency
    realized: str = "0"  # gross profit that this fill realized, decimal, settlement currency
    currency: str = ""
    position: int = 0  # after it
    fee_currency: str = ""  # where it is another than ``currency``


class LaneFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A lane's strategy or adapter broke its contract: from here on the lane cancels and reduces, and enters nothing."""

    lane: str
    input: int
    ts: int  # market clock
    problem: str


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Counters and meters so far; the last one wins. Its shape is that of report.json."""

    input: int
    ts: int  # ns UTC, the session's clock
    report: dict[str, Any]


class EntriesChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue of a lane takes orders that open a position from here on, or does not any more. An input."""

    number: int
    ts: int
    lane: str
    allowed: bool
    reason: str = ""


class TradingChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue of an instrument does not trade it from here on, and the lane opens nothing in it; or it does again."""

    lane: str
    input: int  # whose frame says so
    ts: int
    instrument: str
    trading: bool


class VenuesClosing(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Lanes that trade at venues enter nothing more and cancel what works; what their venues still tell are inputs."""

    number: int  # of the next input
    ts: int
    reason: str


class LanesStopped(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """From here on nothing is decided: lanes cancel what works, for this reason, and take no answer that still arrives."""

    number: int  # of the next input
    ts: int
    reason: str


class SessionStopped(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    ts: int  # ns UTC, the session's clock
    reason: str  # "end of data", "interrupted", "halted", "failed: ..."


Record = (
    SessionStarted
    | InputArrived
    | AnswersArrived
    | DriftJudged
    | ModelChanged
    | LanesExchanged
    | IntentFormed
    | OrderApproved
    | OrderDenied
    | DenialsRepeated
    | CancelSent
    | OrderEventArrived
    | OrderReported
    | LaneFailed
    | Checkpoint
    | EntriesChanged
    | TradingChanged
    | VenuesClosing
    | LanesStopped
    | SessionStopped
)
