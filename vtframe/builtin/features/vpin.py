"""Feature: how one-sided trading has been, in volume time."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.rolling_sum import current, push, rolling_sum


class Vpin(Feature, frozen=True):
    """Volume-synchronized probability of informed trading: Easley, Lopez de Prado and O'Hara (2012), "Flow toxicity and
    liquidity in a high-frequency world". Unitless, in [0, 1].

    Trades fill buckets of ``bucket_volume`` (in quantity; a trade larger than what is left spills over):
    ``sum(|V_buy - V_sell|) / (buckets * bucket_volume)`` over the last full ``buckets``. There trades are classed in bulk; here
    the venue says who was the aggressor. nan until the buckets are full; since that takes volume, not rows, ``warmup`` is yours
    to state if rows are to be counted.
    """

    name = "vpin"
    bucket_volume: Annotated[float, Meta(gt=0.0)]
    buckets: Annotated[int, Meta(ge=1, le=100_000)] = 50
    warmup: Annotated[int, Meta(ge=0)] = 0

    @classmethod
    def example(cls) -> Self:
        return cls(bucket_volume=60.0, buckets=5, warmup=60)

    def kernel(self) -> Kernel:
        volume = self.bucket_volume
        buckets = self.buckets

        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            left = trade.quantity
            room = volume - state.filled[0]
            if left < room:
                state.filled[0] += left
                state.filled[1] += trade.side * left
                return
            push(abs(state.filled[1] + trade.side * room), state.sum_ring, state.sum_fresh, state.sum_place)
            left -= room
            whole = np.floor(left / volume)
            state.count[0] += 1 + int(whole)
            for _ in range(min(int(whole), buckets)):  # of one side only; more would push out each other
                push(volume, state.sum_ring, state.sum_fresh, state.sum_place)
            left = max(0.0, left - whole * volume)
            state.filled[0] = left
            state.filled[1] = trade.side * left

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            full = state.count[0] >= buckets
            total = current(state.sum_ring, state.sum_fresh, state.sum_place)
            out[0] = total / (buckets * volume) if full else np.nan

        memory = {**rolling_sum("sum", buckets), "filled": floats(2), "count": ints()}  # filled: all, bought less sold
        return Kernel(on_trade=on_trade, on_row=on_row, state=memory, warmup=self.warmup)
