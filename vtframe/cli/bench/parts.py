"""Parts that only benches use: a strategy that wants something else on every row, and an adapter that takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from vtframe.api import ApprovedOrder, ExecutionAdapter, ExecutionContext, LaneView, Strategy, hookimpl
from vtframe.domain import (
    CancelOrder,
    Intent,
    LiquiditySide,
    OrderAccepted,
    OrderFilled,
    Prediction,
    Records,
    Side,
    SubmitOrder,
)


class Alternate(Strategy):
    """Long one lot, then flat, then long again: an order for every prediction."""

    name = "bench_alternate"

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent:
        index = prediction.instrument
        target = 0 if view.position(index).quantity else 100 * view.instrument(index).lot_size
        return Intent(instrument=index, target=target, cause="bench", prediction=prediction)


class Instant(ExecutionAdapter):
    """Takes an order, and fills it at the touch with the next frame: what a venue does is not our time."""

    name = "bench_instant"
    guarantee: ClassVar[Literal["exactly_once", "at_most_once"]] = "exactly_once"

    def start(self, context: ExecutionContext) -> None:
        self._context = context
        self._taken: list[SubmitOrder] = []

    def submit(self, order: ApprovedOrder) -> None:
        self._taken.append(order.command)

    def on_frame(self, records: Records, index: int) -> None:
        taken, self._taken = self._taken, []
        for command in taken:
            self._fill(command)

    def cancel(self, command: CancelOrder) -> None:
        """It fills with the next frame all the same: the cancel is too late."""

    def _fill(self, command: SubmitOrder) -> None:
        now = self._context.clock.now_ns()
        top = self._context.books.top(command.instrument)
        self._context.sink.on_order_event(OrderAccepted(client_order_id=command.client_order_id, ts_event=now))
        self._context.sink.on_order_event(
            OrderFilled(
                client_order_id=command.client_order_id,
                ts_event=now,
                price=top.ask if command.side is Side.BUY else top.bid,
                quantity=command.quantity,
                leaves_quantity=0,
                liquidity_side=LiquiditySide.TAKER,
            )
        )


@hookimpl
def register_strategies() -> Sequence[type[Strategy]]:
    return (Alternate,)


@hookimpl
def register_execution_adapters() -> Sequence[type[ExecutionAdapter]]:
    return (Instant,)
