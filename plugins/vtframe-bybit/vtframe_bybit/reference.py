"""The reference decoder of Bybit's messages, complete and checked. The compiled one agrees with it, or hands over to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import DecodeError, fixed
from vtframe.api.scan import Units
from vtframe.domain import EventFlag, EventKind, FrameKind, Records
from vtframe_bybit.messages import BOOK, ENVELOPE, TRADES, Book, Envelope

PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)
MS = 1_000_000
_LAST, _OTHER = int(EventFlag.LAST), int(EventFlag.NON_MARKET)
_TRADE, _QUOTE = int(EventKind.TRADE), int(EventKind.QUOTE)
_SIDES = {"Buy": 1, "Sell": -1}
_DEPTHS = frozenset({"1", "25", "50", "100", "200", "500", "1000"})


class Reference:
    """Decodes books and trades. ``depth`` names the book topic that counts; 0: each symbol's first."""

    def __init__(
        self, instruments: dict[str, Units], depth: int = 0, on_depth: Callable[[int, int], None] | None = None
    ) -> None:
        """``on_depth`` is told (instrument, depth) when a symbol's first book has come."""
        self._instruments = instruments
        self._depth = str(depth) if depth else ""
        self._depths: dict[str, str] = {}  # by symbol
        self._on_depth = on_depth

    def decode(self, data: bytes, records: Records) -> str:
        """As ``Codec.decode``."""
        try:
            message = ENVELOPE.decode(data)
            if message.topic is None:
                return message.op or "unknown"
            kind, _, rest = message.topic.partition(".")
            if kind == "orderbook":
                self._book(rest, message, records)
            elif kind == "publicTrade":
                self._trades(message, records)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise DecodeError(f"broken message: {e}") from None
        return kind

    def _makes_the_book(self, symbol: str, depth: str) -> bool:
        """Whether the topic of this depth is the one that makes the symbol's book."""
        if self._depth:
            return depth == self._depth
        if symbol not in self._depths:
            self._depths[symbol] = depth
            if self._on_depth is not None:
                self._on_depth(self._instruments[symbol].number, int(depth))
        return depth == self._depths[symbol]

    def _book(self, topic: str, message: Envelope, records: Records) -> None:
        depth, _, symbol = topic.partition(".")
        units = self._instruments.get(symbol)
        if units is None or depth not in _DEPTHS:
            return  # "full" has no picture of its own, rpi books are another market's
        if message.type not in {"snapshot", "delta"}:
            raise DecodeError(f"broken message: a book of type {str(message.type)[:40]!r}")
        book = BOOK.decode(message.data)
        if book.s != symbol:
            raise DecodeError(f"broken message: {book.s[:40]!r} in a topic of {symbol}")
        time = message.cts if message.cts is not None else message.ts
        ts_event = 0 if time is None else time * MS
        bids, asks = _levels(book.b, units), _levels(book.a, units)
        if depth == "1":
            _append_quote(records, units, book, bids=bids, asks=asks, ts_event=ts_event)
        elif self._makes_the_book(symbol, depth):
            picture = message.type == "snapshot"
            records.append_levels(
                kind=int(FrameKind.SNAPSHOT if picture else FrameKind.DEPTH),
                instrument=units.number,
                ts_event=ts_event,
                bids=bids,
                asks=asks,
                flags=PICTURE if picture else 0,
                clear=picture,
                last_id=book.u,
            )

    def _trades(self, message: Envelope, records: Records) -> None:
        """One frame for each run of trades of one symbol, in the order sent."""
        events: list[tuple[int, int, int, int, int, int, int, int, int]] = []
        for trade in TRADES.decode(message.data):
            units = self._instruments.get(trade.s)
            if units is not None:
                price, quantity = fixed(trade.p, units.price_decimals), fixed(trade.v, units.quantity_decimals)
                flags = _OTHER if trade.BT else 0
                events.append((0, trade.T * MS, price, quantity, 0, units.number, flags, _TRADE, _SIDES[trade.S]))
        start = 0
        for k in range(1, len(events) + 1):
            if k == len(events) or events[k][5] != events[start][5]:
                last = events[k - 1]
                events[k - 1] = (*last[:6], last[6] | _LAST, *last[7:])
                records.append(kind=int(FrameKind.TRADE), instrument=last[5], events=events[start:k])
                start = k


def _append_quote(
    records: Records, units: Units, book: Book, *, bids: NDArray[np.int64], asks: NDArray[np.int64], ts_event: int
) -> None:
    """The topic of depth 1 sends pictures only: the best bid and ask, as the venue states them. A side may be empty."""
    number = units.number
    (bid, bid_quantity), (ask, ask_quantity) = (side[0].tolist() if len(side) else (0, 0) for side in (bids, asks))
    records.append(
        kind=int(FrameKind.QUOTE),
        instrument=number,
        events=(
            (0, ts_event, bid, bid_quantity, 0, number, 0, _QUOTE, 1),
            (0, ts_event, ask, ask_quantity, 0, number, _LAST, _QUOTE, -1),
        ),
        last_id=book.u,
    )


def _levels(levels: Sequence[Sequence[str]], units: Units) -> NDArray[np.int64]:
    """(price, quantity) in fixed point, in the order sent."""
    for level in levels:
        if len(level) < 2:
            raise DecodeError(f"broken message: a level of {len(level)}")
    rows = [(fixed(level[0], units.price_decimals), fixed(level[1], units.quantity_decimals)) for level in levels]
    return np.array(rows, np.int64).reshape(-1, 2)
