"""The reference decoder of VecTrade's messages, complete and checked. The compiled one agrees with it, or hands over to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import DecodeError, fixed, fixed_number, instant
from vtframe.api.scan import Units
from vtframe.domain import EventFlag, EventKind, FrameKind, Records
from vtframe_vectrade.messages import ABSENT, BOOK, HEAD, NOTE, NOTE_TYPE, QUOTE, TICKER, TRADE, Head

ORDERBOOK, TRADES, TICKERS = "orderbook:", "trades:", "ticker:"
PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)
_LAST = int(EventFlag.LAST)
_SIDES = {"buy": 1, "sell": -1}
_Event = tuple[int, int, int, int, int, int, int, int, int]


class Reference:
    """Decodes books, trades, tickers and quotes."""

    def __init__(self, instruments: dict[str, Units]) -> None:
        self._instruments = instruments
        self._readers: dict[str, tuple[str, Callable[[str, bytes, Units, Records], None]]] = {
            "snapshot": (ORDERBOOK, _append_book),
            "delta": (ORDERBOOK, _append_book),
            "trade": (TRADES, _append_trade),
            "ticker": (TICKERS, _append_ticker),
            "quote.update": ("", _append_quote),
            NOTE_TYPE: ("", _append_note),
        }

    def decode(self, data: bytes, records: Records) -> str:
        """As ``Codec.decode``."""
        try:
            head = HEAD.decode(data)
            found = self._readers.get(head.type)
            if found is None:
                return head.type or "unnamed"
            prefix, read = found
            instrument = self._instruments.get(_symbol(head, prefix))
            if instrument is not None:
                read(head.type, data, instrument, records)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise DecodeError(f"broken message: {e}") from None
        return head.type


def _symbol(head: Head, prefix: str) -> str:
    if not prefix:
        return head.symbol
    if not head.channel.startswith(prefix):
        raise DecodeError(f"broken message: a {head.type} of channel {head.channel[:40]!r}")
    return head.channel[len(prefix) :]


def _append_book(kind: str, data: bytes, instrument: Units, records: Records) -> None:
    book = BOOK.decode(data)
    picture = kind == "snapshot"
    records.append_levels(
        kind=int(FrameKind.SNAPSHOT if picture else FrameKind.DEPTH),
        instrument=instrument.number,
        ts_event=instant(book.timestamp),
        bids=_levels(book.bids, instrument),
        asks=_levels(book.asks, instrument),
        flags=PICTURE if picture else 0,
        clear=picture,
        last_id=book.sequence,
    )


def _append_trade(kind: str, data: bytes, instrument: Units, records: Records) -> None:
    trade = TRADE.decode(data)
    price, quantity = fixed(trade.price, instrument.price_decimals), fixed(trade.size, instrument.quantity_decimals)
    side = _SIDES[trade.side]
    event = (0, instant(trade.timestamp), price, quantity, 0, instrument.number, _LAST, int(EventKind.TRADE), side)
    records.append(kind=int(FrameKind.TRADE), instrument=instrument.number, events=[event])


def _append_ticker(kind: str, data: bytes, instrument: Units, records: Records) -> None:
    ticker = TICKER.decode(data)
    sides = [(1, ticker.bid, ticker.bid_size), (-1, ticker.ask, ticker.ask_size)]
    _append_sides(
        instant(ticker.timestamp),
        [
            (side, fixed(price, instrument.price_decimals), fixed(size, instrument.quantity_decimals))
            for side, price, size in sides
            if price
        ],
        instrument,
        records,
    )


def _append_quote(kind: str, data: bytes, instrument: Units, records: Records) -> None:
    """Prices alone: the stream has no sizes, and a quantity of 0 says so."""
    quote = QUOTE.decode(data)
    fixed_number(bytes(quote.price).decode(), instrument.price_decimals)  # it is required, and is no trade: it has no size
    prices = [
        (side, fixed_number(bytes(raw).decode(), instrument.price_decimals), 0)
        for side, raw in ((1, quote.bid), (-1, quote.ask))
        if raw != ABSENT and bytes(raw) != b"null"
    ]
    _append_sides(instant(quote.timestamp), prices, instrument, records)


def _append_sides(ts: int, sides: Sequence[tuple[int, int, int]], instrument: Units, records: Records) -> None:
    last = len(sides) - 1
    events: list[_Event] = [
        (0, ts, price, quantity, 0, instrument.number, _LAST * (k == last), int(EventKind.QUOTE), side)
        for k, (side, price, quantity) in enumerate(sides)
    ]
    if events:
        records.append(kind=int(FrameKind.QUOTE), instrument=instrument.number, events=events)


def _append_note(kind: str, data: bytes, instrument: Units, records: Records) -> None:
    note = NOTE.decode(data)
    flags = int(EventFlag.GAP) | _LAST
    event = (0, instant(note.timestamp), 0, 0, 0, instrument.number, flags, int(EventKind.STATUS), 0)
    records.append(kind=int(FrameKind.STATUS), instrument=instrument.number, events=[event])


def _levels(levels: Sequence[tuple[str, str]], instrument: Units) -> NDArray[np.int64]:
    """(price, quantity) in fixed point, in the order sent."""
    rows = [(fixed(price, instrument.price_decimals), fixed(size, instrument.quantity_decimals)) for price, size in levels]
    return np.array(rows, np.int64).reshape(-1, 2)
