"""The contract of a strategy: a prediction and a view of the lane in, an intent out. Plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from vtframe.api.model import BundleInfo
from vtframe.api.part import Part
from vtframe.domain import BookState, Instrument, Intent, OrderFilled, Position, Prediction, Top
from vtframe.errors import Fault


class LaneView(Protocol):
    """What a strategy may see; it reads, and never changes anything."""

    @property
    def lane(self) -> str: ...
    @property
    def capital(self) -> Decimal:
        """What the lane may put to work, in quote currency."""
        ...

    @property
    def model(self) -> BundleInfo | None: ...
    @property
    def model_available(self) -> bool:
        """False while no worker can answer for the lane's model: its rows are FAILED meanwhile."""
        ...

    @property
    def trading_available(self) -> bool:
        """False while the lane cannot enter: its venue cannot be reached or does not take orders, or the lane has failed."""
        ...

    def now_ns(self) -> int:
        """Market clock, ns UTC."""
        ...

    def instrument(self, instrument: int) -> Instrument: ...
    def top(self, instrument: int) -> Top: ...
    def book_state(self, instrument: int) -> BookState: ...
    def position(self, instrument: int) -> Position: ...
    def working(self, instrument: int) -> int:
        """Signed quantity of the lane's orders that are not final."""
        ...

    def feature(self, instrument: int, column: str) -> float:
        """The newest row's value of one column; nan before the first row. Raises KeyError for an unknown column."""
        ...


class Strategy(Part):
    """Decides. A lane calls ``on_prediction`` for tradable predictions only; return what to hold, or None to leave things."""

    def check(self, model: BundleInfo, columns: Sequence[str]) -> Sequence[Fault]:
        """What is wrong with these settings for that model and rows of those columns; ``vtframe check`` asks. A fault names
        its ``key``, and needs no file or line."""
        return ()

    def start(self, view: LaneView) -> None:
        """Called before the first prediction, and again whenever another model, or another version of it, takes the place of
        the lane's: ``view.model`` is the new one. What raises then stops the lane from entering."""

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent | Sequence[Intent] | None:
        raise NotImplementedError

    def on_fill(self, fill: OrderFilled, view: LaneView) -> Intent | Sequence[Intent] | None:
        """Called after the position was updated."""
        return None
