"""Feature: how much the mid has moved, by the clock."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.mid import log_move
from vtframe.builtin.features.timed_sum import add, timed_sum, total


class TimedVolatility(Feature, frozen=True):
    """Volatility of the mid over the last ``window_ms`` before the row, by the time of arrival, from its log returns frame by
    frame, in basis points over the window (not per row or frame).

    ``estimator = "realized"``: ``sqrt(sum(r^2))`` (Andersen and Bollerslev, 1998); ``"bipower"``:
    ``sqrt(pi / 2 * sum(|r_i| |r_(i-1)|))`` over the returns in the window and each one's predecessor (Barndorff-Nielsen and
    Shephard, 2004), which a jump hardly moves.

    nan until the book has been live for so long, and again from an empty side until it has left the window. ``capacity`` frames
    that add something (not 0) may lie in the window; where there are more the value is nan, so the row not valid, until the
    first that had to make room would have left the window. As rows have no fixed length in time, ``warmup`` is yours to state
    if rows are to be counted.
    """

    name = "timed_volatility"
    window_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 10_000
    estimator: Literal["realized", "bipower"] = "realized"
    capacity: Annotated[int, Meta(ge=1, le=1_000_000)] = 4096
    warmup: Annotated[int, Meta(ge=0)] = 0

    @classmethod
    def example(cls) -> Self:
        return cls(window_ms=100, capacity=64, warmup=40)

    def kernel(self) -> Kernel:
        span = self.window_ms * 1_000_000
        realized = self.estimator == "realized"
        scale = 1.0 if realized else np.pi / 2.0

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            move = abs(log_move(book, state.mid))
            term = move * (move if realized else state.move[0])
            state.move[0] = move
            if np.isnan(term):
                state.unknown[0] = moment.ts_recv
            elif term > 0.0:
                add(term, moment.ts_recv, span, state.sum_ring, state.sum_time, state.sum_fresh, state.sum_place)

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            known = state.unknown[0] <= moment.ts_recv - span
            terms = total(moment.ts_recv, span, state.sum_ring, state.sum_time, state.sum_fresh, state.sum_place)
            out[0] = np.sqrt(scale * terms) if known else np.nan

        memory = {
            **timed_sum("sum", self.capacity),
            "mid": floats(fill=np.nan),
            "move": floats(fill=np.nan),
            "unknown": ints(),  # when a frame last had no term
        }
        return Kernel(on_frame=on_frame, on_row=on_row, state=memory, warmup=self.warmup)
