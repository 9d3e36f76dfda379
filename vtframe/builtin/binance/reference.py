"""The codec "binance_reference": any message that is right by Binance's documentation, whatever its shape. Not compiled.

The compiled codec (codec.py) gives the same records, and hands on to this one what it does not expect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import Codec, DecodeError, InstrumentTable, fixed
from vtframe.builtin.binance import examples
from vtframe.builtin.binance.digits import LevelDecoder
from vtframe.builtin.binance.known import COINM, SPOT, USDM, known_instrument
from vtframe.builtin.binance.messages import (
    TYPES,
    AggregateTrade,
    BookTicker,
    DepthUpdate,
    Snapshot,
    Trade,
    envelope,
    partial_depth,
    snapshot_symbol,
    type_name,
    wrapped,
)
from vtframe.builtin.binance.notes import NOTE, NOTE_FLAGS, Note
from vtframe.builtin.binance.recognition import recognize
from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument, Records, SequenceRule

_MS = 1_000_000  # nanoseconds in the venue's unit
_LAST = int(EventFlag.LAST)
_LAST_NON_MARKET = int(EventFlag.LAST | EventFlag.NON_MARKET)
_SNAPSHOT = int(EventFlag.SNAPSHOT)
_DEPTH_FRAME, _SNAPSHOT_FRAME = int(FrameKind.DEPTH), int(FrameKind.SNAPSHOT)
_TRADE_FRAME, _QUOTE_FRAME = int(FrameKind.TRADE), int(FrameKind.QUOTE)
_SNAPSHOTS = msgspec.json.Decoder(Snapshot)
UNSEEN = -2  # no update id of a diff
_TRADE, _QUOTE = int(EventKind.TRADE), int(EventKind.QUOTE)


class _Route(NamedTuple):
    """What is done with one type of message."""

    decoder: msgspec.json.Decoder[Any]
    append: Callable[[Any, Records], str]


class _Book(NamedTuple):
    """What is needed to read one instrument's messages."""

    number: int  # index in the session's table
    price_decimals: int
    quantity_decimals: int
    levels: LevelDecoder


