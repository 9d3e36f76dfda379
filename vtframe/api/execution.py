"""The contract of an execution adapter: approved orders in, order events out. docs/execution.md tells it in whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, Protocol, final

from numpy.typing import NDArray

from vtframe.api.part import Part
from vtframe.api.source import InstrumentTable
from vtframe.clock import Clock
from vtframe.domain import BookState, CancelOrder, Instrument, OrderEvent, Records, Side, SubmitOrder, Top
from vtframe.errors import Fault


@final
class _Proof:
    """What the gate shows when it makes an ApprovedOrder. There is one, and only vtframe/risk/gate.py imports it."""

    __slots__ = ()


_GATE: Final = _Proof()


@final
class ApprovedOrder:
    """An order that the gate let pass. Only the gate makes one, so an adapter cannot be handed anything unchecked."""

    __slots__ = ("command",)

    def __init__(self, command: SubmitOrder, *, proof: _Proof) -> None:
        if proof is not _GATE:
            raise TypeError("only the risk gate makes an ApprovedOrder")
        self.command = command


class BookReader(Protocol):
    """The books of the session, fixed point."""

    def top(self, instrument: int) -> Top: ...
    def state(self, instrument: int) -> BookState: ...
    def update_id(self, instrument: int) -> int: ...
    def ts_event(self, instrument: int) -> int:
        """Venue time of the newest depth frame applied, ns UTC; 0 before the first. Trades up to then are in the book."""
        ...

    def quantity_at(self, instrument: int, side: Side, price: int) -> int:
        """Quantity resting at ``price`` on the bid (BUY) or ask (SELL) side; 0 where there is none."""
        ...

    def levels(self, instrument: int, side: Side, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Prices and quantities of the best ``count`` levels, best first, int64 copies."""
        ...


class OrderSink(Protocol):
    """Where what becomes of orders is told."""

    def on_order_event(self, event: OrderEvent) -> None: ...


class ExecutionSink(OrderSink, Protocol):
    """Where an adapter reports what the venue says. What a ``live`` adapter reports is a numbered, journalled input, handled
    before the call returns: it reports in the session's event loop, and never from within ``submit`` or ``cancel``."""

    def on_entries(self, *, allowed: bool, reason: str = "") -> None:
        """Whether orders that open a position can be sent from here on; they are denied meanwhile, with ``reason``. Orders
        that reduce are sent all the same. Entries are open at the start, and a call that changes nothing is no input."""
        ...


class ExecutionContext(Protocol):
    """What an adapter may use."""

    @property
    def clock(self) -> Clock: ...
    @property
    def instruments(self) -> InstrumentTable: ...
    @property
    def books(self) -> BookReader: ...
    @property
    def sink(self) -> ExecutionSink: ...
    @property
    def traded(self) -> Sequence[int]:
        """Indexes of the instruments that the lane acts on."""
        ...


class ExecutionAdapter(Part):
    """Carries orders to one venue (or fills them on paper) for one lane.

    ``guarantee`` is what it promises after a lost acknowledgement: ``exactly_once`` where orders can be queried by client ID,
    ``at_most_once`` where they cannot.

    A ``live`` adapter talks to a venue: it lives in the session's event loop between ``open`` and ``close``, with tasks of its
    own, and its orders meet a market that the session does not make. ``submit`` and ``cancel`` never wait: they hand bytes to a
    socket. An order is never sent twice. What cannot be sent for certain is reported as OrderRejected, what may have been sent
    and was not answered as OrderLost, until the venue says what became of it.
    """

    guarantee: ClassVar[Literal["exactly_once", "at_most_once"]]
    live: ClassVar[bool] = False

    def check(self, instruments: Sequence[Instrument]) -> Sequence[Fault]:
        """What is wrong with these settings, as far as it shows without a network; ``instruments`` are those that the lane
        acts on, none where they are not known yet. A fault names its ``key``, and needs no file or line."""
        return ()

    def account(self) -> str:
        """What tells the account apart, nothing secret in it; two lanes of one account do not share an instrument. Empty
        where there is none (paper)."""
        return ""

    def report(self) -> Mapping[str, Any]:
        """What it has to tell of itself, plain data for the report; asked a few times a minute, and at the end."""
        return {}

    def start(self, context: ExecutionContext) -> None:
        raise NotImplementedError

    async def open(self) -> None:
        """Live adapters: log on, and return when orders can be sent and their events are received. No market data is
        delivered before. Raises VtframeError where that cannot be; then the session ends without an order."""

    def submit(self, order: ApprovedOrder) -> None:
        raise NotImplementedError

    def rehearse(self, order: ApprovedOrder) -> None:
        """Live adapters, in idle time: walk the way of ``submit``, and neither send nor remember anything, so that its code is
        in the caches when an order comes. Nothing by default."""

    def cancel(self, command: CancelOrder) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Live adapters: every working order was canceled; wait a bounded time for the orders' ends, then let go of the venue.
        Orders whose end was not reported before it returns are UNKNOWN in the report. Called after ``open``, even where
        that raised."""

    def on_frame(self, records: Records, index: int) -> None:
        """One frame was applied to its book; paper adapters match on it. Called only while orders are working."""

    def stop(self) -> None:
        """Cancel what is working; report every order's end before returning, or leave it UNKNOWN."""
