"""Orders that are not sent: they walk the whole way, and nobody ever hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from order_venue import ScriptedVenue
from trading import INSTRUMENTS, Idle, Trader
from trading_fakes import LINEAR, Bench, ListJournal

from vtframe.api import RiskPolicy
from vtframe.builtin.binance.execution.adapter import BinanceAdapter
from vtframe.builtin.risk.max_order_notional import MaxOrderNotional
from vtframe.builtin.risk.max_position import MaxPosition
from vtframe.builtin.risk.order_rate import OrderRate
from vtframe.builtin.risk.price_collar import PriceCollar
from vtframe.builtin.risk.stale_prediction import StalePrediction
from vtframe.domain import OrderStatus
from vtframe.engine.rehearsal import Rehearsal, smallest
from vtframe.errors import JournalError
from vtframe.journal.records import IntentFormed, OrderApproved, OrderReported, SessionStopped
from vtframe.journal.scratch import ScratchJournal
from vtframe.transport import Library
from vtframe.transport.scratch import ScratchSocket

S = OrderStatus
LIBRARIES = pytest.mark.parametrize("library", ["websockets", "picows"])


class Counts(RiskPolicy):
    """Leaves a trace of every order that it sees."""

    name = "counts"
    seen: ClassVar[list[str]] = []

    def review(self, order: Any, context: Any) -> Any:
        self.seen.append(order.client_order_id)
        return order


class CountsPurely(Counts):
    """Says that it leaves none, so that a test can see whether it was asked."""

    name = "counts_purely"
    pure = True
    seen: ClassVar[list[str]] = []


class Kept(ListJournal):
    """A scratch journal whose records can be looked at."""

    def tidy(self) -> None:
        """They are wanted."""


def rehearsing(scenario: Callable[[ScriptedVenue, Trader, Rehearsal, Kept], Awaitable[None]], **settings: Any) -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue, "usdm", **settings) as trader:
            journal = Kept()
            rehearsal = Rehearsal(trader.lane, gate=trader.bench.gate, market=trader.bench.market, journal=journal)
            await scenario(venue, trader, rehearsal, journal)
            assert not trader.lane.failed
            assert not venue.refusals

    asyncio.run(play())


@LIBRARIES
def test_a_rehearsal_walks_the_whole_way_and_leaves_nothing(library: Library) -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader, rehearsal: Rehearsal, journal: Kept) -> None:
        link, signed = trader.adapter._link, []
        sign = link._writer._signer.sign
        link._writer._signer.sign = lambda text: (signed.append(text), sign(text))[1]
        written = len(trader.bench.journal.records)
        for _ in range(50):
            assert rehearsal.walk()
        assert len(signed) == 50  # to the signature, and behind it to a socket
        assert all("timestamp=0&" in text for text in signed)  # which nobody would take
        assert len(journal.of(OrderApproved)) == len(journal.of(IntentFormed)) == len(journal.of(OrderReported)) == 50
        assert {order.order.side for order in journal.of(OrderApproved)} == {1, -1}
        await asyncio.sleep(0.1)
        assert venue.seen == []
        assert trader.names() == []
        assert len(trader.bench.journal.records) == written
        assert len(link.tracker) == len(link._rehearsed) == 0
        assert trader.lane.counters.orders == trader.lane.counters.intents == 0
        name = trader.want(1)
        assert name.endswith("-1")  # no name was used up
        for _ in range(20):
            assert rehearsal.walk()
        await trader.until_status(name, S.FILLED)
        assert [method for method, _ in venue.seen] == ["order.place"]
        assert trader.position == 1
        assert rehearsal.done == 70

    rehearsing(scenario, transport=library)


def test_without_a_connection_nothing_is_rehearsed_at_the_socket_and_nothing_breaks() -> None:
    async def scenario(venue: ScriptedVenue, trader: Trader, rehearsal: Rehearsal, journal: Kept) -> None:
        assert rehearsal.walk()
        venue.refuse_connections = True
        await venue.drop()
        await trader.until(lambda: not trader.lane.view.trading_available, "the end of the connection")
        assert rehearsal.walk()
        assert not rehearsal.problem
        venue.refuse_connections = False
        await trader.until(lambda: trader.lane.view.trading_available, "another connection")
        assert rehearsal.walk()
        await trader.until_status(trader.want(1), S.FILLED)
        assert len(venue.seen) == 1

    rehearsing(scenario)


def test_policies_that_leave_traces_are_not_asked_and_the_others_are_of_the_rehearsals_own_orders() -> None:
    Counts.seen.clear()
    CountsPurely.seen.clear()
    policies = [
        Counts(),
        CountsPurely(),
        StalePrediction(max_age_ms=1_000),
        MaxOrderNotional(notional=100_000),
        MaxPosition(notional=100_000),
        PriceCollar(bps=100),
        OrderRate(orders=1, interval_ms=60_000),
    ]
    bench = Bench(INSTRUMENTS["usdm"], policies=policies)
    bench.depth(bids={4_999_900: 10**9}, asks={5_000_100: 10**9})
    journal = Kept()
    lane = bench.lane(Idle(), BinanceAdapter(market="usdm", url="testnet"), limits=[MaxPosition(notional=50_000)], start=False)
    lane.limits.start()
    lane.adapter = _Deaf()
    rehearsal = Rehearsal(lane, gate=bench.gate, market=bench.market, journal=journal)
    for _ in range(3):
        assert rehearsal.walk()
    assert Counts.seen == []
    assert CountsPurely.seen == ["rehearsal-1", "rehearsal-2", "rehearsal-3"]
    assert len(journal.of(OrderApproved)) == 3  # a rate of one a minute is not used up by those that were never sent
    assert bench.orders.approved_since(0) == 0


class _Deaf:
    """An adapter's rehearsal, and nothing else of it."""

    def rehearse(self, order: Any) -> None:
        self.order = order


