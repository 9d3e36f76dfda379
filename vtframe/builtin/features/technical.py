"""Features of charts: RSI, MACD and Bollinger bands, row by row on the mid, for comparison with those of the order book."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.mid import BASIS_POINTS, mid_of
from vtframe.builtin.features.rolling_moments import deviation_of, forget, mean_of, rolling_moments, take


class Rsi(Feature, frozen=True):
    """Relative strength index: Wilder (1978), "New concepts in technical trading systems". In [0, 100].

    ``100 * gain / (gain + loss)``, the mid's average rise and fall from row to row: their mean over the first ``window``, then
    ``(average * (window - 1) + new) / window``. 50 while the mid never moved; nan until ``window`` moves are there, and afresh
    from an empty side.
    """

    name = "rsi"
    window: Annotated[int, Meta(ge=1, le=1_000_000)] = 14

    def kernel(self) -> Kernel:
        window = self.window

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            move = mid_of(book) - state.mid[0]
            state.mid[0] = mid_of(book)
            out[0] = np.nan
            if np.isnan(move):
                state.count[0] = 0
                state.average[:] = 0.0
                return
            state.count[0] = min(state.count[0] + 1, window)
            weight = 1.0 / state.count[0]
            state.average[0] += weight * (max(move, 0.0) - state.average[0])
            state.average[1] += weight * (max(-move, 0.0) - state.average[1])
            if state.count[0] == window:
                both = state.average[0] + state.average[1]
                out[0] = 100.0 * state.average[0] / both if both > 0.0 else 50.0

        memory = {"average": floats(2), "mid": floats(fill=np.nan), "count": ints()}  # average: gain, loss
        return Kernel(on_row=on_row, state=memory, warmup=window)


class Macd(Feature, frozen=True):
    """Moving average convergence divergence (Appel, 2005) of the mid, in ticks: columns ``line`` (fast less slow exponential
    average over rows), ``signal`` (the line's own average) and ``histogram`` (line less signal).

    An average over n rows moves by ``2 / (n + 1)`` of the way and starts at the first value. Averages are of the mid less the
    first one, so that no prices cancel. An empty side starts it afresh; rows are valid after ``slow + signal``.
    """

    name = "macd"
    fast: Annotated[int, Meta(ge=1, le=1_000_000)] = 12
    slow: Annotated[int, Meta(ge=2, le=1_000_000)] = 26
    signal: Annotated[int, Meta(ge=1, le=1_000_000)] = 9

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise ValueError(f"fast must be below slow, found {self.fast} and {self.slow}")

    def kernel(self) -> Kernel:
        fast = 2.0 / (self.fast + 1)
        slow = 2.0 / (self.slow + 1)
        signal = 2.0 / (self.signal + 1)

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            mid = mid_of(book)
            average = state.average  # fast, slow, signal
            if np.isnan(mid):
                state.first[0] = np.nan
                out[:] = np.nan
                return
            if np.isnan(state.first[0]):
                state.first[0] = mid
                average[:] = 0.0
            ticks = (mid - state.first[0]) / book.tick_size
            average[0] += fast * (ticks - average[0])
            average[1] += slow * (ticks - average[1])
            line = average[0] - average[1]
            average[2] += signal * (line - average[2])
            out[0] = line
            out[1] = average[2]
            out[2] = line - average[2]

        memory = {"average": floats(3), "first": floats(fill=np.nan)}
        outputs = ("line", "signal", "histogram")
        return Kernel(on_row=on_row, state=memory, outputs=outputs, warmup=self.slow + self.signal)


class Bollinger(Feature, frozen=True):
    """Bollinger bands (Bollinger, 2001) of the mid: its mean over the last ``window`` rows, ``width`` standard deviations (over
    ``window``, not one less) to either side.

    ``position`` is where the mid is in them, 0 at the lower and 1 at the upper, 0.5 while they are one; ``bandwidth`` is their
    distance over their mean, in basis points. nan until ``window`` rows are there, and afresh from an empty side.
    """

    name = "bollinger"
    window: Annotated[int, Meta(ge=2, le=1_000_000)] = 20
    width: Annotated[float, Meta(gt=0.0)] = 2.0

    def kernel(self) -> Kernel:
        window = self.window
        width = self.width

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            mid = mid_of(book)
            out[:] = np.nan
            if np.isnan(mid):
                forget(state.mid_fresh, state.mid_place)
                return
            if take(mid, state.mid_mean, state.mid_square, state.mid_fresh, state.mid_place) < window:
                return
            mean = mean_of(state.mid_mean, state.mid_fresh, state.mid_place)
            reach = width * deviation_of(state.mid_mean, state.mid_square, state.mid_fresh, state.mid_place)
            still = reach <= 1e-12 * mean  # rounding of a mid that stood still
            out[0] = 0.5 if still else 0.5 + (mid - mean) / (2.0 * reach)
            out[1] = 0.0 if still else BASIS_POINTS * 2.0 * reach / mean

        return Kernel(on_row=on_row, state=rolling_moments("mid", window), outputs=("position", "bandwidth"), warmup=window)
