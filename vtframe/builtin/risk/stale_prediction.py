"""No entry on an old answer: the last check of a prediction's age, after everything that could delay it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from vtframe.api import RiskContext, RiskPolicy
from vtframe.domain import Denied, SubmitOrder, Verdict


class StalePrediction(RiskPolicy):
    """Denies an order whose prediction is older than ``max_age_ms``, was not OK, or is missing (allow that with
    ``require = false``, for strategies that need no model).

    The age is the larger of now - ts_recv and the age stated at ts_done plus the time since.
    """

    name: ClassVar[str] = "stale_prediction"
    pure: ClassVar[bool] = True
    max_age_ms: Annotated[float, Meta(gt=0)]
    require: bool = True

    def review(self, order: SubmitOrder, context: RiskContext) -> SubmitOrder | Denied:
        prediction = context.prediction(order)
        if prediction is None:
            return self.denied(order, "no prediction caused this order") if self.require else order
        if prediction.verdict is not Verdict.OK:
            return self.denied(order, f"the prediction of row {prediction.row} is {prediction.verdict.value}, not ok")
        now = context.now_ns()
        age_ns = max(now - prediction.ts_recv, prediction.age_ns + now - prediction.ts_done)
        if age_ns > self.max_age_ms * 1e6:
            return self.denied(
                order, f"the prediction of row {prediction.row} is {age_ns / 1e6:.3f} ms old, over {self.max_age_ms:g}"
            )
        return order