class BinanceReferenceCodec(Codec):
    """Depth diffs, trades, best prices and depth snapshots of spot, USD-M and COIN-M, bare or in combined streams.

    Which market a message is of is read from its fields (docs/venues/binance.md). ``ts_event`` is the matching engine's time
    ``T`` where the message has it, else ``E``, else 0. One stream of trades becomes TRADE events, the one that ``trades``
    names; the other gives no frame, so that nothing is counted twice.
    """

    name = "binance_reference"
    venues: ClassVar[tuple[str, ...]] = (SPOT, USDM, COINM)
    reference_of = "binance"

    trades: Literal["trade", "aggTrade"] = "trade"

    def open(self, instruments: InstrumentTable) -> None:
        books = {
            (instrument.venue, instrument.symbol): _Book(
                index,
                instrument.price_decimals,
                instrument.quantity_decimals,
                LevelDecoder(instrument.price_decimals, instrument.quantity_decimals),
            )
            for index, instrument in enumerate(instruments)
        }
        self._spot = {s: book for (venue, s), book in books.items() if venue == SPOT}
        self._usdm = {s: book for (venue, s), book in books.items() if venue == USDM}
        self._futures = {s: book for (venue, s), book in books.items() if venue in (USDM, COINM)}  # BTCUSDT, BTCUSD_PERP
        self._rules = [SequenceRule.NEXT if i.venue == SPOT else SequenceRule.PREVIOUS for i in instruments]
        self.doubtful = len(self._spot) > 1 or len(self._usdm) > 1  # whether a snapshot could be of several books
        self.seen: NDArray[np.int64] = np.full((len(instruments), 2), UNSEEN)  # then: first and last id of the diffs seen
        appenders: dict[str, Callable[[Any, Records], str]] = {
            "depthUpdate": self._depth,
            "trade": self._trade,
            "aggTrade": self._aggregate_trade,
            "bookTicker": self._book_ticker,
        }
        self._routes = {name: _Route(msgspec.json.Decoder(TYPES[name]), append) for name, append in appenders.items()}
        self._routes[NOTE] = _Route(msgspec.json.Decoder(Note), self._note)
        self._small = {(venue, s.lower()): book for (venue, s), book in books.items()}
        self._all = books

    def decode(self, data: bytes, records: Records) -> str:
        try:
            message = envelope(data)
            body: bytes | msgspec.Raw = data
            stream = wrapped(message)
            if stream is not None:
                if partial_depth(stream):
                    return "partial depth"
                body = message.data
                message = envelope(body)
            name = type_name(message)
            if name == "snapshot":
                return self._snapshot(_SNAPSHOTS.decode(body), records, snapshot_symbol(stream))
            route = self._routes.get(name)
            return name if route is None else route.append(route.decoder.decode(body), records)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise DecodeError(f"broken message: {e}") from None

    def sequence_rule(self, instrument: int) -> SequenceRule:
        return self._rules[instrument]

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        return recognize(messages)

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        return known_instrument(venue, symbol)

    @classmethod
    def examples(cls) -> tuple[Sequence[Instrument], Sequence[bytes]]:
        return examples.INSTRUMENTS, examples.MESSAGES

    def _depth(self, message: DepthUpdate, records: Records) -> str:
        if message.pu is None:
            book = self._spot.get(message.s)
            previous = -1
        else:
            book = self._futures.get(message.s)
            previous = message.pu
        if book is None:
            return "depthUpdate"
        if message.u < message.U:
            raise DecodeError(f"broken message: depthUpdate from U {message.U} to u {message.u}")
        bids, asks = book.levels.read(message.b), book.levels.read(message.a)
        if self.doubtful:
            first = self.seen[book.number, 0]
            self.seen[book.number] = (message.U if first == UNSEEN else first, message.u)
        records.append_levels(
            kind=_DEPTH_FRAME,
            instrument=book.number,
            ts_event=(message.E if message.T is None else message.T) * _MS,
            bids=bids,
            asks=asks,
            first_id=message.U,
            last_id=message.u,
            previous_id=previous,
        )
        return "depthUpdate"

    def _snapshot(self, message: Snapshot, records: Records, named: str | None) -> str:
        book = self._snapshot_book(message) if named is None else self._named_book(message, named)
        if book is None:
            stray = message.symbol is None and named is None
            return "snapshot of an unknown instrument" if stray else "snapshot"
        time = message.T if message.T is not None else message.E
        records.append_levels(
            kind=_SNAPSHOT_FRAME,
            instrument=book.number,
            ts_event=0 if time is None else time * _MS,
            bids=book.levels.read(message.bids),
            asks=book.levels.read(message.asks),
            flags=_SNAPSHOT,
            clear=True,
            last_id=message.last_update_id,
        )
        return "snapshot"

    def _named_book(self, message: Snapshot, named: str) -> _Book | None:
        """The book that a snapshot's envelope names. Raises DecodeError where the snapshot names another itself."""
        venues = (SPOT,) if message.E is None else (USDM, COINM)
        book = next((book for venue in venues if (book := self._small.get((venue, named))) is not None), None)
        if message.symbol is not None and book is not self._futures.get(message.symbol):
            raise DecodeError(f"broken message: a snapshot of {message.symbol} in the envelope of {named}")
        return book

    def _note(self, message: Note, records: Records) -> str:
        """What the feed says of a book or its instrument, and no message shows: a loss, a halt."""
        book = self._all.get((message.venue, message.symbol))
        if book is not None:
            flags = int(EventFlag.LAST) | int(NOTE_FLAGS[message.state])
            event = (0, 0, 0, 0, 0, book.number, flags, int(EventKind.STATUS), 0)
            records.append(kind=int(FrameKind.STATUS), instrument=book.number, events=(event,))
        return NOTE

    def _snapshot_book(self, message: Snapshot) -> _Book | None:
        """The book that a snapshot is of. One without a symbol is of the market's only instrument, or of the only one whose
        diffs seen so far reach over its update id."""
        if message.symbol is not None:
            return self._futures.get(message.symbol)
        candidates = list((self._spot if message.E is None else self._usdm).values())
        if len(candidates) > 1:
            at = message.last_update_id
            candidates = [b for b in candidates if UNSEEN != self.seen[b.number, 0] <= at <= self.seen[b.number, 1]]
        return candidates[0] if len(candidates) == 1 else None

    def _trade(self, message: Trade, records: Records) -> str:
        if self.trades == "trade":
            kind = message.X
            flags = _LAST if kind is None or kind == "MARKET" else _LAST_NON_MARKET
            self._append_trade(message, self._spot if kind is None else self._futures, flags, records)
        return "trade"

    def _aggregate_trade(self, message: AggregateTrade, records: Records) -> str:
        if self.trades == "aggTrade":
            self._append_trade(message, self._futures if message.M is None else self._spot, _LAST, records)
        return "aggTrade"

    def _append_trade(self, message: Trade | AggregateTrade, books: dict[str, _Book], flags: int, records: Records) -> None:
        book = books.get(message.s)
        if book is not None:
            index, price_decimals, quantity_decimals, _ = book
            price, quantity = fixed(message.p, price_decimals), fixed(message.q, quantity_decimals)
            side = -1 if message.m else 1
            event = (0, message.T * _MS, price, quantity, 0, index, flags, _TRADE, side)
            records.append(kind=_TRADE_FRAME, instrument=index, events=(event,))

    def _book_ticker(self, message: BookTicker, records: Records) -> str:
        book = (self._spot if message.e is None else self._futures).get(message.s)
        if book is not None:
            index, price_decimals, quantity_decimals, _ = book
            time = message.T if message.T is not None else message.E
            ts_event = 0 if time is None else time * _MS
            bid, bid_quantity = fixed(message.b, price_decimals), fixed(message.B, quantity_decimals)
            ask, ask_quantity = fixed(message.a, price_decimals), fixed(message.A, quantity_decimals)
            records.append(
                kind=_QUOTE_FRAME,
                instrument=index,
                events=(
                    (0, ts_event, bid, bid_quantity, 0, index, 0, _QUOTE, 1),
                    (0, ts_event, ask, ask_quantity, 0, index, _LAST, _QUOTE, -1),
                ),
                last_id=message.u,
            )
        return "bookTicker"
