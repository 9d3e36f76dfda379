"""Feature: how much the mid has moved from row to row, old moves fading."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats
from vtframe.builtin.features.mid import log_move


class EwmVolatility(Feature, frozen=True):
    """Exponentially weighted volatility of the mid's log returns from row to row, in basis points per row; a return's weight
    halves every ``half_life`` rows, and weights sum to 1 from the first.

    ``estimator = "realized"``: ``sqrt(mean(r^2))`` (RiskMetrics, 1996, without its bias at the start); ``"bipower"``:
    ``sqrt(pi / 2 * mean(|r_i| |r_(i-1)|))`` (Barndorff-Nielsen and Shephard, 2004), which a jump hardly moves. An empty side
    starts it afresh; rows are valid after ``ceil(half_life) + 2``.
    """

    name = "ewm_volatility"
    half_life: Annotated[float, Meta(gt=0.0, le=1e6)] = 100.0
    estimator: Literal["realized", "bipower"] = "realized"

    def kernel(self) -> Kernel:
        keep = 0.5 ** (1.0 / self.half_life)
        realized = self.estimator == "realized"
        scale = 1.0 if realized else np.pi / 2.0

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            move = abs(log_move(book, state.mid))
            product = move * (move if realized else state.move[0])
            state.move[0] = move
            if np.isnan(product):
                state.mean[:] = 0.0
                out[0] = np.nan
                return
            state.mean[0] = keep * state.mean[0] + product
            state.mean[1] = keep * state.mean[1] + 1.0
            out[0] = np.sqrt(scale * state.mean[0] / state.mean[1])

        memory = {"mean": floats(2), "mid": floats(fill=np.nan), "move": floats(fill=np.nan)}  # mean: weighted sum, weights
        return Kernel(on_row=on_row, state=memory, warmup=int(np.ceil(self.half_life)) + 2)
