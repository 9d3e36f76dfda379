"""A lane whose venue does not trade an instrument, or refuses its exits: it opens nothing there, and does not storm."""

from __future__ import annotations

from typing import Any

from test_lane import Venue
from trading_fakes import MS

from vtframe.domain import EventFlag, EventKind, FrameKind, OrderRejected, Records
from vtframe.engine.instrument_status import take_status
from vtframe.journal.records import OrderDenied, TradingChanged


def status(flag: EventFlag, *, number: int = 7) -> Records:
    """A STATUS frame of the bench's instrument."""
    records = Records()
    event = (0, 0, 0, 0, 0, 0, int(flag | EventFlag.LAST), int(EventKind.STATUS), 0)
    records.append(kind=int(FrameKind.STATUS), instrument=0, events=[event], number=number)
    return records


def told(venue: Any, flag: EventFlag) -> None:
    take_status(status(flag), 0, [venue.lane])


def test_a_halted_instrument_takes_exits_and_no_entries_until_it_is_traded_again() -> None:
    venue = Venue()
    venue.want(10)
    venue.fill()
    for _ in range(2):  # said twice it is once
        told(venue, EventFlag.HALTED)
    venue.want(20)
    denied = venue.bench.journal.of(OrderDenied)
    assert [(one.denied.policy, one.denied.reason) for one in denied] == [
        ("not_trading", "the venue does not trade BTCUSDT@binance_usdm")
    ]
    venue.want(-5)  # what reduces is sent, what would open the other way is not
    assert venue.sent == [10, -10]
    venue.fill()
    assert venue.position == 0
    assert len(venue.sent) == 2
    told(venue, EventFlag.TRADING)
    venue.want(20)
    assert venue.sent == [10, -10, 20]
    changes = venue.bench.journal.of(TradingChanged)
    assert [(one.input, one.instrument, one.trading) for one in changes] == [
        (7, "BTCUSDT@binance_usdm", False),
        (7, "BTCUSDT@binance_usdm", True),
    ]


def test_other_frames_and_other_flags_halt_nothing() -> None:
    venue = Venue()
    told(venue, EventFlag.GAP)
    told(venue, EventFlag.STALE)
    told(venue, EventFlag.TRADING)
    venue.want(10)
    assert venue.sent == [10]
    assert venue.bench.journal.of(TradingChanged) == []


def refused(venue: Any) -> None:
    order = venue.adapter.submitted[-1]
    venue.tell(OrderRejected(client_order_id=order.client_order_id, ts_event=1, reason="-4141: Symbol is closed."))


def test_an_exit_that_is_refused_again_and_again_is_sent_after_pauses_that_grow_to_a_second() -> None:
    venue = Venue()
    venue.want(10)
    venue.fill()
    began = venue.bench.clock.now_ns()
    times = []
    for _ in range(5_000):
        before = len(venue.sent)
        venue.want(0)  # at every prediction
        if len(venue.sent) > before:
            times.append((venue.bench.clock.now_ns() - began) // MS)
            refused(venue)
        venue.bench.clock.advance(venue.bench.clock.now_ns() + MS)
    assert times == [0, 100, 300, 700, 1500, 2500, 3500, 4500]
    venue.bench.clock.advance(venue.bench.clock.now_ns() + 1000 * MS)
    venue.want(0)
    venue.fill()
    assert venue.position == 0
    venue.want(10)
    venue.fill()
    venue.want(0)  # nothing has come to nothing since
    assert venue.sent[-2:] == [10, -10]
    assert venue.lane.failed == ""
