"""The reference decoder of Kraken's messages, complete and checked. The compiled one agrees with it, or hands over to it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import DecodeError, fixed, fixed_number, instant, written_decimals
from vtframe.api.scan import Units
from vtframe.domain import EventFlag, EventKind, FrameKind, Records
from vtframe_kraken.messages import (
    ABSENT,
    ANSWER_V2,
    ARRAY,
    BOOK_V1,
    BOOKS_V2,
    ENVELOPE,
    NAME,
    TRADES_V1,
    TRADES_V2,
    BookV2,
    Envelope,
    LevelV2,
    TradeV2,
)

DEPTHS = (10, 25, 100, 500, 1000)  # that can be subscribed to
PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)
_LAST = int(EventFlag.LAST)
_TRADE = int(EventKind.TRADE)
_SIDES = {"b": 1, "s": -1, "buy": 1, "sell": -1}  # of the taker
_LATEST = 2**32 - 1


class Reference:
    """Decodes v1 and v2. ``pairs`` is by the venue's names, those of both versions."""

    def __init__(self, pairs: dict[str, Units]) -> None:
        self._pairs = pairs
        self._depths: dict[str, int] = {}  # v2 does not repeat it with every message

    def decode(self, data: bytes, records: Records) -> str:
        """As ``Codec.decode``."""
        try:
            if data[:1] == b"[":
                return self._array(data, records)
            message = ENVELOPE.decode(data)
            if message.channel is not None:
                return self._channel(message, records)
            return self._other(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise DecodeError(f"broken message: {e}") from None

    def _array(self, data: bytes, records: Records) -> str:
        """v1: ``[channel id, payload, ..., channel name, pair]``."""
        parts = ARRAY.decode(data)
        if len(parts) < 4:
            raise DecodeError(f"broken message: an array of {len(parts)}")
        channel = NAME.decode(parts[-2])
        pair = self._pairs.get(NAME.decode(parts[-1]))
        kind, _, depth = channel.partition("-")
        if pair is not None and kind == "book":
            self._book_v1(pair, _depth(depth), parts[1:-2], records)
        elif pair is not None and kind == "trade":
            trades = [_trade_v1(pair, trade) for part in parts[1:-2] for trade in TRADES_V1.decode(part)]
            append_trades(records, pair, trades)
        return kind

    def _book_v1(self, pair: Units, depth: int, payloads: Sequence[msgspec.Raw], records: Records) -> None:
        bids: list[list[str]] = []
        asks: list[list[str]] = []
        checksum = -1
        picture = False
        for payload in payloads:
            book = BOOK_V1.decode(payload)
            picture = picture or book.as_ is not None or book.bs is not None
            bids += book.bs or book.b or ()
            asks += book.as_ or book.a or ()
            if book.c is not None:
                checksum = fixed(book.c, 0)
        if checksum > _LATEST:
            raise DecodeError(f"broken message: checksum {checksum}")
        append_book(
            records,
            pair,
            bids=_levels_v1(bids, pair),
            asks=_levels_v1(asks, pair),
            ts_event=max((fixed(level[2], 9) for side in (bids, asks) for level in side), default=0),
            checksum=checksum,
            depth=depth,
            picture=picture,
        )

    def _channel(self, message: Envelope, records: Records) -> str:
        """v2: ``{"channel": ..., "type": "snapshot" | "update", "data": [...]}``."""
        if message.channel == "book":
            picture = _is_picture(message)
            books = [self._book_v2(book) for book in BOOKS_V2.decode(message.data) if book.symbol in self._pairs]
            for book, bids, asks, ts_event in books:
                append_book(
                    records,
                    self._pairs[book.symbol],
                    bids=bids,
                    asks=asks,
                    ts_event=ts_event,
                    checksum=-1 if book.checksum is None else book.checksum,
                    depth=self._depth_v2(book) if picture else 0,
                    picture=picture,
                )
        elif message.channel == "trade":
            trades = [
                (t, _trade_v2(self._pairs[t.symbol], t)) for t in TRADES_V2.decode(message.data) if t.symbol in self._pairs
            ]
            if not _is_picture(message):  # which is what was traded before
                _append_runs(records, self._pairs, trades)
        return str(message.channel)

    def _book_v2(self, book: BookV2) -> tuple[BookV2, NDArray[np.int64], NDArray[np.int64], int]:
        pair = self._pairs[book.symbol]
        ts_event = 0 if book.timestamp is None else instant(book.timestamp)
        return book, _levels_v2(book.bids, pair), _levels_v2(book.asks, pair), ts_event

    def _depth_v2(self, book: BookV2) -> int:
        """What the subscription was answered with; without it, the least that holds the picture."""
        held = max(len(book.bids), len(book.asks))
        known = self._depths.get(book.symbol, 0)
        return known if known >= held else min((depth for depth in DEPTHS if depth >= held), default=held)

    def _other(self, message: Envelope) -> str:
        """Answers, heartbeats, states: an answer tells the depth of a book."""
        if message.method == "subscribe" and message.result is not ABSENT:
            answer = ANSWER_V2.decode(message.result)
            if answer.channel == "book" and answer.symbol is not None and answer.depth is not None:
                self._depths[answer.symbol] = _depth(str(answer.depth))
        return message.method or message.event or "unknown"


def append_book(
    records: Records,
    pair: Units,
    *,
    bids: NDArray[np.int64],
    asks: NDArray[np.int64],
    ts_event: int,
    checksum: int,
    depth: int,
    picture: bool,
) -> None:
    """One frame: the full picture of a book that is kept to ``depth`` levels a side, or what changes in it."""
    records.append_levels(
        kind=int(FrameKind.SNAPSHOT if picture else FrameKind.DEPTH),
        instrument=pair.number,
        ts_event=ts_event,
        bids=bids,
        asks=asks,
        flags=PICTURE if picture else 0,
        clear=picture,
        depth=depth,
        checksum=checksum,
    )


def append_trades(records: Records, pair: Units, trades: Sequence[tuple[int, int, int, int]]) -> None:
    """One frame of (ts_event, price, quantity, side), oldest first; none where there are none."""
    last = len(trades) - 1
    if trades:
        events = [(0, ts, p, q, 0, pair.number, _LAST * (k == last), _TRADE, s) for k, (ts, p, q, s) in enumerate(trades)]
        records.append(kind=int(FrameKind.TRADE), instrument=pair.number, events=events)


def _append_runs(
    records: Records, pairs: dict[str, Units], trades: Sequence[tuple[TradeV2, tuple[int, int, int, int]]]
) -> None:
    """One frame for each run of trades of one pair."""
    start = 0
    for k in range(1, len(trades) + 1):
        if k == len(trades) or trades[k][0].symbol != trades[start][0].symbol:
            append_trades(records, pairs[trades[start][0].symbol], [trade for _, trade in trades[start:k]])
            start = k


def _levels_v1(levels: Sequence[Sequence[str]], pair: Units) -> NDArray[np.int64]:
    for level in levels:
        if len(level) < 3:
            raise DecodeError(f"broken message: a level of {len(level)}")
    return _levels([(level[0], level[1]) for level in levels], pair)


def _levels_v2(levels: Sequence[LevelV2], pair: Units) -> NDArray[np.int64]:
    return _levels([(bytes(level.price).decode(), bytes(level.qty).decode()) for level in levels], pair)


def _levels(levels: Sequence[tuple[str, str]], pair: Units) -> NDArray[np.int64]:
    """(price, quantity) in fixed point. The checksum is made of the digits as sent, so that their number must be the pair's."""
    for price, quantity in levels:
        wrong = written_decimals(price) != pair.price_decimals or written_decimals(quantity) != pair.quantity_decimals
        if wrong and quantity.strip("0."):  # a removed level is in no checksum
            raise DecodeError(
                f"a level is written {price!r}, {quantity!r}; the instrument has {pair.price_decimals} and "
                f"{pair.quantity_decimals} decimals, and its checksum could not be made"
            )
    rows = [(fixed(price, pair.price_decimals), fixed(quantity, pair.quantity_decimals)) for price, quantity in levels]
    return np.array(rows, np.int64).reshape(-1, 2)


def _trade_v1(pair: Units, trade: Sequence[str]) -> tuple[int, int, int, int]:
    if len(trade) < 4:
        raise DecodeError(f"broken message: a trade of {len(trade)}")
    return fixed(trade[2], 9), fixed(trade[0], pair.price_decimals), fixed(trade[1], pair.quantity_decimals), _side(trade[3])


def _trade_v2(pair: Units, trade: TradeV2) -> tuple[int, int, int, int]:
    price = fixed_number(bytes(trade.price).decode(), pair.price_decimals)
    quantity = fixed_number(bytes(trade.qty).decode(), pair.quantity_decimals)
    return instant(trade.timestamp), price, quantity, _side(trade.side)


def _side(text: str) -> int:
    side = _SIDES.get(text)
    if side is None:
        raise DecodeError(f"broken message: side {text[:40]!r}")
    return side


def _depth(text: str) -> int:
    if text not in {str(depth) for depth in DEPTHS}:
        raise DecodeError(f"broken message: a book of depth {text[:40]!r}")
    return int(text)


def _is_picture(message: Envelope) -> bool:
    if message.type not in {"snapshot", "update"}:
        raise DecodeError(f"broken message: {message.channel} of type {str(message.type)[:40]!r}")
    return message.type == "snapshot"
