"""The reference decoder of Coinbase's messages, complete and checked. The compiled one agrees with it, or hands over to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import DecodeError, fixed, instant
from vtframe.api.scan import Units
from vtframe.domain import EventFlag, EventKind, FrameKind, Records
from vtframe_coinbase.messages import ENVELOPE, LEVELS, TRADES, LevelEvent, Trade
from vtframe_coinbase.sequence import Sequences

PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)
_LAST = int(EventFlag.LAST)
_TRADE = int(EventKind.TRADE)
_TAKER = {"BUY": -1, "SELL": 1}  # the venue states the maker's side


class _Book(NamedTuple):
    """One level2 event, read."""

    product: Units
    picture: bool
    bids: NDArray[np.int64]
    asks: NDArray[np.int64]
    ts_event: int


class Reference:
    """Decodes level2 and market_trades, and counts the messages of every channel by ``sequences``."""

    def __init__(self, products: dict[str, Units], sequences: Sequences) -> None:
        self._products = products
        self._sequences = sequences

    def decode(self, data: bytes, records: Records) -> str:
        """As ``Codec.decode``."""
        try:
            message = ENVELOPE.decode(data)
            books = [self._book(event) for event in _level_events(message.channel, message.events)]
            trades = self._trades(message.channel, message.events)
            ts_event = 0 if message.timestamp is None else instant(message.timestamp)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise DecodeError(f"broken message: {e}") from None
        sequence = -1 if message.sequence_num is None else message.sequence_num
        if sequence >= 0:
            self._sequences.note(sequence, ts_event, records)
        for book in books:
            if book is not None:
                self._append(book, sequence, records)
        _append_runs(records, trades)
        return message.channel or message.type or "unknown"

    def _book(self, event: LevelEvent) -> _Book | None:
        product = self._products.get(event.product_id)
        if product is None:
            return None
        sides: dict[str, list[tuple[int, int]]] = {"bid": [], "offer": []}
        ts_event = 0
        for update in event.updates:
            price, quantity = (
                fixed(update.price_level, product.price_decimals),
                fixed(update.new_quantity, product.quantity_decimals),
            )
            sides[update.side].append((price, quantity))
            ts_event = max(ts_event, instant(update.event_time))
        bids, asks = (np.array(sides[side], np.int64).reshape(-1, 2) for side in ("bid", "offer"))
        return _Book(product, event.type == "snapshot", bids, asks, ts_event)

    def _append(self, book: _Book, sequence: int, records: Records) -> None:
        if book.picture:
            self._sequences.begin(book.product.number, records.connection)
        records.append_levels(
            kind=int(FrameKind.SNAPSHOT if book.picture else FrameKind.DEPTH),
            instrument=book.product.number,
            ts_event=book.ts_event,
            bids=book.bids,
            asks=book.asks,
            flags=PICTURE if book.picture else 0,
            clear=book.picture,
            last_id=sequence,
        )

    def _trades(self, channel: str | None, events: msgspec.Raw) -> list[tuple[Units, tuple[int, int, int, int]]]:
        """(ts_event, price, quantity, side) of what was traded just now, oldest first. A snapshot is what was traded before."""
        if channel != "market_trades":
            return []
        read = [(event.type, [self._trade(trade) for trade in event.trades]) for event in TRADES.decode(events)]
        return [trade for kind, trades in read for trade in reversed(trades) if kind == "update" and trade is not None]

    def _trade(self, trade: Trade) -> tuple[Units, tuple[int, int, int, int]] | None:
        product = self._products.get(trade.product_id)
        if product is None:
            return None
        price, quantity = fixed(trade.price, product.price_decimals), fixed(trade.size, product.quantity_decimals)
        return product, (instant(trade.time), price, quantity, _TAKER[trade.side])


def _level_events(channel: str | None, events: msgspec.Raw) -> list[LevelEvent]:
    return LEVELS.decode(events) if channel == "l2_data" else []


def _append_runs(records: Records, trades: Sequence[tuple[Units, tuple[int, int, int, int]]]) -> None:
    """One frame for each run of trades of one product."""
    start = 0
    for k in range(1, len(trades) + 1):
        number = trades[start][0].number
        if k == len(trades) or trades[k][0].number != number:
            run = [trade for _, trade in trades[start:k]]
            events = [(0, ts, p, q, 0, number, _LAST * (i == len(run) - 1), _TRADE, s) for i, (ts, p, q, s) in enumerate(run)]
            records.append(kind=int(FrameKind.TRADE), instrument=number, events=events)
            start = k
