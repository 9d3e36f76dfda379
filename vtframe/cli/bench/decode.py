"""Bench of decoding: a depth frame's bytes to records and into the book, beside what is written without a compiler."""

from __future__ import annotations

import statistics
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence

import msgspec

from vtframe.api import Codec
from vtframe.builtin.binance.reference import BinanceReferenceCodec
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.rows import Row, time_row
from vtframe.domain import FrameKind, Instrument, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline

_FRAMES = 20_000  # depth frames measured, at most


class _Depth(msgspec.Struct, gc=False):
    """A diff, or (with the other names) a snapshot, as a careful author types it: only what the book needs."""

    b: list[tuple[str, str]] = []
    a: list[tuple[str, str]] = []
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


class _Wrapped(msgspec.Struct, gc=False):
    data: _Depth


class PlainBook:
    """Two dictionaries of exact integers that know their best by ``max`` and ``min``: one instrument's book by hand.

    Digits become integers by ``int`` once the point is out of them, which is exact where a venue writes all prices with the
    same number of decimals, as Binance does.
    """

    def __init__(self) -> None:
        self._bare = msgspec.json.Decoder(_Depth)
        self._wrapped = msgspec.json.Decoder(_Wrapped)
        self.levels: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def read(self, data: bytes) -> tuple[int, int]:
        """Decode and apply one diff; best bid and ask, 0 where a side is empty."""
        message = self._wrapped.decode(data).data if data.startswith(b'{"stream"') else self._bare.decode(data)
        self._apply(0, message.b)
        self._apply(1, message.a)
        return self._best()

    def replace(self, data: bytes) -> None:
        """Decode and take over a snapshot."""
        message = self._bare.decode(data)
        for side, levels in enumerate((message.bids, message.asks)):
            self._clear(side)
            self._apply(side, levels)

    def _clear(self, side: int) -> None:
        self.levels[side].clear()

    def _best(self) -> tuple[int, int]:
        bids, asks = self.levels
        return max(bids, default=0), min(asks, default=0)

    def _apply(self, side: int, changes: Sequence[tuple[str, str]]) -> None:
        levels = self.levels[side]
        for price_text, quantity_text in changes:
            price, quantity = int(price_text.replace(".", "")), int(quantity_text.replace(".", ""))
            if quantity:
                levels[price] = quantity
            else:
                levels.pop(price, None)


class SortedBook(PlainBook):
    """The same with sorted prices beside the dictionaries: more to write, and quicker than ``max`` over a deep book."""

    def __init__(self) -> None:
        super().__init__()
        self.prices: tuple[list[int], list[int]] = ([], [])  # ascending

    def _clear(self, side: int) -> None:
        super()._clear(side)
        self.prices[side].clear()

    def _best(self) -> tuple[int, int]:
        bids, asks = self.prices
        return bids[-1] if bids else 0, asks[0] if asks else 0

    def _apply(self, side: int, changes: Sequence[tuple[str, str]]) -> None:
        levels, prices = self.levels[side], self.prices[side]
        for price_text, quantity_text in changes:
            price, quantity = int(price_text.replace(".", "")), int(quantity_text.replace(".", ""))
            if quantity:
                if price not in levels:
                    insort(prices, price)
                levels[price] = quantity
            elif levels.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]


def decode_rows(material: Material, say: Callable[[str], None]) -> Iterator[Row]:
    """Three rows, of recorded frames of one instrument, every frame read in turn by all. Needs a recording."""
    if material.codec is None or len(material.instruments) != 1:
        return
    now = time.perf_counter_ns
    codec: Codec = material.codec
    instrument: Instrument = material.instruments[0]
    reference = BinanceReferenceCodec()
    reference.open(SessionInstruments(material.instruments))
    pipeline = Pipeline((), material.instruments, material.rules)
    plain_books = (PlainBook(), SortedBook())
    records, theirs = Records(), Records()
    decode, both, again = [], [], []
    by_hand: tuple[list[float], list[float]] = [], []
    levels: list[int] = []
    live = False
    for stored, ts_recv in material.messages:
        data = b"%b" % stored  # just written, as a socket leaves it: none of the readers pays for fetching it
        records.clear()
        before = now()
        codec.decode(data, records)
        decoded = now()
        if not records.n_frames:
            continue
        kind = records.frames["kind"][0]
        if kind == FrameKind.SNAPSHOT:
            live = True
            for book in plain_books:
                book.replace(data)
        records.stamp(number=0, ts_recv=ts_recv)
        stamped = now()
        pipeline.process(records, 0, records.n_frames)
        applied = now()
        if kind != FrameKind.DEPTH or not live:
            continue
        for book, times in zip(plain_books, by_hand, strict=True):
            started = now()
            book.read(data)
            times.append((now() - started) / 1e3)
        theirs.clear()
        started = now()
        reference.decode(data, theirs)
        again.append((now() - started) / 1e3)
        decode.append((decoded - before) / 1e3)
        both.append((decoded - before + applied - stamped) / 1e3)
        levels.append(records.n_events)
        if len(decode) == _FRAMES:
            break
    if not decode:
        return
    say(f"{len(decode):,} depth frames of {instrument.instrument_id}, {statistics.mean(levels):.0f} levels on average")
    yield time_row("decode: one depth frame to records", "us", decode, f"codec {reference.name!r}, not compiled", again)
    what = "decode and book: one depth frame"
    yield time_row(what, "us", both, "msgspec typed, exact integers, dictionaries with max and min", by_hand[0])
    yield time_row(f"{what}, beside sorted prices", "us", both, "the same with sorted price lists (bisect)", by_hand[1])
