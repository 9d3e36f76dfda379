"""A local strategy: named in ``[vtframe] local``, used without installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from vtframe.api import BundleInfo, Fault, LaneView, Strategy
from vtframe.domain import InstrumentKind, Intent, Prediction


class ImbalanceFollower(Strategy):
    """Long while the book leans to the bid by ``enter`` or more, short while it leans to the ask, flat below ``leave``."""

    name = "imbalance_follower"
    column: str = "book_imbalance"
    enter: Annotated[float, Meta(gt=0, le=1)] = 0.6
    leave: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    fraction: Annotated[float, Meta(gt=0, le=1)] = 0.1  # of the lane's capital

    def __post_init__(self) -> None:
        if self.leave >= self.enter:
            raise ValueError(f"leave ({self.leave}) must be less than enter ({self.enter})")

    def check(self, model: BundleInfo, columns: Sequence[str]) -> Sequence[Fault]:
        if self.column in columns:
            return ()
        return (Fault(key="column", problem=f"rows have no column {self.column!r}", hint=f"columns: {', '.join(columns)}"),)

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent | None:
        lean = view.feature(prediction.instrument, self.column)
        if abs(lean) >= self.enter:
            direction = 1 if lean > 0 else -1
        elif abs(lean) < self.leave:
            direction = 0
        else:
            return None  # between the two (or unknown: nan): leave things as they are
        instrument, top = view.instrument(prediction.instrument), view.top(prediction.instrument)
        if not top.ask_quantity:
            return None
        if instrument.kind is InstrumentKind.SPOT:
            direction = max(direction, 0)  # spot cannot be short
        lots = int(float(view.capital) * self.fraction / float(instrument.notional(top.ask, instrument.lot_size)))
        return Intent(instrument=prediction.instrument, target=direction * lots * instrument.lot_size, prediction=prediction)
