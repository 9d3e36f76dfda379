"""What a lane under restraint does: positions grow to a part of their size, entries are denied, exits always pass."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_fakes import LINEAR, Bench, RecordingAdapter, model_info

from vtframe.api import Strategy
from vtframe.domain import Answer, DriftVerdict, Intent, OrderFilled, OrderType
from vtframe.domain.order import LiquiditySide
from vtframe.engine.lane import Lane
from vtframe.engine.risk_view import RiskView
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.journal.records import CancelSent, OrderApproved, OrderDenied
from vtframe.portfolio.ledger import Ledger
from vtframe.risk.gate import Gate
from vtframe.risk.restraint import DriftRestraint


class Wants(Strategy):
    """Wants what the test says, at the market or at a limit price."""

    name = "wants"
    target: int = 0
    price: int | None = None

    def on_prediction(self, prediction, view):
        order_type = OrderType.MARKET if self.price is None else OrderType.LIMIT
        more = {} if self.price is None else {"time_in_force": "GTC"}
        return Intent(
            instrument=prediction.instrument, target=self.target, cause="test", order_type=order_type, price=self.price, **more
        )


def verdict(answer: Answer, *, rule: int = 0, instrument: int = 0, factor: float = 1.0) -> DriftVerdict:
    return DriftVerdict(
        rule=rule,
        model="m",
        instrument=instrument,
        instrument_id="BTCUSDT@binance_usdm",
        answer=answer,
        factor=factor,
        measure="psi",
        subject="spread",
        value=0.31,
        threshold=0.25,
        row=5_000,
        input=7,
    )


class Restrained:
    """A lane with a restraint on a bench, whose venue fills every order at once."""

    def __init__(self, *instruments) -> None:
        self.bench = Bench(*(instruments or (LINEAR,)))
        self.strategy = Wants()
        self.adapter = RecordingAdapter()
        bench = self.bench
        ledger = bench.ledgers["lane1"] = Ledger()
        view = RiskView(market=bench.market, orders=bench.orders, ledgers=bench.ledgers, lane="lane1")
        restraint = DriftRestraint()
        self.lane = Lane(
            "lane1",
            self.strategy,
            self.adapter,
            gate=bench.gate,
            limits=Gate((restraint,), view),
            restraint=restraint,
            ledger=ledger,
            orders=bench.orders,
            ids=ClientOrderIds("test"),
            capital=Decimal(10_000),
            model=model_info(),
            market=bench.market,
            journal=bench.journal,
        )
        self.lane.start()
        bench.lanes.append(self.lane)
        for index in range(len(bench.instruments)):
            bench.depth(bids={599_990: 900_000}, asks={600_000: 900_000}, instrument=index)

    def want(self, target: int, *, price: int | None = None, instrument: int = 0, fill: bool = True) -> int:
        """What is held after the strategy wanted ``target``."""
        self.strategy.target, self.strategy.price = target, price
        before = len(self.adapter.submitted)
        self.bench.predict(0.1, 0.1, 0.8, instrument=instrument)
        while fill and before < len(self.adapter.submitted):
            order = self.adapter.submitted[before]
            before += 1
            self.lane.on_order_event(
                OrderFilled(
                    client_order_id=order.client_order_id,
                    ts_event=0,
                    price=600_000,
                    quantity=order.quantity,
                    leaves_quantity=0,
                    liquidity_side=LiquiditySide.TAKER,
                )
            )
        return self.held(instrument)

    def held(self, instrument: int = 0) -> int:
        return self.lane.ledger.position(instrument).quantity

    def tell(self, answer: Answer, **more) -> None:
        self.lane.on_drift(verdict(answer, **more), 99)


def test_shrink_opens_a_part_of_the_size_and_never_the_rest() -> None:
    desk = Restrained()
    desk.tell(Answer.SHRINK, factor=0.5)
    assert [desk.want(1_000) for _ in range(5)] == [500] * 5, "asking again is no way round"
    approved = desk.bench.journal.of(OrderApproved)
    assert [(one.asked_quantity, one.order.quantity, one.notes) for one in approved] == [
        (1_000, 500, ("drift: quantity 1000 made 500",))
    ]
    denied = desk.bench.journal.of(OrderDenied)[0].denied
    assert denied.policy == "drift"
    assert denied.reason.startswith(
        "shrink to 0.5 of 1.000, of which 0.500 is held or working: psi of spread 0.31, threshold 0.25"
    )


def test_what_is_held_already_is_kept_and_closes_whole() -> None:
    desk = Restrained()
    assert desk.want(1_000) == 1_000
    desk.tell(Answer.SHRINK, factor=0.25)
    assert desk.want(1_000) == 1_000
    assert desk.want(1_200) == 1_000
    assert desk.want(400) == 400
    assert desk.want(0) == 0
    assert desk.want(-1_000) == -250
    assert desk.want(1_000) == 250, "through zero: all is closed, a part is opened"


def test_reduce_only_denies_what_opens_and_lets_out_what_closes() -> None:
    desk = Restrained()
    assert desk.want(-700) == -700
    desk.tell(Answer.REDUCE_ONLY)
    assert desk.want(-900) == -700
    assert desk.want(-300) == -300
    assert desk.want(500) == 0, "through zero: the reducing order passes, the opening one does not"
    reasons = [one.denied.reason for one in desk.bench.journal.of(OrderDenied)]
    assert len(reasons) == 2
    assert all(reason.startswith("reduce_only: psi of spread 0.31, threshold 0.25") for reason in reasons)


@pytest.mark.parametrize("answer", [Answer.REDUCE_ONLY, Answer.HALT])
def test_orders_that_would_open_are_canceled_where_the_verdict_comes(answer: Answer) -> None:
    desk = Restrained()
    desk.want(600, price=599_000, fill=False)
    desk.tell(answer)
    assert [command.client_order_id for command in desk.adapter.canceled] == [desk.adapter.submitted[0].client_order_id]
    assert [one.command.cause for one in desk.bench.journal.of(CancelSent)] == ["drift"]


@pytest.mark.parametrize("answer", [Answer.NONE, Answer.WARN, Answer.SHRINK])
def test_milder_answers_cancel_nothing(answer: Answer) -> None:
    desk = Restrained()
    desk.want(600, price=599_000, fill=False)
    desk.tell(answer, factor=0.5)
    assert desk.adapter.canceled == []


def test_a_verdict_is_for_its_instrument_and_a_halt_for_all() -> None:
    desk = Restrained(LINEAR, LINEAR)
    desk.tell(Answer.REDUCE_ONLY, instrument=1)
    assert desk.want(100, instrument=0) == 100
    assert desk.want(100, instrument=1) == 0
    desk.tell(Answer.HALT, instrument=1)
    assert desk.want(200, instrument=0) == 100
    assert desk.want(0, instrument=0) == 0


def test_the_strictest_of_several_rules_decides_and_each_is_lifted_by_its_own() -> None:
    desk = Restrained()
    desk.tell(Answer.SHRINK, factor=0.5, rule=0)
    desk.tell(Answer.SHRINK, factor=0.2, rule=1)
    assert desk.want(1_000) == 200
    desk.tell(Answer.REDUCE_ONLY, rule=2)
    assert desk.want(2_000) == 200
    desk.tell(Answer.NONE, rule=2)
    assert desk.want(2_000) == 400
    desk.tell(Answer.WARN, rule=1)
    assert desk.want(2_000) == 1_000
    desk.tell(Answer.NONE, rule=0)
    assert desk.want(2_000) == 2_000


@given(
    targets=st.lists(st.integers(-3_000, 3_000), max_size=12),
    factor=st.floats(0.01, 0.99),
    answer=st.sampled_from([Answer.SHRINK, Answer.REDUCE_ONLY]),
)
def test_exposure_grows_to_the_allowed_part_at_most_and_falls_whenever_it_is_asked_to(targets, factor, answer) -> None:
    desk = Restrained()
    desk.tell(answer, factor=factor)
    for target in targets:
        before = desk.held()
        held = desk.want(target)
        if target == 0 or (before * target > 0 and abs(target) <= abs(before)):
            assert held == target, "what reduces passes whole"
        elif answer is Answer.REDUCE_ONLY:
            assert held in (before, 0)
            assert abs(held) <= abs(before)
        else:
            assert abs(held) <= max(abs(target) * factor, abs(before) if before * target > 0 else 0)