class _Breaks:
    def rehearse(self, order: Any) -> None:
        raise ZeroDivisionError("rehearse")


def test_a_rehearsal_that_raises_is_the_last_one_and_the_lane_goes_on() -> None:
    bench = Bench(LINEAR)
    bench.depth(bids={100: 10}, asks={101: 10})
    lane = bench.lane(Idle(), BinanceAdapter(market="usdm", url="testnet"), start=False)
    lane.adapter = _Breaks()
    rehearsal = Rehearsal(lane, gate=bench.gate, market=bench.market, journal=Kept())
    assert rehearsal.walk()
    assert "ZeroDivisionError" in rehearsal.problem
    assert not rehearsal.walk()
    assert rehearsal.done == 1
    assert not lane.failed


def test_without_a_book_there_is_no_price_to_rehearse_at() -> None:
    bench = Bench(LINEAR)
    lane = bench.lane(Idle(), BinanceAdapter(market="usdm", url="testnet"), start=False)
    lane.adapter = _Deaf()
    rehearsal = Rehearsal(lane, gate=bench.gate, market=bench.market, journal=Kept())
    assert not rehearsal.walk()
    bench.depth(bids={100: 10})
    assert not rehearsal.walk()
    bench.depth(asks={101: 10})
    assert rehearsal.walk()


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_the_smallest_order_is_one_that_the_venue_takes(market: str) -> None:
    instrument = INSTRUMENTS[market]
    for price in (1, 4_999_900, 10**9):
        quantity = smallest(instrument, price)
        assert quantity > 0
        assert quantity % instrument.lot_size == 0
        assert instrument.notional(price, quantity) >= instrument.minimum_notional
        fewer = quantity - instrument.lot_size
        assert fewer == 0 or instrument.notional(price, fewer) < instrument.minimum_notional


def test_a_scratch_journal_leaves_no_file_and_does_not_grow(tmp_path: Path) -> None:
    journal = ScratchJournal(tmp_path)
    assert list(tmp_path.iterdir()) == []
    record = SessionStopped(ts=1, reason="x" * 100_000)
    for _ in range(40):
        journal.write(record, record)
        journal.tidy()
        assert journal._writer.size < 2 << 20
    assert list(tmp_path.iterdir()) == []
    journal.close()
    with pytest.raises(JournalError):
        journal.write(record)


def test_a_scratch_socket_throws_away_what_it_is_given() -> None:
    scratch = ScratchSocket()
    for _ in range(2_000):
        scratch.write(b"x" * 1_000)  # more than any buffer holds
    scratch.close()
