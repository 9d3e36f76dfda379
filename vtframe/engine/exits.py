"""Exits attached to positions: stop loss, take profit and horizon, watched on every frame while a position is open."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from vtframe.api import BookReader
from vtframe.domain import BookState, Exits, Instrument, Position

_BPS = Decimal(10_000)


class _Watch:
    """The prices (fixed point) and the time at which one position is closed; None where that exit is not attached."""

    __slots__ = ("direction", "exits", "since", "stop", "take", "until")

    def __init__(self, exits: Exits) -> None:
        self.exits = exits
        self.direction = 0
        self.since = 0
        self.stop: int | None = None
        self.take: int | None = None
        self.until: int | None = None


class ExitWatch:
    """The exits of one lane's open positions.

    Distances count from the average entry price, and are measured at the price that closing would get: the bid for a long
    position, the ask for a short one, while the book is LIVE. The horizon runs on the market clock from the fill that opened
    the position, whatever the book's state.
    """

    def __init__(self, books: BookReader) -> None:
        self._books = books
        self._watches: dict[int, _Watch] = {}

    def __bool__(self) -> bool:
        return bool(self._watches)

    def update(self, index: int, instrument: Instrument, position: Position, exits: Exits | None, now: int) -> None:
        """The position changed; ``exits`` replace those it had, None keeps them. A flat position has none."""
        watch = self._watches.get(index)
        direction = (position.quantity > 0) - (position.quantity < 0)
        if not direction or (watch is not None and watch.direction != direction):
            self._watches.pop(index, None)
            watch = None
        if not direction or (watch is None and exits is None):
            return
        if watch is None and exits is not None:
            watch = self._watches[index] = _Watch(exits)
            watch.direction = direction
            watch.since = now
        elif watch is not None and exits is not None:
            watch.exits = exits
        if watch is not None:
            _aim(watch, position.average_price.scaleb(instrument.price_decimals))

    def due(self, now: int) -> Iterator[tuple[int, str]]:
        """Instruments whose position is to be closed now, each with the cause; ``stop_loss`` first."""
        for index, watch in tuple(self._watches.items()):
            cause = self._cause(index, watch, now)
            if cause:
                yield index, cause

    def _cause(self, index: int, watch: _Watch, now: int) -> str:
        if self._books.state(index) is BookState.LIVE:
            bid, bid_quantity, ask, ask_quantity = self._books.top(index)
            price, displayed = (bid, bid_quantity) if watch.direction > 0 else (ask, ask_quantity)
            if displayed > 0:
                if watch.stop is not None and watch.direction * (price - watch.stop) <= 0:
                    return "stop_loss"
                if watch.take is not None and watch.direction * (price - watch.take) >= 0:
                    return "take_profit"
        return "horizon" if watch.until is not None and now >= watch.until else ""


def _aim(watch: _Watch, entry: Decimal) -> None:
    """A price at or beyond the exact distance is the first that counts, so each threshold is rounded away from the entry."""
    exits = watch.exits
    outward = ROUND_FLOOR if watch.direction > 0 else ROUND_CEILING
    inward = ROUND_CEILING if watch.direction > 0 else ROUND_FLOOR
    watch.stop = watch.take = None
    if exits.stop_loss_bps is not None:
        level = entry * (1 - watch.direction * Decimal(str(exits.stop_loss_bps)) / _BPS)
        watch.stop = int(level.to_integral_value(outward))
    if exits.take_profit_bps is not None:
        level = entry * (1 + watch.direction * Decimal(str(exits.take_profit_bps)) / _BPS)
        watch.take = int(level.to_integral_value(inward))
    watch.until = None if exits.horizon_ns is None else watch.since + exits.horizon_ns
