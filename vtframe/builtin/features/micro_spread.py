"""Feature: what crossing the book costs, weighted by who waits on either side."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel


class MicroSpread(Feature, frozen=True):
    """Distance between the average prices at which ``levels`` of each side would fill, in ticks:
    ``sum(p_a * q_a) / sum(q_a) - sum(p_b * q_b) / sum(q_b)``, divided by the tick size.

    The literature names a micro-spread without one formula; this one is ours. At levels = 1 it is the quoted spread; deeper,
    it grows where liquidity near the best prices is thin beside what lies behind. nan while a side is empty.
    """

    name = "micro_spread"
    levels: Annotated[int, Meta(ge=1, le=50)] = 5

    def kernel(self) -> Kernel:
        levels = self.levels

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            bid = average_distance(book.bid_price, book.bid_quantity, levels)
            ask = average_distance(book.ask_price, book.ask_quantity, levels)
            out[0] = (book.ask_price[0] - book.bid_price[0] + bid + ask) / book.tick_size

        return Kernel(on_frame=on_frame, depth=levels)


def average_distance(price, quantity, levels):  # type: ignore[no-untyped-def]
    """How far from the best price the first ``levels`` lie, weighted by quantity; nan for an empty side."""
    total = weighted = 0.0
    for k in range(levels):
        if quantity[k] > 0.0:
            total += quantity[k]
            weighted += quantity[k] * abs(price[k] - price[0])
    return weighted / total if total > 0.0 else np.nan
