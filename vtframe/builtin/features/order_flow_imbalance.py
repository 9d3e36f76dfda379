"""Feature: which way orders, cancellations and trades have pushed the best prices' queues."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.rolling_sum import empty, push, rolling_sum


class OrderFlowImbalance(Feature, frozen=True):
    """Order flow imbalance at the best bid and ask, summed over the last ``window`` frames that changed the book: Cont,
    Kukanov and Stoikov (2014), "The price impact of order book events", eq. 4 and 5, with a frame as the event:

    ``e = [P_b >= P_b'] q_b - [P_b <= P_b'] q_b' - [P_a <= P_a'] q_a + [P_a >= P_a'] q_a'``, where ' is the frame before.

    With ``normalize`` it is divided by the average depth ``(q_b + q_a) / 2`` over the same frames (there, impact is inversely
    proportional to depth), and unitless; else in quantity. nan until ``window`` frames are there, and again from an empty
    side until it has left the window.
    """

    name = "order_flow_imbalance"
    window: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    normalize: bool = True

    def kernel(self) -> Kernel:
        window = self.window
        normalize = self.normalize

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            last = state.last  # bid price, bid quantity, ask price, ask quantity
            flow = queue_change(book.bid_price[0], book.bid_quantity[0], last[0], last[1], 1.0) - queue_change(
                book.ask_price[0], book.ask_quantity[0], last[2], last[3], -1.0
            )
            last[0] = book.bid_price[0]
            last[1] = book.bid_quantity[0]
            last[2] = book.ask_price[0]
            last[3] = book.ask_quantity[0]
            if np.isnan(flow):
                state.count[0] = 0
                empty(state.flow_ring, state.flow_fresh, state.flow_place)
                empty(state.depth_ring, state.depth_fresh, state.depth_place)
                out[0] = np.nan
                return
            total = push(flow, state.flow_ring, state.flow_fresh, state.flow_place)
            depth = push((last[1] + last[3]) / 2.0, state.depth_ring, state.depth_fresh, state.depth_place)
            state.count[0] += 1
            if state.count[0] < window:
                out[0] = np.nan
            elif normalize:
                out[0] = total / (depth / window)
            else:
                out[0] = total

        memory = {
            **rolling_sum("flow", window),
            **rolling_sum("depth", window),
            "last": floats(4, fill=np.nan),
            "count": ints(),
        }
        return Kernel(on_frame=on_frame, state=memory, warmup=window)


def queue_change(price, quantity, last_price, last_quantity, sign):  # type: ignore[no-untyped-def]
    """What one side's best queue gained; ``sign`` is 1 where a higher price is better. nan where a price is."""
    better = sign * (price - last_price)
    if better > 0.0:
        return quantity
    if better < 0.0:
        return -last_quantity
    return quantity - last_quantity if better == 0.0 else np.nan
