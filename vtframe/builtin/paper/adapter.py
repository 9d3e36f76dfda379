"""The adapter `paper`: orders meet the live or recorded book after a latency, and never the book that caused them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from vtframe.api import ApprovedOrder, ExecutionAdapter, ExecutionContext
from vtframe.builtin.paper.market import PaperMarket
from vtframe.domain import CancelOrder, Records

Microseconds = Annotated[int, Meta(ge=0, le=60_000_000)]


class PaperAdapter(ExecutionAdapter):
    """Fills orders against the session's own books. What it assumes is in docs/paper.md."""

    name: ClassVar[str] = "paper"
    guarantee: ClassVar[Literal["exactly_once", "at_most_once"]] = "exactly_once"
    latency_us: Microseconds = 5_000  # from the decision to the venue's book
    cancel_latency_us: Microseconds | None = None  # the same where it is not given
    queue: Literal["conservative", "proportional"] = "conservative"  # where in a queue others cancel

    def start(self, context: ExecutionContext) -> None:
        self._latency = self.latency_us * 1_000
        self._cancel_latency = self._latency if self.cancel_latency_us is None else self.cancel_latency_us * 1_000
        self._context = context
        self._markets: dict[int, PaperMarket] = {}

    def submit(self, order: ApprovedOrder) -> None:
        command = order.command
        market = self._markets.get(command.instrument)
        if market is None:
            market = self._markets[command.instrument] = self._open(command.instrument)
        market.submit(command, command.ts_created + self._latency)

    def cancel(self, command: CancelOrder) -> None:
        for market in self._markets.values():
            if market.holds(command.client_order_id):
                market.cancel(command, command.ts_created + self._cancel_latency)
                return
        # else it has ended, and said so then

    def on_frame(self, records: Records, index: int) -> None:
        market = self._markets.get(int(records.frames["instrument"][index]))
        if market is not None:
            market.on_frame(records, index)

    def stop(self) -> None:
        for market in self._markets.values():
            market.stop()

    def _open(self, instrument: int) -> PaperMarket:
        context = self._context
        return PaperMarket(
            instrument,
            context.instruments[instrument],
            books=context.books,
            sink=context.sink,
            clock=context.clock,
            proportional=self.queue == "proportional",
        )
