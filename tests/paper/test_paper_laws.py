"""Paper execution never invents liquidity: laws over random tapes, and queues against an order-by-order reference."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_paper import FREE, Paper

from vtframe.domain import (
    LiquiditySide,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Side,
    TimeInForce,
)

PRICES = st.integers(995, 1006)
SIDES = st.sampled_from(list(Side))
TIMES_IN_FORCE = st.sampled_from([TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
depths = st.tuples(st.just("depth"), SIDES, PRICES, st.integers(0, 20))
orders = st.tuples(st.just("order"), SIDES, st.one_of(st.none(), PRICES), st.integers(1, 40), TIMES_IN_FORCE)
cancels = st.tuples(st.just("cancel"), st.integers(1, 10))
waits = st.tuples(st.just("wait"))


class Display:
    """What was displayed and is not yet taken, by a rule of its own: a delta sets a level, a fill lowers it."""

    def __init__(self):
        self.left = {side: {} for side in Side}

    def take(self, side, price, quantity):
        self.left[side][price] = self.left[side].get(price, 0) - quantity
        assert self.left[side][price] >= 0, f"took more than was displayed at {price}"

    def take_through(self, side, limit, quantity):
        """A resting order that the book moved through: best first, no worse than its price."""
        for price in sorted(self.left[side], reverse=side is Side.BUY):
            if side * (price - limit) >= 0:
                part = min(quantity, self.left[side][price])
                self.left[side][price] -= part
                quantity -= part
        assert quantity == 0, "a crossed order got more than was displayed"


@settings(max_examples=200, deadline=None)
@given(
    tape=st.lists(st.one_of(depths, orders, cancels, waits), min_size=1, max_size=60),
    latency=st.sampled_from([0, 1_500, 5_000]),
)
def test_between_two_updates_of_a_level_no_more_is_filled_from_it_than_it_displayed(tape, latency):
    paper = Paper(FREE, latency_us=latency)
    display = Display()
    sent = {}
    seen = 0
    for kind, *what in [*tape, ("wait",), ("wait",)]:
        if kind == "depth":
            side, price, quantity = what
            display.left[side][price] = quantity
            paper.depth(**{"bids" if side is Side.BUY else "asks": {price: quantity}})
        elif kind == "order":
            side, price, quantity, tif = what
            name = f"o-{len(sent) + 1}"
            sent[name] = (side, price, quantity)
            paper.send(name, side=side, price=price, quantity=quantity, tif=tif)
        elif kind == "cancel":
            paper.cancel(f"o-{what[0]}")
        else:
            paper.wait(6)
        for event in paper.events[seen:]:
            if isinstance(event, OrderFilled):
                side, limit, _ = sent[event.client_order_id]
                if event.liquidity_side is LiquiditySide.TAKER:
                    assert limit is None or side * (event.price - limit) <= 0, "filled at a price worse than the limit"
                    display.take(Side(-side), event.price, event.quantity)
                else:
                    assert event.price == limit
                    display.take_through(Side(-side), event.price, event.quantity)
        seen = len(paper.events)
    paper.adapter.stop()
    for name, (_, _, quantity) in sent.items():
        check_life(paper, name, quantity)


@settings(max_examples=100, deadline=None)
@given(
    tape=st.lists(
        st.one_of(
            st.tuples(st.just("depth"), SIDES, st.integers(0, 5), st.integers(0, 20)),
            st.tuples(st.just("trade"), SIDES, st.integers(0, 8), st.integers(1, 30)),
            st.tuples(st.just("order"), SIDES, st.integers(0, 5), st.integers(1, 40)),
            cancels,
        ),
        max_size=60,
    ),
    queue=st.sampled_from(["conservative", "proportional"]),
)
def test_a_trade_fills_no_more_than_it_traded_and_depth_that_does_not_cross_fills_nothing(tape, queue):
    paper = Paper(FREE, queue=queue, latency_us=0)
    paper.depth(bids={1000: 5}, asks={1001: 5})  # bids stay at or under 1000, asks at or over 1001
    sent = {}
    for kind, *what in tape:
        seen = len(paper.events)
        allowed = 0
        if kind == "cancel":
            paper.cancel(f"o-{what[0]}")
        else:
            side, away, quantity = what
            price = 1000 - away if side is Side.BUY else 1001 + away
            if kind == "depth":
                paper.depth(**{"bids" if side is Side.BUY else "asks": {price: quantity}})
            elif kind == "trade":
                allowed = quantity
                paper.trade(Side(-side), price, quantity)
            else:
                name = f"o-{len(sent) + 1}"
                sent[name] = quantity
                paper.send(name, side=side, price=price, quantity=quantity, post_only=True)
        fills = [event for event in paper.events[seen:] if isinstance(event, OrderFilled)]
        assert sum(fill.quantity for fill in fills) <= allowed
        assert all(fill.liquidity_side is LiquiditySide.MAKER for fill in fills)
    paper.adapter.stop()
    for name, quantity in sent.items():
        check_life(paper, name, quantity)


def check_life(paper, name, quantity):
    """An order ends once, its end is the last word, and its fills and leaves add up."""
    events = [event for event in paper.events if event.client_order_id == name]
    ends = [event for event in events if isinstance(event, OrderCanceled | OrderExpired | OrderRejected)]
    rest = quantity
    for fill in (event for event in events if isinstance(event, OrderFilled)):
        rest -= fill.quantity
        assert fill.leaves_quantity == rest >= 0
    assert len(ends) == (1 if rest else 0)
    if ends:
        assert ends[0] is events[-1]
        assert isinstance(ends[0], OrderRejected) or ends[0].leaves_quantity == rest
    assert sum(isinstance(event, OrderAccepted) for event in events) <= 1


class TrueQueue:
    """The level order by order: real orders in front of ours and behind it. Ours is not in the market, so a trade that
    would have met it meets real orders behind it instead."""

    def __init__(self, ahead, quantity):
        self.ahead, self.behind, self.leaves = list(ahead), [], quantity
        self.filled = 0

    @property
    def total(self):
        return sum(self.ahead) + sum(self.behind)

    def trade(self, quantity):
        quantity = min(quantity, self.total)
        reaches = quantity - min(quantity, sum(self.ahead))
        part = min(reaches, self.leaves)
        self.leaves -= part
        self.filled += part
        rest = quantity
        for orders in (self.ahead, self.behind):
            while orders and rest:
                taken = min(orders[0], rest)
                orders[0] -= taken
                rest -= taken
                if not orders[0]:
                    orders.pop(0)
        return quantity

    def cancel(self, place):
        orders = self.ahead + self.behind
        if orders:
            place %= len(orders)
            (self.ahead.pop(place) if place < len(self.ahead) else self.behind.pop(place - len(self.ahead)))


real = st.lists(st.integers(1, 20), min_size=1, max_size=6)
joins = st.tuples(st.just("join"), st.integers(1, 20))
sells = st.tuples(st.just("trade"), st.integers(1, 40), st.booleans())  # the flag: told only after the next depth update
shows = st.tuples(st.just("show"), st.booleans())  # a picture of the level; the flag: it arrives after the next step
leaves = st.tuples(st.just("leave"), st.integers(0, 20))


def play(script, ahead, quantity, queue):
    """The same level in a paper market and order by order; how much of our order each of them filled."""
    truth = TrueQueue(ahead, quantity)
    paper = Paper(FREE, latency_us=0, queue=queue)
    paper.depth(bids={1000: truth.total, 900: 1}, asks={1100: 1})
    paper.send(price=1000, quantity=quantity)
    paper.depth(bids={900: 2})
    held = []  # trades of which nobody told us yet: (when, quantity)
    picture = None  # a depth update on its way: (when, quantity)
    for kind, *what in [*script, ("show", False)]:
        paper.clock.advance(paper.clock.now_ns() + 1_000_000)
        on_its_way, picture = picture, None
        if kind == "join":
            truth.behind.append(what[0])
        elif kind == "leave":
            truth.cancel(what[0])
        elif kind == "trade" and truth.total:
            traded = truth.trade(what[0])
            if what[1] and on_its_way is None:
                held.append((paper.clock.now_ns(), traded))
            else:
                paper.trade(Side.SELL, 1000, traded, after_ms=0)
        if on_its_way is not None:
            show(paper, *on_its_way, held)
        if kind == "show" and what[0]:
            picture = (paper.clock.now_ns(), truth.total)
        elif kind == "show":
            show(paper, paper.clock.now_ns(), truth.total, held)
    return sum(fill.quantity for fill in paper.of(OrderFilled)), truth.filled


def show(paper, when, total, held):
    """The level as it was at ``when`` arrives now, and then the trades that it contains."""
    paper.clock.advance(paper.clock.now_ns() + 1_000)
    paper.depth(bids={1000: total}, after_ms=0, lag_ms=(paper.clock.now_ns() - when) / 1_000_000)
    for traded_at, traded in held:
        paper.clock.advance(paper.clock.now_ns() + 1_000)
        paper.trade(Side.SELL, 1000, traded, after_ms=0, lag_ms=(paper.clock.now_ns() - traded_at) / 1_000_000)
    held.clear()


@settings(max_examples=300, deadline=None)
@given(
    script=st.lists(st.one_of(joins, sells, shows), max_size=25),
    ahead=real,
    quantity=st.integers(1, 30),
    queue=st.sampled_from(["conservative", "proportional"]),
)
@example(script=[("join", 30), ("trade", 60, True), ("show", False)], ahead=[50], quantity=10, queue="conservative")
@example(script=[("show", True), ("trade", 30, False), ("trade", 21, False)], ahead=[50], quantity=10, queue="conservative")
@example(script=[("trade", 20, False), ("show", False), ("trade", 29, False)], ahead=[50], quantity=10, queue="proportional")
def test_where_nobody_cancels_the_queue_is_exact_in_whatever_order_trades_and_depth_arrive(script, ahead, quantity, queue):
    filled, truth = play(script, ahead, quantity, queue)
    if queue == "conservative":
        assert filled == truth
    else:  # a trade that is told late looks like cancellations for a while, part of which was ahead of us
        late = any(kind == "trade" and more[1] for kind, *more in script)
        assert filled == truth or late


@settings(max_examples=300, deadline=None)
@given(script=st.lists(st.one_of(joins, sells, shows, leaves), max_size=25), ahead=real, quantity=st.integers(1, 30))
def test_the_conservative_queue_never_fills_more_than_the_true_one(script, ahead, quantity):
    filled, truth = play(script, ahead, quantity, "conservative")
    assert filled <= truth
