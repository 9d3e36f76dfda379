"""Feature: where the mid will settle, as the past has it, seen from the spread and the sizes at the best prices."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel


class AdjustedMicroPrice(Feature, frozen=True):
    """Stoikov (2018), "The micro-price: a high-frequency estimator of future prices", less the mid, in ticks: the expected
    change of the mid in the long run, given imbalance ``q_b / (q_b + q_a)`` and spread.

    ``table[s][i]`` is G* in ticks for a spread of s + 1 ticks and the i-th of as many equal shares of [0, 1] as a row has
    numbers; ``fit_adjusted_microprice`` makes it from recorded books. nan while a side is empty and for a spread wider than the
    table knows.
    """

    name = "adjusted_microprice"
    table: Annotated[tuple[tuple[float, ...], ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.table}
        if len(widths) != 1 or 0 in widths:
            raise ValueError(f"every row of table needs the same count of numbers, at least one, found {sorted(widths)}")

    @classmethod
    def example(cls) -> Self:
        return cls(table=tuple((-0.4 * spread, -0.1 * spread, 0.1 * spread, 0.4 * spread) for spread in range(1, 61)))

    def kernel(self) -> Kernel:
        table = np.array(self.table)
        widest, shares = table.shape

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            bid = book.bid_quantity[0]
            ask = book.ask_quantity[0]
            if not (bid > 0.0 and ask > 0.0):
                out[0] = np.nan
                return
            spread = int(np.rint((book.ask_price[0] - book.bid_price[0]) / book.tick_size))
            share = min(int(bid / (bid + ask) * shares), shares - 1)
            out[0] = table[spread - 1, share] if 1 <= spread <= widest else np.nan

        return Kernel(on_frame=on_frame)
