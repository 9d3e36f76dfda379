"""Features: how long ago something happened, by the time of arrival, in seconds."""

from __future__ import annotations

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features.mid import mid_of

SECOND = 1e9  # ns


class TimeSinceTrade(Feature, frozen=True):
    """Seconds from the last market trade to the row; from the resync, at least so long, while there was none."""

    name = "time_since_trade"

    def kernel(self) -> Kernel:
        def on_trade(trade, book, state, out):  # type: ignore[no-untyped-def]
            state.time[0] = trade.ts_recv

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            if state.time[0] < 0:
                state.time[0] = moment.ts_recv

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            out[0] = (moment.ts_recv - state.time[0]) / SECOND

        return Kernel(on_trade=on_trade, on_frame=on_frame, on_row=on_row, state={"time": ints(fill=-1)})


class TimeSinceMidChange(Feature, frozen=True):
    """Seconds from the last frame that moved the mid to the row; from the resync, at least so long, while none did. A side
    that empties or comes back moves the mid.
    """

    name = "time_since_mid_change"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            mid = mid_of(book)
            gone = mid != mid  # noqa: PLR0124 - nan
            was_gone = state.mid[0] != state.mid[0]
            if state.time[0] < 0 or gone != was_gone or (not gone and mid != state.mid[0]):
                state.time[0] = moment.ts_recv
                state.mid[0] = mid

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            out[0] = (moment.ts_recv - state.time[0]) / SECOND

        return Kernel(on_frame=on_frame, on_row=on_row, state={"time": ints(fill=-1), "mid": floats()})


class TopOfBookAge(Feature, frozen=True):
    """Seconds from the last frame that changed the best price or the quantity there to the row, a column a side; from the
    resync, at least so long, while none did.
    """

    name = "top_of_book_age"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            note(moment.ts_recv, book.bid_price[0], book.bid_quantity[0], 0, state.time, state.last)
            note(moment.ts_recv, book.ask_price[0], book.ask_quantity[0], 1, state.time, state.last)

        def on_row(moment, book, state, out):  # type: ignore[no-untyped-def]
            out[0] = (moment.ts_recv - state.time[0]) / SECOND
            out[1] = (moment.ts_recv - state.time[1]) / SECOND

        memory = {"time": ints(2, fill=-1), "last": floats(4)}  # last: price and quantity of either side
        return Kernel(on_frame=on_frame, on_row=on_row, state=memory, outputs=("bid", "ask"))


def note(now, price, quantity, side, time, last):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Keep a side's best level, and when it came to be. An empty one has no price, and quantity 0."""
    if quantity != last[2 * side + 1] or (quantity > 0.0 and price != last[2 * side]) or time[side] < 0:
        time[side] = now
    last[2 * side] = price
    last[2 * side + 1] = quantity
