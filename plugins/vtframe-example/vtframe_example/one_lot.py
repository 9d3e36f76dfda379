"""A strategy: a prediction and a view of the lane in, what to hold out."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vtframe.api import LaneView, Strategy
from vtframe.domain import InstrumentKind, Intent, Prediction


class OneLot(Strategy):
    """Holds ``lots`` lots in the direction that is likelier by ``margin``, and nothing while neither is."""

    name = "one_lot"
    lots: Annotated[int, Meta(ge=1)] = 1
    margin: Annotated[float, Meta(ge=0, lt=1)] = 0.1

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent | None:
        if view.model is None:
            return None
        chance = dict(zip(view.model.classes, prediction.outputs, strict=True))
        lean = chance.get("up", 0.0) - chance.get("down", 0.0)
        instrument = view.instrument(prediction.instrument)
        target = 0 if abs(lean) <= self.margin else self.lots * instrument.lot_size * (1 if lean > 0 else -1)
        if instrument.kind is InstrumentKind.SPOT:
            target = max(target, 0)  # spot cannot be short
        return Intent(instrument=prediction.instrument, target=target, prediction=prediction)
