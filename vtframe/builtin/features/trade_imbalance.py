"""Feature: which side has been trading."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vtframe.api import Feature, Kernel
from vtframe.builtin.features.rolling_sum import current, push, rolling_sum


class TradeImbalance(Feature, frozen=True):
    """Volume bought less volume sold by aggressors, over their sum, in the last ``window`` market trades. Unitless, in
    [-1, 1].

    Over the trades that there are while there are fewer; 0 before the first: no trade says nothing of a side, and a quiet
    market is no reason to stop a model. Trades that are not market trades (insurance fund, liquidation transfers) never count.
    """

    name = "trade_imbalance"
    window: Annotated[int, Meta(ge=1, le=1_000_000)] = 50

    def kernel(self) -> Kernel:
        window = self.window

        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            push(trade.side * trade.quantity, state.net_ring, state.net_fresh, state.net_place)
            push(trade.quantity, state.volume_ring, state.volume_fresh, state.volume_place)

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            net = current(state.net_ring, state.net_fresh, state.net_place)
            volume = current(state.volume_ring, state.volume_fresh, state.volume_place)
            out[0] = net / volume if volume > 0.0 else 0.0

        return Kernel(on_trade=on_trade, on_row=on_row, state={**rolling_sum("net", window), **rolling_sum("volume", window)})
