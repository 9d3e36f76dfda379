"""Feature: whether the mid's moves carry on or turn back."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.mid import log_move
from vtframe.builtin.features.rolling_sum import empty_all, push_all, rolling_sums, sum_of


class ReturnAutocorrelation(Feature, frozen=True):
    """Correlation of the mid's log returns from row to row with those ``lag`` rows before, over the last ``window`` pairs:
    ``sum(r_i r_(i-lag)) / sqrt(sum(r_i^2) sum(r_(i-lag)^2))``, no means taken off. Unitless, in [-1, 1]; the bounce of Roll
    (1984) makes it negative.

    0 while the mid stood still throughout; nan until the pairs are there, and again from an empty side until it has left them.
    """

    name = "return_autocorrelation"
    lag: Annotated[int, Meta(ge=1, le=10_000)] = 1
    window: Annotated[int, Meta(ge=2, le=1_000_000)] = 100

    def kernel(self) -> Kernel:
        lag = self.lag
        window = self.window

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            move = log_move(book, state.mid)
            at = state.place[0]
            before = state.move[at]
            state.move[at] = move
            state.place[0] = at + 1 if at + 1 < lag else 0
            out[0] = np.nan
            if np.isnan(move) or np.isnan(before):
                empty_all(state.sum_ring, state.sum_fresh, state.sum_place)
                return
            state.sum_now[0] = move * before
            state.sum_now[1] = move * move
            state.sum_now[2] = before * before
            if push_all(state.sum_now, state.sum_ring, state.sum_fresh, state.sum_place) >= window:
                now = sum_of(1, state.sum_ring, state.sum_fresh, state.sum_place)
                then = sum_of(2, state.sum_ring, state.sum_fresh, state.sum_place)
                both = sum_of(0, state.sum_ring, state.sum_fresh, state.sum_place)
                norm = np.sqrt(now) * np.sqrt(then)
                out[0] = max(-1.0, min(1.0, both / norm)) if norm > 0.0 else 0.0

        memory = {
            **rolling_sums("sum", window, 3),
            "mid": floats(fill=np.nan),
            "move": floats(lag, fill=np.nan),
            "place": ints(),
        }
        return Kernel(on_row=on_row, state=memory, warmup=window + lag)
