"""Features: trades that count less the older they are."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints

HalfLife = Annotated[float, Meta(gt=0.0, le=86_400_000.0)]


class DecayedTradeImbalance(Feature, frozen=True):
    """Volume bought less volume sold over their sum, where a trade's weight halves every ``half_life_ms`` by the time of
    arrival. Unitless, in [-1, 1]; 0 before the first trade.

    Between trades both volumes fade alike, so the value stays as the last trade left it.
    """

    name = "decayed_trade_imbalance"
    half_life_ms: HalfLife = 1000.0

    def kernel(self) -> Kernel:
        rate = np.log(2.0) / (self.half_life_ms * 1e6)  # per ns

        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            fade(trade.ts_recv, rate, state.volume, state.time)
            state.volume[0 if trade.side > 0 else 1] += trade.quantity

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            bought = state.volume[0]
            sold = state.volume[1]
            out[0] = (bought - sold) / (bought + sold) if bought + sold > 0.0 else 0.0

        return Kernel(on_trade=on_trade, on_row=on_row, state={"volume": floats(2), "time": ints()})


class TradeIntensity(Feature, frozen=True):
    """How fast each side trades now: ``rate * sum(x_i exp(-rate (t - t_i)))`` over its trades, with ``rate = ln 2 / half life``
    and ``t`` the row's time of arrival; the excitation of a Hawkes process with an exponential kernel (Hawkes, 1971; Bacry,
    Mastromatteo and Muzy, 2015), scaled so that a steady flow gives its rate. Columns ``buy`` and ``sell``.

    ``by = "count"``: ``x = 1``, in trades per second; ``by = "volume"``: ``x`` is the quantity, in quantity per second. 0
    before the first trade; it starts from nothing after a resync, and is within 1 % of its rate after seven half lives.
    """

    name = "trade_intensity"
    half_life_ms: HalfLife = 1000.0
    by: Literal["count", "volume"] = "count"

    def kernel(self) -> Kernel:
        rate = np.log(2.0) / (self.half_life_ms * 1e6)  # per ns
        by_volume = self.by == "volume"

        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            fade(trade.ts_recv, rate, state.sum, state.time)
            state.sum[0 if trade.side > 0 else 1] += trade.quantity if by_volume else 1.0

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            scale = rate * 1e9 * np.exp(-rate * max(0, moment.ts_recv - state.time[0]))
            out[0] = scale * state.sum[0]
            out[1] = scale * state.sum[1]

        memory = {"sum": floats(2), "time": ints()}
        return Kernel(on_trade=on_trade, on_row=on_row, state=memory, outputs=("buy", "sell"))


def fade(now, rate, sums, time):  # type: ignore[no-untyped-def]
    """Let the sums age from the last trade to ``now``; a clock that went back ages nothing."""
    if time[0] > 0:
        factor = np.exp(-rate * max(0, now - time[0]))
        sums[0] *= factor
        sums[1] *= factor
    time[0] = max(now, time[0])
