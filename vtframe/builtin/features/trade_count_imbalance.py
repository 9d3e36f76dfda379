"""Feature: which side has been trading more often."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vtframe.api import Feature, Kernel, ints


class TradeCountImbalance(Feature, frozen=True):
    """Market trades by buyers less those by sellers, over their number, in the last ``window`` of them. Unitless, in [-1, 1].

    Over the trades that there are while there are fewer; 0 before the first, as ``trade_imbalance``. Exact: it counts in
    integers.
    """

    name = "trade_count_imbalance"
    window: Annotated[int, Meta(ge=1, le=1_000_000)] = 50

    def kernel(self) -> Kernel:
        window = self.window

        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            at = state.count[0] % window
            state.net[0] += trade.side - state.side[at]
            state.side[at] = trade.side
            state.count[0] += 1

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            out[0] = state.net[0] / max(1, min(state.count[0], window))

        return Kernel(on_trade=on_trade, on_row=on_row, state={"side": ints(window), "net": ints(), "count": ints()})
