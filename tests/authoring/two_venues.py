"""Spot and perpetual of one coin as recorded side by side, in one stream, and what its rows must hold: in plain Python."""

from __future__ import annotations

import gzip
import heapq
import itertools
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.domain import BookState, EventFlag, EventKind, FrameKind, Instrument, Records, SequenceRule

SPOT, PERPETUAL = 0, 1
LEVELS, MOVES, TRADES, WARMUP = 3, 5, 7, 5


class Venues(NamedTuple):
    instruments: list[Instrument]
    rules: list[SequenceRule]
    records: Records


def two_venues(data: Path, *, lines: int) -> Venues:
    """The first lines of both recordings, by time of arrival."""
    instruments, rules, streams = [], [], []
    for index, name in enumerate(("spot_btcusdt_20240808.gz", "usdm_btcusdt_20240808.gz")):
        with gzip.open(data / "binance" / name) as file:
            raw = [line.split(b" ", 1) for line in itertools.islice(file, lines)]
        codec = BinanceCodec()
        (instrument,) = BinanceCodec.recognize(message for _, message in raw[:2000])
        codec.open([instrument])
        instruments.append(instrument)
        rules.append(codec.sequence_rule(0))
        one = Records(frames=1 << 14, events=1 << 18)
        for number, (received, message) in enumerate(raw):
            first = one.n_frames
            codec.decode(message, one)
            one.stamp(number=number, ts_recv=int(received), first_frame=first)
        streams.append([(int(frame["ts_recv"]), index, k) for k, frame in enumerate(one.frames[: one.n_frames])])
        streams[-1] = [(ts, index, one, k) for ts, index, k in streams[-1]]
    records = Records(frames=1 << 15, events=1 << 19)
    for number, (_, index, one, k) in enumerate(heapq.merge(*streams, key=lambda entry: entry[:2])):
        put(records, one.frames[k], events_of(one, one.frames[k]), index, number)
    return Venues(instruments, rules, records)


def events_of(records: Records, frame: Any) -> np.ndarray:
    return records.events[int(frame["first_event"]) :][: int(frame["n_events"])].copy()


def put(records: Records, frame: Any, events: np.ndarray, instrument: int, number: int) -> None:
    events["instrument"] = instrument
    ids = {name: int(frame[name]) for name in ("first_id", "last_id", "previous_id")}
    kind, ts_recv = int(frame["kind"]), int(frame["ts_recv"])
    records.append(
        kind=kind, instrument=instrument, events=[tuple(e) for e in events.tolist()], ts_recv=ts_recv, number=number, **ids
    )


def with_a_loss(market: Venues, instrument: int, *, at: int, missing: int, until: int) -> Venues:
    """The same stream without ``missing`` of an instrument's depth frames from frame ``at`` on, and with a snapshot of its book
    as it really was at frame ``until``."""
    before = Expected(market, every="frame", leader=instrument, leaders=False)
    records = Records(frames=1 << 15, events=1 << 19)
    left = missing
    for number, frame in enumerate(market.records.frames[: market.records.n_frames].copy()):
        events = events_of(market.records, frame)
        before.take(frame, events)
        depth = frame["instrument"] == instrument and frame["kind"] == FrameKind.DEPTH
        if number >= at and depth and left:
            left -= 1
        else:
            put(records, frame, events, int(frame["instrument"]), number)
        if number >= until and depth:
            until = market.records.n_frames
            book = before.books[instrument]
            levels = [(1, price, size) for price, size in book.sides[1].items()]
            levels += [(-1, price, size) for price, size in book.sides[-1].items()]
            flags, ts = int(EventFlag.SNAPSHOT), book.ts_event
            events = [(0, ts, 0, 0, 0, instrument, flags, int(EventKind.BOOK_CLEAR), 0)]
            events += [(0, ts, p, q, 0, instrument, flags, int(EventKind.BOOK_DELTA), side) for side, p, q in levels]
            records.append(
                kind=int(FrameKind.SNAPSHOT),
                instrument=instrument,
                events=events,
                ts_recv=int(frame["ts_recv"]),
                number=number,
                first_id=book.last,
                last_id=book.last,
                previous_id=-1,
            )
    return Venues(market.instruments, market.rules, records)


class Book:
    """One instrument: what its frames make of it, and what its features remember."""

    def __init__(self, rule: SequenceRule) -> None:
        self.rule = rule
        self.state = BookState.SYNCING
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.last = -1
        self.fresh = False  # the next diff is the first after a snapshot
        self.waiting: list[tuple[Any, np.ndarray]] = []
        self.ts_event = 0
        self.forget()

    def forget(self) -> None:
        self.rows = 0
        self.mid = math.nan
        self.moves: list[float] = []
        self.trades: list[float] = []
        self.shown = (math.nan, math.nan)  # volatility and trade imbalance, as the newest row left them

    def follows(self, frame: Any) -> bool | None:
        """None: older than the snapshot."""
        first_id, last_id, previous = (int(frame[name]) for name in ("first_id", "last_id", "previous_id"))
        if self.rule == SequenceRule.NEXT:
            if self.fresh and last_id <= self.last:
                return None
            return first_id == self.last + 1 or (self.fresh and first_id <= self.last)
        if self.fresh and last_id < self.last:
            return None
        return previous == self.last or (self.fresh and first_id <= self.last)

    def change(self, events: np.ndarray) -> None:
        for event in events:
            if event["kind"] == EventKind.BOOK_DELTA:
                side = self.sides[int(event["side"])]
                if event["quantity"]:
                    side[int(event["price"])] = int(event["quantity"])
                else:
                    side.pop(int(event["price"]), None)
        if len(events):
            self.ts_event = int(events[-1]["ts_event"])

    def best(self) -> list[tuple[int, int]]:
        """Price and quantity of the best levels: bids, then asks."""
        bids = heapq.nlargest(LEVELS, self.sides[1].items())
        return bids + heapq.nsmallest(LEVELS, self.sides[-1].items())


