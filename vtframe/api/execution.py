"""The contract of an execution adapter: approved orders in, order events out."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Protocol, final

from numpy.typing import NDArray

from vtframe.api.part import Part
from vtframe.api.source import InstrumentTable
from vtframe.clock import Clock
from vtframe.domain import BookState, CancelOrder, OrderEvent, Records, Side, SubmitOrder, Top


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


class ExecutionSink(Protocol):
    """Where an adapter reports what the venue says."""

    def on_order_event(self, event: OrderEvent) -> None: ...


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


class ExecutionAdapter(Part):
    """Carries orders to one venue (or fills them on paper) for one lane.

    ``guarantee`` is what it promises after a lost acknowledgement: ``exactly_once`` where orders can be queried by client ID,
    ``at_most_once`` where they cannot.
    """

    guarantee: ClassVar[Literal["exactly_once", "at_most_once"]]

    def start(self, context: ExecutionContext) -> None:
        raise NotImplementedError

    def submit(self, order: ApprovedOrder) -> None:
        raise NotImplementedError

    def cancel(self, command: CancelOrder) -> None:
        raise NotImplementedError

    def on_frame(self, records: Records, index: int) -> None:
        """One frame was applied to its book; paper adapters match on it. Called only while orders are working."""

    def stop(self) -> None:
        """Cancel what is working; report every order's end before returning, or leave it UNKNOWN."""
