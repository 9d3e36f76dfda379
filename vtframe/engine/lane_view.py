"""What a lane shows: to its strategy the market and what it holds, to its adapter the clock, the books and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from vtframe.api import BookReader, BundleInfo, Clock, ExecutionSink, InstrumentTable
from vtframe.execution.order_table import OrderTable
from vtframe.journal.records import Record
from vtframe.portfolio.ledger import Ledger


class RowReader(Protocol):
    """The newest row of each instrument."""

    def row(self, instrument: int) -> Sequence[float]:
        """Its values in column order; empty before the first row."""
        ...

    def value(self, instrument: int, column: str) -> float:
        """One column of it; nan before the first row. Raises KeyError for an unknown column."""
        ...


class Journal(Protocol):
    """Where decisions are written before they take effect."""

    def write(self, *records: Record) -> None:
        """All of them, or none and an error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What every lane of a session shares; all of it reads."""

    clock: Clock
    instruments: InstrumentTable
    books: BookReader
    rows: RowReader


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """An ``api.ExecutionContext``."""

    clock: Clock
    instruments: InstrumentTable
    books: BookReader
    sink: ExecutionSink
    traded: Sequence[int]


class StrategyView:
    """An ``api.LaneView`` of one lane."""

    def __init__(
        self, *, lane: str, capital: Decimal, model: BundleInfo | None, market: Market, ledger: Ledger, orders: OrderTable
    ) -> None:
        self.lane = lane
        self.capital = capital
        self.model = model
        self.now_ns = market.clock.now_ns
        self.instrument = market.instruments.__getitem__
        self.top = market.books.top
        self.book_state = market.books.state
        self.position = ledger.position
        self.feature = market.rows.value
        self._orders = orders
        self.available: Callable[[], bool] = _always  # set where the lane's model is served
        self.can_enter: Callable[[], bool] = _always  # set by the lane

    @property
    def model_available(self) -> bool:
        return self.available()

    @property
    def trading_available(self) -> bool:
        return self.can_enter()

    def working(self, instrument: int) -> int:
        return self._orders.working(instrument, lane=self.lane)


def _always() -> bool:
    """A model in the engine's thread is there."""
    return True
