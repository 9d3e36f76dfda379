"""Features: how much waits at the best prices, and what came and went there."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats
from vtframe.builtin.features.order_flow_imbalance import queue_change
from vtframe.builtin.features.rolling_sum import empty_all, push_all, rolling_sums, sum_of


class QueueSize(Feature, frozen=True):
    """Quantity over the best ``levels`` of each side, a column a side; with ``logarithm`` its natural logarithm, which tames
    the tail. 0 for an empty side (with ``logarithm`` nan).
    """

    name = "queue_size"
    levels: Annotated[int, Meta(ge=1, le=50)] = 1
    logarithm: bool = False

    def kernel(self) -> Kernel:
        levels = self.levels
        logarithm = self.logarithm

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            bid = ask = 0.0
            for k in range(levels):
                bid += book.bid_quantity[k]
                ask += book.ask_quantity[k]
            if logarithm:
                out[0] = np.log(bid) if bid > 0.0 else np.nan
                out[1] = np.log(ask) if ask > 0.0 else np.nan
            else:
                out[0] = bid
                out[1] = ask

        return Kernel(on_frame=on_frame, outputs=("bid", "ask"), depth=levels)


class QueueChange(Feature, frozen=True):
    """What the queue at the best price of each side gained in the last ``window`` frames that changed the book, a column a
    side, in quantity: the two sums of which ``order_flow_imbalance`` is the difference (Cont, Kukanov and Stoikov, 2014).

    A better price gains its whole quantity, a worse one loses what was there. nan until ``window`` frames are there, and again
    from an empty side until it has left the window.
    """

    name = "queue_change"
    window: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    def kernel(self) -> Kernel:
        window = self.window

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            last = state.last  # bid price, bid quantity, ask price, ask quantity
            bid = queue_change(book.bid_price[0], book.bid_quantity[0], last[0], last[1], 1.0)
            ask = queue_change(book.ask_price[0], book.ask_quantity[0], last[2], last[3], -1.0)
            last[0] = book.bid_price[0]
            last[1] = book.bid_quantity[0]
            last[2] = book.ask_price[0]
            last[3] = book.ask_quantity[0]
            out[:] = np.nan
            if np.isnan(bid + ask):
                empty_all(state.gain_ring, state.gain_fresh, state.gain_place)
                return
            state.gain_now[0] = bid
            state.gain_now[1] = ask
            if push_all(state.gain_now, state.gain_ring, state.gain_fresh, state.gain_place) >= window:
                out[0] = sum_of(0, state.gain_ring, state.gain_fresh, state.gain_place)
                out[1] = sum_of(1, state.gain_ring, state.gain_fresh, state.gain_place)

        memory = {**rolling_sums("gain", window, 2), "last": floats(4, fill=np.nan)}
        return Kernel(on_frame=on_frame, state=memory, outputs=("bid", "ask"), warmup=window)
