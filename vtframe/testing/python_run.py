"""Runs one feature's functions as plain Python: slow, independent of the compiled loop, and strict about memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BookTop, Delta, Feature, Kernel, Moment, Trade
from vtframe.domain import EventFlag, EventKind, FrameKind, Records, Side
from vtframe.features import Pipeline
from vtframe.features.plan import HOOKS
from vtframe.testing.market import INSTRUMENT, RULE

_PRICE = 10.0**INSTRUMENT.price_decimals
_QUANTITY = 10.0**INSTRUMENT.quantity_decimals


def python_rows(feature: Feature, records: Records, fed: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Values of one row per depth frame or snapshot. The books come from a pipeline without features, what the feature reads
    from ``fed``: by column, a value a row.

    Raises IndexError where the feature leaves its arrays, ValueError where it writes into the book.
    """
    kernel = _fed(feature.kernel(), records, fed)
    books = Pipeline([], [INSTRUMENT], [RULE])
    state, out = _memory(kernel.state, len(kernel.outputs))
    top = _top(books, kernel.depth)
    rows = []
    for index in range(records.n_frames):
        frame = records.frames[index]
        begin = int(frame["first_event"])
        events = records.events[begin : begin + int(frame["n_events"])]
        ts_recv = int(frame["ts_recv"])
        moment = Moment(int(events[-1]["ts_event"]), ts_recv)
        with np.errstate(all="ignore"):
            if frame["kind"] == FrameKind.TRADE:
                for event in events:
                    if kernel.on_trade is not None and not event["flags"] & EventFlag.NON_MARKET:
                        kernel.on_trade(_trade(event, ts_recv), top, state, out)
                continue
            if frame["kind"] == FrameKind.SNAPSHOT:
                state, out = _memory(kernel.state, len(kernel.outputs))
            elif kernel.on_delta is not None:
                _deltas(partial(_call, kernel.on_delta, top, state, out), events, ts_recv, books)
            books.process(records, index, index + 1)
            top = _top(books, kernel.depth)
            if kernel.on_frame is not None:
                kernel.on_frame(moment, top, state, out)
            if kernel.on_row is not None:
                kernel.on_row(moment, top, state, out)
        rows.append(out.copy())
    return np.array(rows)


def _fed(kernel: Kernel, records: Records, columns: Mapping[str, NDArray[Any]]) -> Kernel:
    """The kernel with what it reads at its functions' fifth place: the newest row's values, or in a frame this frame's."""
    if not kernel.inputs:
        return kernel
    frames = records.frames[: records.n_frames]
    times = frames["ts_recv"][frames["kind"] != FrameKind.TRADE]
    values = np.column_stack([columns[column] for column in kernel.inputs])

    def fed(function: Any) -> Any:
        if function is None:
            return None

        def call(what: Any, book: Any, state: Any, out: Any) -> None:
            after = isinstance(what, Moment)  # a frame's own values are there; a change and a trade see the frame before
            row = int(np.searchsorted(times, what.ts_recv, side="right" if after else "left")) - 1
            cells = values[row] if row >= 0 else np.full(values.shape[1], np.nan)
            function(what, book, state, out, tuple(cells))

        return call

    hooks = {hook: fed(getattr(kernel, hook)) for hook in HOOKS}
    return Kernel(**hooks, state=kernel.state, outputs=kernel.outputs, depth=kernel.depth, warmup=kernel.warmup)


def _memory(states: Any, outputs: int) -> tuple[SimpleNamespace, NDArray[np.float64]]:
    arrays = {
        name: np.full(state.length, state.fill, np.float64 if state.dtype == "f8" else np.int64)
        for name, state in states.items()
    }
    return SimpleNamespace(**arrays), np.full(outputs, np.nan)


def _top(books: Pipeline, depth: int) -> BookTop:
    arrays = []
    for side in (Side.BUY, Side.SELL):
        prices, quantities = books.books.levels(0, side, depth)
        price, quantity = np.full(depth, np.nan), np.zeros(depth)
        price[: len(prices)] = prices / _PRICE
        quantity[: len(prices)] = quantities / _QUANTITY
        arrays += [price, quantity]
    for array in arrays:
        array.flags.writeable = False
    return BookTop(arrays[0], arrays[1], arrays[2], arrays[3], INSTRUMENT.tick_size / _PRICE)


def _trade(event: Any, ts_recv: int) -> Trade:
    return Trade(int(event["ts_event"]), ts_recv, int(event["side"]), event["price"] / _PRICE, event["quantity"] / _QUANTITY)


def _call(function: Any, top: BookTop, state: Any, out: Any, what: Any) -> None:
    function(what, top, state, out)


def _deltas(on_delta: Callable[[Delta], None], events: Any, ts_recv: int, books: Pipeline) -> None:
    """Each level change, with what the level held before it."""
    held: dict[tuple[int, int], int] = {}
    for event in events:
        if event["kind"] != EventKind.BOOK_DELTA:
            continue
        side, price = int(event["side"]), int(event["price"])
        before = held.get((side, price))
        if before is None:
            before = books.books.quantity_at(0, Side(side), price)
        held[side, price] = int(event["quantity"])
        quantity = event["quantity"] / _QUANTITY
        on_delta(Delta(int(event["ts_event"]), ts_recv, side, price / _PRICE, quantity, before / _QUANTITY))
