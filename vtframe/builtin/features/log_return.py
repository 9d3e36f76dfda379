"""Features: the mid against what it was."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.mid import log_return, mid_of


class LogReturn(Feature, frozen=True):
    """``ln(mid / mid of rows rows ago)``, in basis points; nan for the first ``rows`` rows, and where a side is empty in
    either.
    """

    name = "log_return"
    rows: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    def kernel(self) -> Kernel:
        rows = self.rows

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            at = state.place[0]
            mid = mid_of(book)
            out[0] = log_return(mid, state.mid[at])
            state.mid[at] = mid
            state.place[0] = at + 1 if at + 1 < rows else 0

        return Kernel(on_row=on_row, state={"mid": floats(rows, fill=np.nan), "place": ints()}, warmup=rows)


class TimedReturn(Feature, frozen=True):
    """``ln(mid / mid as it stood window_ms before the row)`` by the time of arrival, in basis points. The mid of then is that
    of the last frame at or before then.

    nan until the book has been live for so long, and where a side is empty in either. ``capacity`` frames may lie in the
    window; where there are more the frame of then had to make room, and the value is nan until one as old is there again. As
    rows have no fixed length in time, ``warmup`` is yours to state if rows are to be counted.
    """

    name = "timed_return"
    window_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 1000
    capacity: Annotated[int, Meta(ge=1, le=1_000_000)] = 4096
    warmup: Annotated[int, Meta(ge=0)] = 0

    @classmethod
    def example(cls) -> Self:
        return cls(window_ms=100, capacity=64, warmup=40)

    def kernel(self) -> Kernel:
        span = self.window_ms * 1_000_000
        size = self.capacity + 1  # those in the window, and the last before it

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            let_go(moment.ts_recv - span, state.time, state.place)
            if state.place[1] - state.place[0] == size:
                state.place[0] += 1
            at = state.place[1] % size
            state.time[at] = moment.ts_recv
            state.mid[at] = mid_of(book)
            state.place[1] += 1

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            then = moment.ts_recv - span
            let_go(then, state.time, state.place)
            at = state.place[0] % size
            known = state.place[0] < state.place[1] and state.time[at] <= then
            out[0] = log_return(mid_of(book), state.mid[at]) if known else np.nan

        memory = {"time": ints(size), "mid": floats(size), "place": ints(2)}  # place: the oldest, one past the newest
        return Kernel(on_frame=on_frame, on_row=on_row, state=memory, warmup=self.warmup)


def let_go(until, time, place):  # type: ignore[no-untyped-def]
    """Let go of all at or before ``until`` but the last."""
    while place[1] - place[0] > 1 and time[(place[0] + 1) % len(time)] <= until:
        place[0] += 1
