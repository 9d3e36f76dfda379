"""Feature: how far the mid moves for the volume that pushes it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats
from vtframe.builtin.features.mid import mid_of
from vtframe.builtin.features.rolling_sum import empty_all, push_all, rolling_sums, sum_of


class KyleLambda(Feature, frozen=True):
    """Price impact of signed volume, Kyle (1985), as the slope of a rolling regression over the last ``window`` rows:
    ``sum(x y) / sum(x^2)``, ``y`` the mid's change from row to row in ticks, ``x`` the volume bought less sold between them.
    Ticks per quantity. Through the origin: over such spans drift is noise.

    nan until ``window`` rows are there, again from an empty side until it has left the window, and while no volume in the
    window says anything (choose ``window`` so that some does).
    """

    name = "kyle_lambda"
    window: Annotated[int, Meta(ge=2, le=1_000_000)] = 500

    def kernel(self) -> Kernel:
        window = self.window

        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            state.signed[0] += trade.side * trade.quantity

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            flow = state.signed[0]
            state.signed[0] = 0.0
            move = (mid_of(book) - state.mid[0]) / book.tick_size
            state.mid[0] = mid_of(book)
            out[0] = np.nan
            if np.isnan(move):
                empty_all(state.sum_ring, state.sum_fresh, state.sum_place)
                return
            state.sum_now[0] = flow * move
            state.sum_now[1] = flow * flow
            if push_all(state.sum_now, state.sum_ring, state.sum_fresh, state.sum_place) >= window:
                squares = sum_of(1, state.sum_ring, state.sum_fresh, state.sum_place)
                if squares > 0.0:
                    out[0] = sum_of(0, state.sum_ring, state.sum_fresh, state.sum_place) / squares

        memory = {**rolling_sums("sum", window, 2), "signed": floats(), "mid": floats(fill=np.nan)}
        return Kernel(on_trade=on_trade, on_row=on_row, state=memory, warmup=window)
