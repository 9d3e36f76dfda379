"""Feature: which side has been trading, by the clock."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel
from vtframe.builtin.features.timed_sum import add, timed_sum, total


class TimedTradeImbalance(Feature, frozen=True):
    """Volume bought less volume sold by aggressors, over their sum, in the last ``window_ms`` before the row, by the time of
    arrival. Unitless, in [-1, 1]; 0 while nothing was traded in it.

    ``capacity`` trades a side may lie in the window; where there are more the value is nan, so the row not valid, until the
    first that had to make room would have left the window.
    """

    name = "timed_trade_imbalance"
    window_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 1000
    capacity: Annotated[int, Meta(ge=1, le=1_000_000)] = 4096

    def kernel(self) -> Kernel:
        span = self.window_ms * 1_000_000

        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            if trade.side > 0:
                add(trade.quantity, trade.ts_recv, span, state.buy_ring, state.buy_time, state.buy_fresh, state.buy_place)
            else:
                add(trade.quantity, trade.ts_recv, span, state.sell_ring, state.sell_time, state.sell_fresh, state.sell_place)

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            bought = total(moment.ts_recv, span, state.buy_ring, state.buy_time, state.buy_fresh, state.buy_place)
            sold = total(moment.ts_recv, span, state.sell_ring, state.sell_time, state.sell_fresh, state.sell_place)
            if np.isnan(bought + sold):
                out[0] = np.nan
            else:
                out[0] = (bought - sold) / (bought + sold) if bought + sold > 0.0 else 0.0

        memory = {**timed_sum("buy", self.capacity), **timed_sum("sell", self.capacity)}
        return Kernel(on_trade=on_trade, on_row=on_row, state=memory)
