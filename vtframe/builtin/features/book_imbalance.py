"""Feature: which side of the book is heavier."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel


class BookImbalance(Feature, frozen=True):
    """Order book imbalance ``(V_b - V_a) / (V_b + V_a)`` over the best ``levels`` of each side; levels = 1 is the OBI of
    Cont, Kukanov and Stoikov (2014) and of Gould and Bonart (2016). Unitless, in [-1, 1]; nan while a side is empty.
    """

    name = "book_imbalance"
    levels: Annotated[int, Meta(ge=1, le=50)] = 1

    def kernel(self) -> Kernel:
        levels = self.levels

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            bid = ask = 0.0
            for k in range(levels):
                bid += book.bid_quantity[k]
                ask += book.ask_quantity[k]
            out[0] = (bid - ask) / (bid + ask) if bid > 0.0 and ask > 0.0 else np.nan

        return Kernel(on_frame=on_frame, depth=levels)
