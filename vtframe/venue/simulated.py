"""The simulated order flow as an engine: orders from outside meet it in price-time priority."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from vtframe.domain import Records, Side
from vtframe.sim import CANCELED, MAKER_FILL, SimulatedMarket, read_calibration, tables
from vtframe.venue.happening import Filled, Happening, happenings
from vtframe.venue.listing import Listing

_BLOCK = 2048  # frames made at one time


class SimulatedEngine:
    """One instrument's queue-reactive order flow and matching engine (docs/market.md)."""

    def __init__(self, listing: Listing, *, seed: int, regime: str, start_ns: int) -> None:
        own = zlib.crc32(listing.name.encode()) << 32  # an instrument's market does not depend on what else is listed
        self._market = SimulatedMarket(
            tables(read_calibration(), regime),
            seed=(seed ^ own) % 2**64,
            start_price=listing.start_price,
            start_ns=start_ns,
        )
        self._records = Records(frames=_BLOCK + 64)
        self._fills: list[Filled] = []

    @property
    def reference(self) -> int:
        return self._market.reference

    def advance(self, until_ns: int) -> Iterator[Happening]:
        done = until_ns < self._market.now_ns
        while not done:
            self._records.clear()
            done = self._market.generate(self._records, frames=_BLOCK, until_ns=until_ns)
            self._collect()
            yield from happenings(self._records)

    def limit(self, side: Side, price: int, quantity: int, *, ts_ns: int, rests: bool) -> tuple[int, Sequence[Happening]]:
        self._records.clear()
        number = self._market.submit_limit(
            self._records, ts=self._time(ts_ns), side=side, price=price, quantity=quantity, rests=rests
        )
        return number, self._done()

    def market(self, side: Side, quantity: int, *, ts_ns: int) -> tuple[int, Sequence[Happening]]:
        self._records.clear()
        number = self._market.submit_market(self._records, ts=self._time(ts_ns), side=side, quantity=quantity)
        return number, self._done()

    def cancel(self, order: int, *, ts_ns: int) -> tuple[int, Sequence[Happening]]:
        self._records.clear()
        left = self._market.cancel(self._records, ts=self._time(ts_ns), order=order)
        return left, self._done()

    def take_fills(self) -> list[Filled]:
        fills, self._fills = self._fills, []
        return fills

    def _time(self, ts_ns: int) -> int:
        return max(ts_ns, self._market.now_ns)

    def _done(self) -> list[Happening]:
        self._collect()
        return list(happenings(self._records))

    def _collect(self) -> None:
        for row in self._market.take_reports().tolist():
            ts_ns, order, price, quantity, leaves, _, kind = row[:7]
            self._fills.append(Filled(ts_ns, order, price, quantity, leaves, kind == MAKER_FILL, kind == CANCELED))
