"""Small features that read others, for tests."""

from __future__ import annotations

import numpy as np

from vtframe.api import Feature, Kernel, floats, ints


class Smooth(Feature, frozen=True):
    """Exponentially weighted mean of another column, per row; starts over where that is nan."""

    name = "smooth"
    of: str
    weight: float = 0.25

    def kernel(self) -> Kernel:
        weight = self.weight

        def on_row(moment, book, state, out, inputs):
            value, before = inputs[0], state.mean[0]
            state.mean[0] = value if np.isnan(before) else before + weight * (value - before)
            out[0] = state.mean[0]

        return Kernel(on_row=on_row, state={"mean": floats(fill=np.nan)}, inputs=(self.of,))


class Difference(Feature, frozen=True):
    """One column less another, per frame, and how many frames it has seen."""

    name = "difference"
    of: str
    less: str

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out, inputs):
            state.frames[0] += 1
            total = 0.0
            for k in range(len(inputs)):
                total += inputs[k] if k == 0 else -inputs[k]
            out[0] = total
            out[1] = state.frames[0]

        return Kernel(on_frame=on_frame, state={"frames": ints()}, inputs=(self.of, self.less), outputs=("by", "frames"))


class Top(Feature, frozen=True):
    """Best bid and ask quantities."""

    name = "top"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out):
            out[0] = book.bid_quantity[0]
            out[1] = book.ask_quantity[0]

        return Kernel(on_frame=on_frame, outputs=("bid", "ask"))


class Counting(Feature, frozen=True):
    """Frames, trades, level changes and rows since the resync."""

    name = "counting"
    warm: int = 0

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out):
            state.count[0] += 1
            out[0] = state.count[0]

        def on_trade(trade, book, state, out):
            state.count[1] += 1
            out[1] = state.count[1]

        def on_delta(delta, book, state, out):
            state.count[2] += 1
            out[2] = state.count[2]

        def on_row(moment, book, state, out):
            state.count[3] += 1
            for k in range(4):
                out[k] = state.count[k]

        return Kernel(
            on_frame=on_frame,
            on_trade=on_trade,
            on_delta=on_delta,
            on_row=on_row,
            state={"count": ints(4)},
            outputs=("frames", "trades", "deltas", "rows"),
            warmup=self.warm,
        )
