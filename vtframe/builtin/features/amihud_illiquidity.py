"""Feature: how far the mid moves per volume traded."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats
from vtframe.builtin.features.mid import log_move
from vtframe.builtin.features.rolling_sum import empty_all, push_all, rolling_sums, sum_of


class AmihudIlliquidity(Feature, frozen=True):
    """Mean of ``|return| / volume`` over those of the last ``window`` rows before which something was traded: Amihud (2002),
    "Illiquidity and stock returns", with a row in the place of a day.

    The return is the mid's from row to row in basis points. ``volume = "notional"``: price times quantity, in millions of the
    quote currency; ``"quantity"``: as the venue states it, which for contracts of inverse instruments is the notional.

    nan until ``window`` rows are there, again from an empty side until it has left the window, and while none of them had a
    trade.
    """

    name = "amihud_illiquidity"
    window: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    volume: Literal["notional", "quantity"] = "notional"

    def kernel(self) -> Kernel:
        window = self.window
        notional = self.volume == "notional"

        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            state.traded[0] += trade.price * trade.quantity / 1e6 if notional else trade.quantity

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            volume = state.traded[0]
            state.traded[0] = 0.0
            move = log_move(book, state.mid)
            out[0] = np.nan
            if np.isnan(move):
                empty_all(state.sum_ring, state.sum_fresh, state.sum_place)
                return
            state.sum_now[0] = abs(move) / volume if volume > 0.0 else 0.0
            state.sum_now[1] = 1.0 if volume > 0.0 else 0.0
            if push_all(state.sum_now, state.sum_ring, state.sum_fresh, state.sum_place) >= window:
                count = sum_of(1, state.sum_ring, state.sum_fresh, state.sum_place)
                if count > 0.0:
                    out[0] = sum_of(0, state.sum_ring, state.sum_fresh, state.sum_place) / count

        memory = {**rolling_sums("sum", window, 2), "traded": floats(), "mid": floats(fill=np.nan)}
        return Kernel(on_trade=on_trade, on_row=on_row, state=memory, warmup=window)
