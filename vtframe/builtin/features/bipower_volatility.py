"""Feature: how much the mid has moved from row to row, jumps left out."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.mid import log_move
from vtframe.builtin.features.rolling_sum import empty, push, rolling_sum


class BipowerVolatility(Feature, frozen=True):
    """Square root of the bipower variation of the mid's log returns over the last ``window`` rows, in basis points per row:
    ``sqrt(pi / 2 * mean(|r_i| |r_(i-1)|))`` over the window's pairs; Barndorff-Nielsen and Shephard (2004), "Power and bipower
    variation with stochastic volatility and jumps". One jump hardly moves it; beside ``rolling_volatility`` it shows jumps.

    nan until ``window`` returns are there, and again from an empty side until it has left the window.
    """

    name = "bipower_volatility"
    window: Annotated[int, Meta(ge=2, le=1_000_000)] = 100

    def kernel(self) -> Kernel:
        pairs = self.window - 1
        scale = np.pi / 2.0 / pairs

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            move = abs(log_move(book, state.mid))
            product = move * state.move[0]
            state.move[0] = move
            if np.isnan(product):
                state.count[0] = 0
                empty(state.sum_ring, state.sum_fresh, state.sum_place)
                out[0] = np.nan
                return
            total = push(product, state.sum_ring, state.sum_fresh, state.sum_place)
            state.count[0] += 1
            out[0] = np.sqrt(scale * total) if state.count[0] >= pairs else np.nan

        memory = {**rolling_sum("sum", pairs), "mid": floats(fill=np.nan), "move": floats(fill=np.nan), "count": ints()}
        return Kernel(on_row=on_row, state=memory, warmup=self.window)
