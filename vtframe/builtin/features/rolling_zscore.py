"""Feature: how unusual another feature's value is among its last ones, in standard deviations."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel
from vtframe.builtin.features.rolling_moments import deviation_of, forget, mean_of, rolling_moments, take

Column = Annotated[str, Meta(min_length=1)]


class RollingZScore(Feature, frozen=True):
    """``(x - mean) / standard deviation`` of the column ``of`` over its last ``window`` rows, this one among them; the
    deviation is over ``window``, not one less. Unitless.

    0 while the column stood still; nan until ``window`` rows are there, and afresh from a row where the column is not finite.
    """

    name = "rolling_zscore"
    of: Column
    window: Annotated[int, Meta(ge=2, le=1_000_000)] = 500

    def kernel(self) -> Kernel:
        window = self.window

        def on_row(moment, book, state, out, inputs):  # type: ignore[no-untyped-def]
            value = inputs[0]
            out[0] = np.nan
            if not np.isfinite(value):
                forget(state.x_fresh, state.x_place)
                return
            if take(value, state.x_mean, state.x_square, state.x_fresh, state.x_place) < window:
                return
            mean = mean_of(state.x_mean, state.x_fresh, state.x_place)
            deviation = deviation_of(state.x_mean, state.x_square, state.x_fresh, state.x_place)
            still = deviation <= 1e-12 * abs(mean)  # rounding of a value that stood still
            out[0] = 0.0 if still else (value - mean) / deviation

        return Kernel(on_row=on_row, state=rolling_moments("x", window), inputs=(self.of,), warmup=window - 1)
