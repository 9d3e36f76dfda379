"""Feature: the quoted spread."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vtframe.api import Feature, Kernel
from vtframe.builtin.features.mid import BASIS_POINTS


class Spread(Feature, frozen=True):
    """Best ask less best bid: in ``ticks``, or in basis points of the mid (``bps``); nan while a side is empty."""

    name = "spread"
    unit: Literal["ticks", "bps"] = "ticks"

    def kernel(self) -> Kernel:
        in_ticks = self.unit == "ticks"

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            spread = book.ask_price[0] - book.bid_price[0]
            if in_ticks:
                out[0] = np.rint(spread / book.tick_size)
            else:
                out[0] = BASIS_POINTS * spread / ((book.ask_price[0] + book.bid_price[0]) / 2.0)

        return Kernel(on_frame=on_frame)
