"""Publishes one instrument: what its market does becomes update ids, the venue's book, and the streams' messages."""

from __future__ import annotations

from collections.abc import Iterable

from vtframe.domain import Side
from vtframe.venue import payload
from vtframe.venue.book import Deltas, Levels, VenueBook
from vtframe.venue.faults import Faults
from vtframe.venue.happening import Changed, Happening, Traded
from vtframe.venue.hub import Hub
from vtframe.venue.listing import Listing
from vtframe.venue.mark import Mark

_MS = 1_000_000
_FIRST_TRADE = {"spot": 3_735_683_259, "usdm": 5_266_583_935, "coinm": 849_714_402}
_PRINTS = 4096  # trades whose ids are remembered for fills


class _Window:
    """What changed since a depth stream's last message."""

    def __init__(self, stream: str, every_ms: int, last_id: int, now_ns: int) -> None:
        self.stream = stream
        self.every_ns = every_ms * _MS
        self.due_ns = (now_ns // self.every_ns + 1) * self.every_ns if every_ms else 0
        self.last_id = last_id  # of the last message
        self.first_id = 0  # of this one; 0: nothing has changed
        self.ts_ms = 0
        self.bids: set[int] = set()
        self.asks: set[int] = set()


class Tape:
    """One instrument's public side. Update ids grow by one for each level that changes; futures leave some out."""

    def __init__(self, listing: Listing, hub: Hub, faults: Faults, *, now_ns: int) -> None:
        self.listing = listing
        self._faults = faults
        self.book = VenueBook(listing.rules.first_id)
        self.mark = Mark(listing, now_ns=now_ns)
        self.ts_ns = now_ns  # of the last change of the book
        self.trades = 0
        self._last_price = listing.start_price
        self._hub = hub
        self._prints: dict[tuple[int, int], int] = {}  # the last block's trade ids, by time and price
        self._trade_id = _FIRST_TRADE[listing.market]
        self._names = {kind: f"{listing.symbol.lower()}@{kind}" for kind in ("bookTicker", "trade", "aggTrade")}
        self._top: tuple[tuple[int, int], tuple[int, int]] | None = None
        self._windows = [
            _Window(f"{listing.symbol.lower()}@depth{suffix}", every, self.book.update_id, now_ns)
            for suffix, every in listing.rules.depth_ms.items()
        ]

    @property
    def last_price(self) -> int:
        """Of the last trade, in ticks."""
        return self._last_price or self.book.top(Side.BUY)[0]

    def trade_id(self, ts_ns: int, price: int) -> int:
        """The public trade that a fill is part of; the latest where it is too long ago."""
        return self._prints.get((ts_ns, price), self._trade_id)

    def publish(self, happened: Iterable[Happening]) -> None:
        for happening in happened:
            self.settle(happening.ts_ns)
            if isinstance(happening, Traded):
                self._trade(happening)
            else:
                self._change(happening)

    def settle(self, now_ns: int) -> None:
        """Send what is due before ``now_ns``: the depth windows and the mark price."""
        for window in self._windows:
            if window.every_ns and window.due_ns <= now_ns:
                if window.first_id:
                    self._send_window(window, window.due_ns // _MS)
                window.due_ns = (now_ns // window.every_ns + 1) * window.every_ns
        for event_ms, stream in self.mark.due(now_ns, self._middle()):
            if self._hub.subscribers(self.listing.market, stream):
                self._hub.publish(self.listing.market, stream, self.mark.payload(event_ms))

    def _middle(self) -> float:
        bid, ask = self.book.top(Side.BUY)[0], self.book.top(Side.SELL)[0]
        return self.listing.price.value((bid + ask) if bid and ask else 2 * (bid or ask or self.last_price)) / 2

    def _trade(self, happening: Traded) -> None:
        market, ts_ms = self.listing.market, happening.ts_ns // _MS
        for side, price, quantity in happening.trades:
            self._trade_id += 1
            self.trades += 1
            self._last_price = price
            if len(self._prints) > _PRINTS:
                self._prints.clear()
            self._prints[happening.ts_ns, price] = self._trade_id
            for kind, make in (("trade", payload.trade), ("aggTrade", payload.aggregate_trade)):
                if self._hub.subscribers(market, self._names[kind]):
                    text = make(
                        self.listing,
                        ts_ms=ts_ms,
                        event_ms=ts_ms,
                        number=self._trade_id,
                        price=price,
                        quantity=quantity,
                        buyer_is_maker=side == Side.SELL,
                    )
                    self._hub.publish(market, self._names[kind], text)

    def _change(self, happening: Changed) -> None:
        ts_ms = happening.ts_ns // _MS
        first_id = self.book.update_id + 1
        if self.listing.market != "spot":
            first_id += happening.ts_ns % 97  # ids are the matching engine's: other instruments took some
        last_id = first_id + len(happening.levels) - 1
        self.book.apply(happening.levels, last_id)
        self.ts_ns = happening.ts_ns
        for window in self._windows:
            _collect(window, happening.levels, first_id, ts_ms)
            if not window.every_ns:
                self._send_window(window, ts_ms)
        self._send_top(ts_ms)

    def _send_top(self, ts_ms: int) -> None:
        top = self.book.top(Side.BUY), self.book.top(Side.SELL)
        if top == self._top:
            return
        self._top = top
        market, stream = self.listing.market, self._names["bookTicker"]
        if self._hub.subscribers(market, stream):
            text = payload.book_ticker(
                self.listing, ts_ms=ts_ms, event_ms=ts_ms, update_id=self.book.update_id, bid=top[0], ask=top[1]
            )
            self._hub.publish(market, stream, text)

    def _send_window(self, window: _Window, event_ms: int) -> None:
        market, book = self.listing.market, self.book
        if self._hub.subscribers(market, window.stream) and not self._faults.leaves_gap(market, window.stream):
            first_id = window.last_id + 1 if market == "spot" else window.first_id
            text = payload.depth_update(
                self.listing,
                ts_ms=window.ts_ms,
                event_ms=event_ms,
                ids=(first_id, book.update_id, window.last_id),
                bids=_now(window.bids, book.bids),
                asks=_now(window.asks, book.asks),
            )
            self._hub.publish(market, window.stream, text)
        window.last_id = book.update_id
        window.first_id = 0
        window.bids.clear()
        window.asks.clear()


def _collect(window: _Window, levels: Deltas, first_id: int, ts_ms: int) -> None:
    if not window.first_id:
        window.first_id = first_id
    window.ts_ms = ts_ms
    for side, price, _ in levels:
        (window.bids if side == Side.BUY else window.asks).add(price)


def _now(prices: set[int], levels: Levels) -> Levels:
    return {price: levels.get(price, 0) for price in prices}
