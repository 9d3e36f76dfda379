"""Feature: where the next trade is likely, seen from the sizes at the best prices."""

from __future__ import annotations

from vtframe.api import Feature, Kernel


class MicroPrice(Feature, frozen=True):
    """Size-weighted mid less mid, in ticks: Stoikov (2018), "The micro-price", first-order form.

    ``(ask * bid_quantity + bid * ask_quantity) / (bid_quantity + ask_quantity) - mid``, computed as
    ``spread / 2 * imbalance`` (the same number, without the difference of two prices); nan while a side is empty.
    """

    name = "microprice"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            bid = book.bid_quantity[0]
            ask = book.ask_quantity[0]
            half_spread = (book.ask_price[0] - book.bid_price[0]) / 2.0
            out[0] = half_spread * (bid - ask) / (bid + ask) / book.tick_size

        return Kernel(on_frame=on_frame)
