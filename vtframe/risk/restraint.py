"""A lane under restraint: what verdicts on its model's inputs and scores ask for, until they are lifted. Exits never notice."""

from __future__ import annotations

from typing import ClassVar

from vtframe.api import RiskContext, RiskPolicy
from vtframe.domain import Answer, Denied, DriftVerdict, SubmitOrder


class DriftRestraint(RiskPolicy):
    """The first of a lane's limits: the newest verdict of each rule and instrument is in force, the strictest one decides.

    SHRINK lets a position (held, working and asked for, all of one side) grow to ``factor`` of what is wanted, in whole lots;
    what is held already is kept. Scaling each order alone would not do: a strategy that asks again for what is missing would
    reach the full size by halves. REDUCE_ONLY and HALT deny whatever opens.
    """

    name: ClassVar[str] = "drift"
    pure: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._verdicts: dict[tuple[int, str, int], DriftVerdict] = {}

    def apply(self, verdict: DriftVerdict) -> None:
        """The verdict takes the place of the same rule's earlier one for this instrument."""
        self._verdicts[verdict.rule, verdict.model, verdict.instrument] = verdict

    def exchange(self, other: DriftRestraint) -> None:
        """Each lane has the other's model from here on: what was said of a model goes with it."""
        self._verdicts, other._verdicts = other._verdicts, self._verdicts

    def in_force(self, instrument: int) -> DriftVerdict | None:
        """The strictest verdict for an instrument; of several that shrink, that with the smallest factor. A halt is for all."""
        found = [
            verdict
            for verdict in self._verdicts.values()
            if (verdict.instrument == instrument and verdict.answer >= Answer.SHRINK) or verdict.answer is Answer.HALT
        ]
        return max(found, key=lambda verdict: (verdict.answer, -verdict.factor), default=None)

    def review(self, order: SubmitOrder, context: RiskContext) -> SubmitOrder | Denied:
        if not self._verdicts:
            return order
        verdict = self.in_force(order.instrument)
        if verdict is None:
            return order
        if verdict.answer is not Answer.SHRINK:
            return self.denied(order, f"{verdict.answer.word}: {verdict.text}")
        instrument = context.instrument(order.instrument)
        held = order.side * (context.position(order.instrument).quantity + context.working(order.instrument, order.side))
        wanted = held + order.quantity
        allowed = int(wanted * verdict.factor)
        room = allowed - held
        fitting = room - room % instrument.lot_size
        if fitting <= 0:
            return self.denied(
                order,
                f"shrink to {verdict.factor:g} of {instrument.quantity(wanted)}, of which {instrument.quantity(held)} is held "
                f"or working: {verdict.text}",
            )
        return self.resized(order, min(order.quantity, fitting))
