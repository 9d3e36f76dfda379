"""A feature: its fields would be its TOML keys; it is plain Python, and it is compiled."""

from __future__ import annotations

from typing import Any

from vtframe.api import BookTop, Feature, Kernel, Moment


class SpreadBps(Feature):
    """Best ask less best bid, in bps of their mean; nan while a side is empty."""

    name = "spread_bps"

    def kernel(self) -> Kernel:
        def on_frame(moment: Moment, book: BookTop, state: Any, out: Any) -> None:
            bid, ask = book.bid_price[0], book.ask_price[0]
            out[0] = 1e4 * (ask - bid) / (0.5 * (ask + bid))

        return Kernel(on_frame=on_frame)
