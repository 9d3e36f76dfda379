"""A local plugin: a strategy with one order that rests a little below the market, and is not filled."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import LaneView, Strategy, hookimpl
from vtframe.domain import Intent, OrderType, Prediction, TimeInForce


class Resting(Strategy):
    """A bid 15 basis points below the best one, once."""

    name = "resting"

    def start(self, view: LaneView) -> None:
        self._sent = False

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent | None:
        top = view.top(prediction.instrument)
        if self._sent or not top.bid_quantity:
            return None
        self._sent = True
        instrument = view.instrument(prediction.instrument)
        return Intent(
            instrument=prediction.instrument,
            target=10 * instrument.lot_size,
            order_type=OrderType.LIMIT,
            price=top.bid * 9_985 // 10_000 // instrument.tick_size * instrument.tick_size,
            time_in_force=TimeInForce.GTC,
            prediction=prediction,
        )


@hookimpl
def register_strategies() -> Sequence[type[Strategy]]:
    return (Resting,)
