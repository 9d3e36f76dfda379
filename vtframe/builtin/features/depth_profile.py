"""Features: how liquidity grows with distance from the mid."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel


class DepthSlope(Feature, frozen=True):
    """Least-squares slope of the cumulative quantity over the distance from the mid, through the best ``levels`` of a side; a
    column a side, in quantity per tick. The steeper, the more liquid near the mid: the slope of the book of Næs and Skjeltorp
    (2006), "Order book characteristics and the volume-volatility relation", in levels where they take an elasticity.

    nan while a side holds fewer levels.
    """

    name = "depth_slope"
    levels: Annotated[int, Meta(ge=2, le=50)] = 10

    def kernel(self) -> Kernel:
        levels = self.levels

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            out[0], _ = profile(book.bid_price, book.bid_quantity, book.tick_size, levels)
            out[1], _ = profile(book.ask_price, book.ask_quantity, book.tick_size, levels)

        return Kernel(on_frame=on_frame, outputs=("bid", "ask"), depth=levels)


class DepthConvexity(Feature, frozen=True):
    """Coefficient of the squared distance in the least-squares parabola of the cumulative quantity over the distance from the
    mid, through the best ``levels`` of a side; a column a side, in quantity per tick squared (our definition).

    Above 0 the book gets thicker away from the mid, below 0 it gets thinner. nan while a side holds fewer levels.
    """

    name = "depth_convexity"
    levels: Annotated[int, Meta(ge=3, le=50)] = 10

    def kernel(self) -> Kernel:
        levels = self.levels

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            _, out[0] = profile(book.bid_price, book.bid_quantity, book.tick_size, levels)
            _, out[1] = profile(book.ask_price, book.ask_quantity, book.tick_size, levels)

        return Kernel(on_frame=on_frame, outputs=("bid", "ask"), depth=levels)


def profile(price, quantity, tick_size, levels):  # type: ignore[no-untyped-def]
    """Slope of the line, and coefficient of the square in the parabola, of cumulative quantity over distance in ticks.

    Distances are taken from their mean first, then the square is made orthogonal to the line: no sums cancel. nan with fewer
    levels. Distances from the mid and from the best price differ by a constant, which changes neither.
    """
    if not quantity[levels - 1] > 0.0:
        return np.nan, np.nan
    mean = 0.0
    for k in range(levels):
        mean += abs(price[k] - price[0]) / tick_size / levels
    two = three = first = cumulated = 0.0
    for k in range(levels):
        x = abs(price[k] - price[0]) / tick_size - mean
        cumulated += quantity[k]
        two += x * x
        three += x * x * x
        first += x * cumulated
    tilt = three / two
    second = norm = cumulated = 0.0
    for k in range(levels):
        x = abs(price[k] - price[0]) / tick_size - mean
        cumulated += quantity[k]
        square = x * x - tilt * x - two / levels  # orthogonal to 1 and x
        second += square * cumulated
        norm += square * square
    return first / two, second / norm if norm > 0.0 else np.nan
