"""Feature: how much the mid has moved from row to row."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.rolling_sum import empty, push, rolling_sum

BASIS_POINTS = 10_000.0


class RollingVolatility(Feature, frozen=True):
    """Root mean square of the mid's log returns over the last ``window`` rows, in basis points: realized volatility per row
    (Andersen and Bollerslev, 1998), with no mean taken off, for over such spans the mean is noise.

    nan until ``window`` returns are there, and again from an empty side until it has left the window.
    """

    name = "rolling_volatility"
    window: Annotated[int, Meta(ge=2, le=1_000_000)] = 100

    def kernel(self) -> Kernel:
        window = self.window

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            before = state.mid[0]
            mid = (book.bid_price[0] + book.ask_price[0]) / 2.0
            state.mid[0] = mid
            move = BASIS_POINTS * np.log1p((mid - before) / before)
            if not np.isfinite(move):  # no mid now, or none before
                state.count[0] = 0
                empty(state.squares_ring, state.squares_fresh, state.squares_place)
                out[0] = np.nan
                return
            total = push(move * move, state.squares_ring, state.squares_fresh, state.squares_place)
            state.count[0] += 1
            out[0] = np.sqrt(total / window) if state.count[0] >= window else np.nan

        memory = {**rolling_sum("squares", window), "mid": floats(fill=np.nan), "count": ints()}
        return Kernel(on_row=on_row, state=memory, warmup=window)
