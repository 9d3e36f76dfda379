"""Features: order flow imbalance of more levels than the best."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats
from vtframe.builtin.features.order_flow_imbalance import queue_change
from vtframe.builtin.features.rolling_sum import empty_all, push_all, rolling_sums, sum_of

Weight = Annotated[float, Meta(ge=0.0)]


class MultiLevelOrderFlowImbalance(Feature, frozen=True):
    """Order flow imbalance of each of the best ``levels``, one column a level, summed over the last ``window`` frames that
    changed the book: Xu, Gould and Howison (2018), "Multi-level order-flow imbalance in a limit order book".

    Level m's flow compares its price and quantity with those of level m in the frame before, as ``order_flow_imbalance`` does
    for the best. With ``normalize`` it is divided by the average depth over the same frames and all levels,
    ``sum(q_b + q_a) / (2 window levels)`` (Cont, Cucuringu and Zhang, 2023), and unitless; else in quantity. nan until
    ``window`` frames are there, and again from a missing level until it has left the window.
    """

    name = "multi_level_order_flow_imbalance"
    levels: Annotated[int, Meta(ge=1, le=50)] = 5
    window: Annotated[int, Meta(ge=1, le=100_000)] = 20
    normalize: bool = True

    def kernel(self) -> Kernel:
        levels = self.levels
        window = self.window
        normalize = self.normalize

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            if np.isnan(level_flows(book, state.last, state.flow_now)):
                empty_all(state.flow_ring, state.flow_fresh, state.flow_place)
                out[:] = np.nan
                return
            count = push_all(state.flow_now, state.flow_ring, state.flow_fresh, state.flow_place)
            depth = sum_of(levels, state.flow_ring, state.flow_fresh, state.flow_place) / window if normalize else 1.0
            for k in range(levels):
                total = sum_of(k, state.flow_ring, state.flow_fresh, state.flow_place)
                out[k] = total / depth if count >= window else np.nan

        memory = {**rolling_sums("flow", window, levels + 1), "last": floats(4 * levels, fill=np.nan)}
        outputs = tuple(str(k + 1) for k in range(levels))
        return Kernel(on_frame=on_frame, state=memory, outputs=outputs, depth=levels, warmup=window)


class IntegratedOrderFlowImbalance(Feature, frozen=True):
    """One number for the order flow of the best ``levels``: their flows, each over the last ``window`` frames and over the
    average depth of all of them, weighted: Cont, Cucuringu and Zhang (2023), "Cross-impact of order flow imbalance in equity
    markets". Unitless.

    ``sum(w_m OFI_m) / sum(|w_m|)``. There ``weights`` is the first principal component of the levels' flows, fitted on the
    past; without it all levels weigh the same. nan until ``window`` frames are there, and again from a missing level until it
    has left the window.
    """

    name = "integrated_order_flow_imbalance"
    levels: Annotated[int, Meta(ge=1, le=50)] = 10
    window: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.weights and (len(self.weights) != self.levels or not any(self.weights)):
            raise ValueError(f"weights needs one number for each of {self.levels} levels, not all 0, found {self.weights}")

    def kernel(self) -> Kernel:
        levels = self.levels
        window = self.window
        weights = np.array(self.weights or [1.0] * levels)
        weights /= np.abs(weights).sum()

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            if np.isnan(level_flows(book, state.last, state.flows)):
                empty_all(state.sum_ring, state.sum_fresh, state.sum_place)
                out[0] = np.nan
                return
            state.sum_now[0] = 0.0
            for k in range(levels):
                state.sum_now[0] += weights[k] * state.flows[k]
            state.sum_now[1] = state.flows[levels]
            count = push_all(state.sum_now, state.sum_ring, state.sum_fresh, state.sum_place)
            total = sum_of(0, state.sum_ring, state.sum_fresh, state.sum_place)
            depth = sum_of(1, state.sum_ring, state.sum_fresh, state.sum_place) / window
            out[0] = total / depth if count >= window else np.nan

        memory = {**rolling_sums("sum", window, 2), "flows": floats(levels + 1), "last": floats(4 * levels, fill=np.nan)}
        return Kernel(on_frame=on_frame, state=memory, depth=levels, warmup=window)


def level_flows(book, last, flows):  # type: ignore[no-untyped-def]
    """Write what each level's queues gained since the last call (bid less ask), then the average depth, into ``flows``.

    Returns their sum, which is nan where a level is missing or was; ``last`` keeps the levels.
    """
    levels = len(flows) - 1
    depth = total = 0.0
    for k in range(levels):
        row = 4 * k  # bid price, bid quantity, ask price, ask quantity
        bid = queue_change(book.bid_price[k], book.bid_quantity[k], last[row], last[row + 1], 1.0)
        ask = queue_change(book.ask_price[k], book.ask_quantity[k], last[row + 2], last[row + 3], -1.0)
        flows[k] = bid - ask
        total += flows[k]
        last[row] = book.bid_price[k]
        last[row + 1] = book.bid_quantity[k]
        last[row + 2] = book.ask_price[k]
        last[row + 3] = book.ask_quantity[k]
        depth += (book.bid_quantity[k] + book.ask_quantity[k]) / 2.0
    flows[levels] = depth / levels
    return total
