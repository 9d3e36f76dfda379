"""Feature: where another feature's value stands among its last ones."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel
from vtframe.builtin.features.rolling_zscore import Column
from vtframe.builtin.features.sorted_window import replace, sorted_window, up_to


class RollingRank(Feature, frozen=True):
    """Rank of the column ``of`` among its last ``window`` rows, this one among them: 0 the lowest, 1 the highest, equal values
    share the mean of their ranks: ``((below + not above - 1) / 2) / (window - 1)``. Unitless; O(log window) a row.

    nan until ``window`` rows are there, and afresh from a row where the column is not finite.
    """

    name = "rolling_rank"
    of: Column
    window: Annotated[int, Meta(ge=2, le=100_000)] = 500

    def kernel(self) -> Kernel:
        window = self.window

        def on_row(moment, book, state, out, inputs):  # type: ignore[no-untyped-def]
            value = inputs[0]
            out[0] = np.nan
            if not np.isfinite(value):
                state.x_place[1] = 0
                return
            if replace(value, state.x_value, state.x_next, state.x_step, state.x_place) < window:
                return
            below = up_to(value, state.x_value, state.x_next, state.x_step, False)  # noqa: FBT003 - compiled: no keywords
            not_above = up_to(value, state.x_value, state.x_next, state.x_step, True)  # noqa: FBT003
            out[0] = (below + not_above - 1) / 2.0 / (window - 1)

        return Kernel(on_row=on_row, state=sorted_window("x", window), inputs=(self.of,), warmup=window - 1)
