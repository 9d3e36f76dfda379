"""Feature: the book itself, as models of the DeepLOB family take it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vtframe.api import Feature, Kernel


class RawLevels(Feature, frozen=True):
    """Prices and quantities of the best ``levels``: for each, best first, ask price, ask quantity, bid price, bid quantity, in
    the order of Zhang, Zohren and Roberts (2019), "DeepLOB"; 40 columns at 10 levels.

    Prices are ticks from the mid (asks above 0, bids below): a float32 of 60,000 cannot hold a tick of 0.01, and a model has
    no use for yesterday's price. Quantities are in the instrument's units. A missing level's price is nan, so the row is not
    valid.
    """

    name = "raw_levels"
    levels: Annotated[int, Meta(ge=1, le=50)] = 10

    def kernel(self) -> Kernel:
        levels = self.levels

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            half_spread = (book.ask_price[0] - book.bid_price[0]) / 2.0
            for k in range(levels):
                out[4 * k] = (half_spread + (book.ask_price[k] - book.ask_price[0])) / book.tick_size
                out[4 * k + 1] = book.ask_quantity[k]
                out[4 * k + 2] = (book.bid_price[k] - book.bid_price[0] - half_spread) / book.tick_size
                out[4 * k + 3] = book.bid_quantity[k]

        names = ("ask_price", "ask_quantity", "bid_price", "bid_quantity")
        outputs = tuple(f"{name}_{k + 1}" for k in range(levels) for name in names)
        return Kernel(on_frame=on_frame, outputs=outputs, depth=levels)
