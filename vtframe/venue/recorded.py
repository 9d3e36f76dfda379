"""A recording as an engine: its book and trades are published, and orders fill against them by the paper model.

Orders are not seen in the market: what they take is gone for later orders until its level updates (docs/paper.md), and the
published book stays the recorded one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path

import msgspec

from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.paper.market import PaperMarket
from vtframe.builtin.recorded.identity import Identity, identify
from vtframe.domain import (
    CancelOrder,
    EventFlag,
    EventKind,
    FrameKind,
    Instrument,
    InstrumentKind,
    LiquiditySide,
    OrderAccepted,
    OrderEvent,
    OrderFilled,
    OrderType,
    Records,
    Side,
    SubmitOrder,
    TimeInForce,
)
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.errors import RecordingError
from vtframe.venue.happening import Changed, Filled, Happening, Traded
from vtframe.venue.recorded_book import Diff, RecordedBook
from vtframe.wire import Damage, RecordingReader

_FOREVER = 1 << 62
_CODECS = {"binance": BinanceCodec}


def identify_recordings(paths: Sequence[str]) -> list[Identity]:
    """What the files are; raises RecordingError for what no market here can be made of."""
    files = [identify(Path(path), _CODECS) for path in paths]
    for file in files:
        for instrument in file.instruments:
            if instrument.venue not in BinanceCodec.venues:
                raise RecordingError(str(file.path), f"{instrument.instrument_id} is not of a Binance market")
    return files


class RecordedEngine:
    """One instrument of one or more files, in order. Its time starts with the venue's."""

    def __init__(self, instrument: Instrument, files: Sequence[Identity], *, start_ns: int) -> None:
        self.damaged = 0
        self._codec = BinanceCodec()
        self._codec.open(SessionInstruments([instrument]))
        self._book = RecordedBook(self._codec.sequence_rule(0))
        self._published: tuple[dict[int, int], dict[int, int]] = ({}, {})
        # the desk has looked at funds and value already: a kind without balances, and no minimum
        plain = msgspec.structs.replace(instrument, kind=InstrumentKind.LINEAR, minimum_notional=Decimal(0))
        self._paper = PaperMarket(0, plain, books=self._book, sink=self, clock=self, proportional=False)
        self._records = Records()
        self._opening: list[Happening] = []
        self._lines = self._read(files)
        self._next: tuple[int, bytes] | None = next(self._lines, None)
        self._offset = self._now = 0
        self._frames = 0
        self._numbers = count(1)
        self._fills: list[Filled] = []
        self._begin(start_ns)

    def now_ns(self) -> int:
        """The paper market's clock."""
        return self._now

    def monotonic_ns(self) -> int:
        return self._now

    @property
    def ended(self) -> bool:
        """Nothing more is recorded; the market stands still."""
        return self._next is None

    def _begin(self, start_ns: int) -> None:
        """Read on to the first whole book, which is there when the venue opens."""
        for _ in self.advance(_FOREVER):
            if self._book.is_live:
                break
        self._offset = start_ns - (self._now or start_ns)
        self._now = start_ns
        bids, asks = self._published
        opening = [(side, price, quantity) for side, own in ((1, bids), (-1, asks)) for price, quantity in own.items()]
        self._opening = [Changed(start_ns, tuple(opening))] if opening else []

    def advance(self, until_ns: int) -> Iterator[Happening]:
        opening, self._opening = self._opening, []
        yield from opening
        while self._next is not None and self._next[0] + self._offset <= until_ns:
            ts_recv, data = self._next
            self._next = next(self._lines, None)
            self._now = max(self._now, ts_recv + self._offset)
            self._records.clear()
            self._codec.decode(data, self._records)
            for index in range(self._records.n_frames):
                yield from self._frame(index)

    def limit(self, side: Side, price: int, quantity: int, *, ts_ns: int, rests: bool) -> tuple[int, Sequence[Happening]]:
        time_in_force = TimeInForce.GTC if rests else TimeInForce.IOC
        return self._submit(side, OrderType.LIMIT, quantity, ts_ns, price=price, time_in_force=time_in_force), ()

    def market(self, side: Side, quantity: int, *, ts_ns: int) -> tuple[int, Sequence[Happening]]:
        return self._submit(side, OrderType.MARKET, quantity, ts_ns), ()

    def cancel(self, order: int, *, ts_ns: int) -> tuple[int, Sequence[Happening]]:
        working = self._paper.holds(str(order))
        self._now = max(self._now, ts_ns)
        self._paper.cancel(CancelOrder(client_order_id=str(order)), self._now)
        self._arrive()
        return int(working), ()

    def take_fills(self) -> list[Filled]:
        fills, self._fills = self._fills, []
        return fills

    def on_entries(self, *, allowed: bool, reason: str = "") -> None:
        """The paper market takes whatever comes."""

    def on_order_event(self, event: OrderEvent) -> None:
        """The paper market's sink."""
        if isinstance(event, OrderAccepted):
            return
        number = int(event.client_order_id)
        if isinstance(event, OrderFilled):
            maker = event.liquidity_side is LiquiditySide.MAKER
            self._fills.append(Filled(self._now, number, event.price, event.quantity, event.leaves_quantity, maker))
        else:
            self._fills.append(Filled(self._now, number, 0, 0, 0, maker=False, canceled=True))

    def _submit(
        self,
        side: Side,
        order_type: OrderType,
        quantity: int,
        ts_ns: int,
        *,
        price: int | None = None,
        time_in_force: TimeInForce = TimeInForce.IOC,
    ) -> int:
        """The order meets the book as it stands: the way to the venue was its latency."""
        self._now = max(self._now, ts_ns)
        number = next(self._numbers)
        command = SubmitOrder(
            client_order_id=str(number),
            lane="",
            instrument=0,
            side=side,
            order_type=order_type,
            quantity=quantity,
            price=price,
            time_in_force=time_in_force,
            input=self._frames,
        )
        self._paper.submit(command, self._now)
        self._arrive()
        return number

    def _arrive(self) -> None:
        """A frame that changes nothing: what waits for the next frame meets the book now."""
        self._frames += 1
        empty = Records(frames=1, events=1)
        empty.append(kind=FrameKind.OTHER, instrument=0, events=(), ts_recv=self._now, number=self._frames)
        self._paper.on_frame(empty, 0)

    def _frame(self, index: int) -> Iterator[Happening]:
        frame = self._records.frames[index]
        kind = int(frame["kind"])
        first, last = int(frame["first_event"]), int(frame["first_event"] + frame["n_events"])
        events = self._records.events[first:last]
        triples = tuple(zip(*(events[name].tolist() for name in ("side", "price", "quantity")), strict=True))
        if kind == FrameKind.TRADE:
            market = not int(events["flags"][0]) & EventFlag.NON_MARKET
            if market:
                yield Traded(self._now, triples)
        elif kind == FrameKind.SNAPSHOT:
            levels = tuple(t for t, k in zip(triples, events["kind"].tolist(), strict=True) if k == EventKind.BOOK_DELTA)
            self._book.snapshot(int(frame["last_id"]), int(events["ts_event"][-1]), levels)
            yield from self._publish(self._book.changes_from(*self._published))
        elif kind == FrameKind.DEPTH:
            first_id, last_id, previous_id = (int(frame[name]) for name in ("first_id", "last_id", "previous_id"))
            ts_event = int(events["ts_event"][-1]) if len(events) else 0
            if self._book.diff(Diff(ts_event, first_id, last_id, previous_id, triples)):
                yield from self._publish(triples)
        self._frames += 1
        self._records.frames["input"][index] = self._frames
        self._records.frames["ts_recv"][index] = self._now
        self._paper.on_frame(self._records, index)

    def _publish(self, levels: tuple[tuple[int, int, int], ...]) -> Iterator[Happening]:
        bids, asks = self._published
        for side, price, quantity in levels:
            own = bids if side == Side.BUY else asks
            if quantity:
                own[price] = quantity
            else:
                own.pop(price, None)
        if levels:
            yield Changed(self._now, levels)

    def _read(self, files: Sequence[Identity]) -> Iterator[tuple[int, bytes]]:
        latest = 0
        for file in files:
            for _, ts_recv, data in RecordingReader(file.path, file.unit, self._on_damage):
                latest = max(latest, ts_recv)
                yield latest, data

    def _on_damage(self, damage: Damage) -> None:
        self.damaged += 1