class Expected:
    """Rows of five features: imbalance and volatility of each instrument's own book, imbalance, volatility and trade imbalance
    of ``leader``. ``rows``: (instrument, input, ts_recv, ts_event, update id, state, valid, values)."""

    def __init__(self, market: Venues, *, every: str, leader: int, leaders: bool) -> None:
        self.every, self.leader, self.leaders = every, leader, leaders
        self.books = [Book(rule) for rule in market.rules]
        self.units = [10.0**instrument.quantity_decimals for instrument in market.instruments]
        self.rows: list[tuple[Any, ...]] = []

    def all(self, records: Records) -> list[tuple[Any, ...]]:
        for frame in records.frames[: records.n_frames]:
            self.take(frame, events_of(records, frame))
        return self.rows

    def take(self, frame: Any, events: np.ndarray) -> None:
        book = self.books[int(frame["instrument"])]
        if frame["kind"] == FrameKind.DEPTH:
            due = self.depth(book, frame, events)
        elif frame["kind"] == FrameKind.SNAPSHOT:
            due = self.snapshot(book, frame, events)
        elif frame["kind"] == FrameKind.TRADE:
            due = self.trade(book, events, self.units[int(frame["instrument"])])
        else:
            due = False
        if due:
            self.row(int(frame["instrument"]), frame)
            if self.leaders and frame["instrument"] == self.leader:
                for other in range(len(self.books)):
                    if other != self.leader:
                        self.row(other, frame)

    def depth(self, book: Book, frame: Any, events: np.ndarray) -> bool:
        if book.state != BookState.LIVE:
            book.waiting.append((frame, events))
            return self.every == "frame"
        follows = book.follows(frame)
        if follows is None:
            return False
        if not follows:
            book.state = BookState.GAP
            book.waiting.append((frame, events))
            return self.every in {"frame", "bbo"}
        best = [side[:1] for side in (book.best()[:LEVELS], book.best()[LEVELS:])]
        book.change(events)
        book.last, book.fresh = int(frame["last_id"]), False
        moved = best != [side[:1] for side in (book.best()[:LEVELS], book.best()[LEVELS:])]
        return self.every == "frame" or (self.every == "bbo" and moved)

    def snapshot(self, book: Book, frame: Any, events: np.ndarray) -> bool:
        if book.state == BookState.LIVE and frame["last_id"] < book.last:
            return False
        book.sides = {1: {}, -1: {}}
        book.change(events)
        book.last, book.fresh, book.state = int(frame["last_id"]), True, BookState.LIVE
        for waited, changes in book.waiting:
            follows = book.follows(waited)
            if follows:
                book.change(changes)
                book.last, book.fresh = int(waited["last_id"]), False
            assert follows is not False
        book.waiting = []
        book.forget()
        return self.every in {"frame", "bbo"}

    def trade(self, book: Book, events: np.ndarray, unit: float) -> bool:
        market = [event for event in events if not event["flags"] & EventFlag.NON_MARKET]
        if len(events):
            book.ts_event = int(events[-1]["ts_event"])
        if book.state == BookState.LIVE:
            book.trades += [float(event["side"]) * float(event["quantity"]) / unit for event in market]
        return self.every == "trade" and bool(market)

    def row(self, index: int, frame: Any) -> None:
        book = self.books[index]
        live = book.state == BookState.LIVE
        values = [math.nan] * 5
        if live:
            self.remember(book)
            leader = self.books[self.leader]
            shown = leader.state == BookState.LIVE
            warm = shown and (leader is book or leader.rows > WARMUP)
            values = [
                imbalance(book),
                book.shown[0],
                imbalance(leader) if shown else math.nan,
                leader.shown[0] if warm else math.nan,
                leader.shown[1] if shown else math.nan,
            ]
        valid = live and book.rows >= WARMUP and all(map(math.isfinite, values))
        book.rows += live
        fixed = (index, int(frame["input"]), int(frame["ts_recv"]), book.ts_event, book.last, int(book.state), int(valid))
        self.rows.append((*fixed, values))

    @staticmethod
    def remember(book: Book) -> None:
        best = book.best()
        mid = (best[0][0] + best[LEVELS][0]) / 2
        move = 1e4 * math.log(mid / book.mid) if book.mid == book.mid else math.nan
        book.mid = mid
        book.moves = [*book.moves[-MOVES + 1 :], move] if math.isfinite(move) else []
        volatility = math.sqrt(sum(m * m for m in book.moves) / MOVES) if len(book.moves) == MOVES else math.nan
        last = book.trades[-TRADES:]
        book.shown = volatility, math.fsum(last) / math.fsum(map(abs, last)) if last else 0.0


def imbalance(book: Book) -> float:
    best = [quantity for _, quantity in book.best()]
    bid, ask = sum(best[:LEVELS]), sum(best[LEVELS:])
    return (bid - ask) / (bid + ask)
