"""Feature: where the mid would be, seen from the average prices and sizes of several levels."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vtframe.api import Feature, Kernel
from vtframe.builtin.features.micro_spread import average_distance


class VolumeAdjustedMid(Feature, frozen=True):
    """Volume-adjusted mid price less the mid, in ticks: ``(P_b V_a + P_a V_b) / (V_b + V_a) - mid``, where ``V`` is a side's
    quantity over the best ``levels`` and ``P`` its average price, weighted by quantity (VAMP; at levels = 1 the microprice).

    Computed from distances to the mid, so that no prices cancel; nan while a side is empty.
    """

    name = "volume_adjusted_mid"
    levels: Annotated[int, Meta(ge=1, le=50)] = 5

    def kernel(self) -> Kernel:
        levels = self.levels

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            half_spread = (book.ask_price[0] - book.bid_price[0]) / 2.0
            below = half_spread + average_distance(book.bid_price, book.bid_quantity, levels)
            above = half_spread + average_distance(book.ask_price, book.ask_quantity, levels)
            bid = ask = 0.0
            for k in range(levels):
                bid += book.bid_quantity[k]
                ask += book.ask_quantity[k]
            out[0] = (above * bid - below * ask) / (bid + ask) / book.tick_size

        return Kernel(on_frame=on_frame, depth=levels)
