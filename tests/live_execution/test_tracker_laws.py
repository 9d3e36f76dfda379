"""Whatever a venue says of an order, in whatever order, however often and with whatever left out, the end is the venue's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trading import INSTRUMENTS, Idle
from trading_fakes import Bench, RecordingAdapter

from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.builtin.binance.execution.reports import Report, Trade
from vtframe.builtin.binance.execution.tracker import GRACE_NS, Tracker
from vtframe.domain import Intent, OrderStatus, OrderType, TimeInForce

S = OrderStatus
SCALE = 1_000  # fixed point of USD-M BTCUSDT's quantities
PRICE = "50000.1"
TABLE = {
    "NEW": S.ACCEPTED,
    "PARTIALLY_FILLED": S.PARTIALLY_FILLED,
    "FILLED": S.FILLED,
    "CANCELED": S.CANCELED,
    "EXPIRED": S.EXPIRED,
}


class Life:
    """What became of one order at the venue, and everything that it says of it while it happens."""

    def __init__(self, name: str, quantity: int, parts: list[int], end: str) -> None:
        self.name = name
        self.trades: list[Trade] = []
        self.messages: list[tuple[str, Any]] = [("ack", None), ("report", self.report("NEW", "NEW", 0))]
        executed = 0
        for number, part in enumerate(parts):
            executed += part
            status = "FILLED" if executed == quantity else "PARTIALLY_FILLED"
            trade = Trade(
                trade_id=number, price=PRICE, quantity=text(part), ts_ms=2 + number, maker=True, fee="0.1", fee_currency="BNB"
            )
            self.trades.append(trade)
            self.messages.append(("report", self.report("TRADE", status, executed, trade)))
            self.messages.append(("report", self.report("STATUS", status, executed)))  # somebody asked just then
        self.executed = executed
        self.status = "FILLED" if executed == quantity else end or ("PARTIALLY_FILLED" if executed else "NEW")
        if self.status in {"CANCELED", "EXPIRED"}:
            self.messages.append(("report", self.report(self.status, self.status, executed)))
            self.messages.append(("report", self.report("STATUS", self.status, executed)))  # the answer to a cancel

    def report(self, kind: str, status: str, executed: int, trade: Trade | None = None) -> Report:
        return Report(
            name=self.name,
            symbol="BTCUSDT",
            kind=kind,
            status=status,
            venue_order_id=7,
            executed=text(executed),
            ts_ms=1,
            trade=trade,
        )

    def now(self) -> Report:
        return self.report("STATUS", self.status, self.executed)


def text(quantity: int) -> str:
    return str(Decimal(quantity).scaleb(-3))


@st.composite
def lives(draw: st.DrawFn) -> tuple[int, list[int], str]:
    quantity = draw(st.integers(1, 12))
    parts: list[int] = []
    while (left := quantity - sum(parts)) and draw(st.booleans()):
        parts.append(draw(st.integers(1, left)))
    return quantity * 10, [10 * part for part in parts], draw(st.sampled_from(["", "CANCELED", "EXPIRED"]))


class Account:
    """A lane, and the tracker that tells it what the venue says."""

    def __init__(self) -> None:
        self.bench = Bench(INSTRUMENTS["usdm"])
        self.bench.depth(bids={4_999_900: 10**9}, asks={5_000_100: 10**9})
        self.adapter = RecordingAdapter()
        self.lane = self.bench.lane(Idle(), self.adapter)
        self.tracker = Tracker(self.lane.on_order_event, self.bench.instruments.__getitem__)
        self.ns = 0

    def order(self, quantity: int) -> str:
        target = self.lane.ledger.position(0).quantity + quantity
        self.lane._act(
            Intent(instrument=0, target=target, order_type=OrderType.LIMIT, price=4_990_000, time_in_force=TimeInForce.GTC)
        )
        command = self.adapter.submitted[-1]
        self.tracker.sent(command, sent_ns=0, deadline_ms=0)
        return command.client_order_id

    def hear(self, life: Life, kind: str, what: Any) -> None:
        self.ns += 1
        match kind:
            case "ack":
                self.tracker.accept(life.name, 7, 1)
            case "report":
                self.tracker.report(what, self.ns)
            case "lost":
                self.tracker.lose(life.name, "no answer", 1)
            case "cancel":
                order = self.bench.orders[life.name]
                if not order.status.final:
                    self.lane._desk.cancel(order, "test")

    def settle(self, life: Life) -> None:
        """As a reconnect does: ask what is open, and then for what is wanted, until nothing is."""
        if (one := self.tracker.find(life.name)) is not None:
            self.tracker.want(one, "status")
        for _ in range(4):
            one = self.tracker.find(life.name)
            if one is None or not one.wanted:
                return
            self.ns += GRACE_NS
            if one.wanted == "status":
                self.tracker.report(life.now(), self.ns)
            else:
                self.tracker.traded(life.name, life.trades, self.ns)
        raise AssertionError("it goes on asking")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives(), st.data())
def test_the_table_ends_with_the_venues_state_and_the_ledger_with_its_position(
    drawn: tuple[int, list[int], str], data: st.DataObject
) -> None:
    quantity, parts, end = drawn
    account = Account()
    life = Life(account.order(quantity), quantity, parts, end)
    messages = (
        life.messages + [("lost", None)] * data.draw(st.integers(0, 2)) + [("cancel", None)] * data.draw(st.integers(0, 1))
    )
    messages += data.draw(st.lists(st.sampled_from(life.messages), max_size=4))  # told again
    heard = data.draw(st.permutations(messages))
    kept = data.draw(st.lists(st.booleans(), min_size=len(heard), max_size=len(heard)))
    again = data.draw(st.lists(st.sampled_from(heard), max_size=4))
    for message, keep in zip(heard, kept, strict=True):
        if keep:
            account.hear(life, *message)
    account.settle(life)
    for message in again:  # late, and told again
        account.hear(life, *message)
    account.settle(life)
    assert account.lane.failed == ""
    order = account.bench.orders[life.name]
    waits_for_cancel = order.status is S.PENDING_CANCEL and TABLE[life.status] in {S.ACCEPTED, S.PARTIALLY_FILLED}
    assert waits_for_cancel or order.status is TABLE[life.status]
    assert order.filled_quantity == life.executed
    assert account.lane.ledger.position(0).quantity == life.executed
    working = 0 if order.status.final else quantity - life.executed
    assert account.bench.orders.working(0) == working
    assert account.lane.counters.fills == len(life.trades)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["lost", "missing early", "missing", "refused", "ambiguous"]), max_size=8))
def test_an_order_that_never_came_is_rejected_once_and_only_on_the_venues_word(said: list[str]) -> None:
    account = Account()
    name = account.order(10)
    life = Life(name, 10, [], "")
    ended = False
    for word in said:
        match word:
            case "lost":
                account.hear(life, "lost", None)
            case "missing early":
                account.tracker.missing(name, asked_after=False, ts_ms=1)
            case "missing":
                account.tracker.missing(name, asked_after=True, ts_ms=1)
            case "refused":
                account.tracker.refuse(name, VenueError("order.place", -2010, "no"), 1)
            case "ambiguous":
                account.tracker.refuse(name, VenueError("order.place", -1007, "who knows"), 1)
        ended = ended or word in {"missing", "refused"}
        status = account.bench.orders[name].status
        assert (status is S.REJECTED) is ended
    assert account.lane.counters.rejected == ended
    assert account.lane.failed == ""
