"""The reference decoder of OKX's messages, complete and checked. The compiled one agrees with it, or hands over to it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import DecodeError, fixed
from vtframe.api.scan import Units
from vtframe.domain import EventFlag, EventKind, FrameKind, Records
from vtframe_okx.messages import ABSENT, BOOKS, ENVELOPE, TRADES, Book, Envelope, Trade

BOOK_CHANNELS = frozenset({"books", "books-l2-tbt", "books50-l2-tbt"})  # a picture, then diffs
PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)
_LAST = int(EventFlag.LAST)
_TRADE = int(EventKind.TRADE)
_SIDES = {"buy": 1, "sell": -1}
_UNSIGNED = 2**32 - 1


class Reference:
    """Decodes books and trades."""

    def __init__(self, instruments: dict[str, Units]) -> None:
        self._instruments = instruments

    def decode(self, data: bytes, records: Records) -> str:
        """As ``Codec.decode``."""
        try:
            message = ENVELOPE.decode(data)
            if message.arg is None or message.data is ABSENT:
                return message.event or message.op or "unknown"
            instrument = self._instruments.get(message.arg.instId or "")
            if instrument is not None and message.arg.channel in BOOK_CHANNELS:
                self._append_books(instrument, message, message.data, records)
            elif instrument is not None and message.arg.channel == "trades":
                _append_trades(instrument, TRADES.decode(message.data), records)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise DecodeError(f"broken message: {e}") from None
        return message.arg.channel

    def _append_books(self, instrument: Units, message: Envelope, data: msgspec.Raw, records: Records) -> None:
        if message.action is None:
            raise DecodeError("broken message: a book without action")
        picture = message.action == "snapshot"
        books = [
            (book, _levels(book.bids, instrument), _levels(book.asks, instrument), fixed(book.ts, 6))
            for book in BOOKS.decode(data)
        ]
        for book, bids, asks, ts_event in books:
            records.append_levels(
                kind=int(FrameKind.SNAPSHOT if picture else FrameKind.DEPTH),
                instrument=instrument.number,
                ts_event=ts_event,
                bids=bids,
                asks=asks,
                flags=PICTURE if picture else 0,
                clear=picture,
                last_id=book.sequence,
                previous_id=book.previous,
                checksum=checksum_of(book),
            )


def checksum_of(book: Book) -> int:
    """As an unsigned number; -1 for 0, which the venue sends where it makes none."""
    return book.checksum & _UNSIGNED if book.checksum else -1


def _append_trades(instrument: Units, trades: Sequence[Trade], records: Records) -> None:
    """One frame, in the order sent."""
    number, price_decimals, quantity_decimals = instrument
    last = len(trades) - 1
    events = [
        (
            0,
            fixed(trade.ts, 6),
            fixed(trade.px, price_decimals),
            fixed(trade.sz, quantity_decimals),
            0,
            number,
            _LAST * (k == last),
            _TRADE,
            _SIDES[trade.side],
        )
        for k, trade in enumerate(trades)
    ]
    if events:
        records.append(kind=int(FrameKind.TRADE), instrument=number, events=events)


def _levels(levels: Sequence[Sequence[str]], instrument: Units) -> NDArray[np.int64]:
    """(price, quantity) in fixed point, in the order sent."""
    for level in levels:
        if len(level) < 2:
            raise DecodeError(f"broken message: a level of {len(level)}")
    rows = [(fixed(level[0], instrument.price_decimals), fixed(level[1], instrument.quantity_decimals)) for level in levels]
    return np.array(rows, np.int64).reshape(-1, 2)
