"""Runs of equal denials: the journal has the first, and the number of the rest; nothing is lost in the counts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from test_lane import Venue

from vtframe.api import RiskPolicy
from vtframe.engine.tally import Tally
from vtframe.journal.records import DenialsRepeated, IntentFormed, OrderApproved, OrderDenied


class Moody(RiskPolicy):
    """Denies while the test wants it to, in other words every time."""

    name = "moody"

    def start(self, context):
        self.denies = True
        self.count = 0

    def review(self, order, context):
        self.count += 1
        return self.denied(order, f"for the {self.count}th time") if self.denies else order


def moody_venue(**more):
    policy = Moody()
    return policy, Venue(policies=[policy], **more)


def repeated(venue):
    return [(r.count, r.first_input, r.last_input, r.ended) for r in venue.bench.journal.of(DenialsRepeated)]


def tally_of(venue):
    tally = Tally()
    for record in venue.bench.journal.records:
        tally.add(record)
    return tally


def deny(venue, *targets):
    for target in targets:
        venue.bench.wait(1)
        venue.want(target)


def test_the_first_of_a_run_is_written_whole_and_the_rest_as_a_number_at_its_end():
    policy, venue = moody_venue()
    first = venue.bench.number + 1
    deny(venue, 10, 10, 20, 10)
    assert len(venue.bench.journal.of(IntentFormed)) == len(venue.bench.journal.of(OrderDenied)) == 1
    assert venue.lane.counters.denials == {"moody": 4}
    assert venue.lane.counters.intents == 4
    policy.denies = False
    deny(venue, 10)
    assert repeated(venue) == [(3, first + 1, first + 3, True)]
    assert [type(record) for record in venue.bench.journal.records[-3:]] == [DenialsRepeated, IntentFormed, OrderApproved]
    policy.denies = True
    venue.fill()
    deny(venue, 20)
    assert len(venue.bench.journal.of(OrderDenied)) == 2, "after an order a run begins anew"


def test_what_is_counted_is_written_at_a_checkpoint_and_at_the_stop():
    _, venue = moody_venue()
    deny(venue, 10, 10, 10)
    venue.lane.note_denials()
    venue.lane.note_denials()
    assert [count for count, *_, ended in repeated(venue)] == [2]
    deny(venue, 10)
    venue.lane.stop()
    assert [(count, ended) for count, _, _, ended in repeated(venue)] == [(2, False), (1, True)]
    assert tally_of(venue).denials() == {"moody": 4} == venue.lane.counters.denials


def test_a_denial_that_nothing_followed_needs_no_count():
    _, venue = moody_venue()
    deny(venue, 10)
    venue.lane.stop()
    assert repeated(venue) == []


def test_sides_and_causes_have_runs_of_their_own():
    _, venue = moody_venue()
    deny(venue, 10, -10, 10, -10)
    venue.want(10, cause="other")
    venue.want(10, cause="other")
    assert len(venue.bench.journal.of(OrderDenied)) == 3
    venue.lane.stop()
    assert [count for count, *_ in repeated(venue)] == [1, 1, 1]


def test_a_cause_of_its_own_for_every_order_does_not_fill_the_memory():
    _, venue = moody_venue()
    for number in range(200):
        venue.want(10, cause=f"cause {number}")
    assert len(venue.bench.journal.of(OrderDenied)) == 200
    venue.want(10, cause="cause 199")
    venue.lane.stop()
    assert tally_of(venue).denials() == {"moody": 201}


def test_orders_under_the_minimum_are_a_run_too():
    _, venue = moody_venue()
    venue.lane._desk._minimums = ((True, 10**12),)
    venue.bench.gate._reviews = ()
    deny(venue, 1, 1, 1)
    assert venue.lane.counters.denials == {"minimum_notional": 3}
    assert len(venue.bench.journal.of(OrderDenied)) == 1


def test_thousands_of_denials_do_not_push_a_final_order_out_of_the_table():
    policy, venue = moody_venue()
    policy.denies = False
    venue.limit(10, 99_990)
    order = venue.adapter.submitted[0]
    venue.fill(quantity=4)
    venue.want(0)
    policy.denies = True
    deny(venue, *[50] * 5_000)
    assert venue.bench.orders.find(order.client_order_id) is not None


@settings(max_examples=60, deadline=None)
@given(
    script=st.lists(
        st.one_of(
            st.tuples(st.just("want"), st.sampled_from([10, -10, 20, 0])),
            st.tuples(st.just("mood"), st.booleans()),
            st.tuples(st.just("fill"), st.just(0)),
        ),
        max_size=40,
    ),
    checkpoints=st.sets(st.integers(0, 40)),
)
def test_checkpoints_change_neither_the_counts_nor_the_hash_of_decisions(script, checkpoints):
    def play(checkpoints):
        policy, venue = moody_venue()
        for number, (what, value) in enumerate(script):
            venue.bench.wait(1)
            if what == "want":
                venue.want(value)
            elif what == "mood":
                policy.denies = value
            elif venue.adapter.submitted and not venue.bench.orders[venue.adapter.submitted[-1].client_order_id].status.final:
                venue.fill()
            if number in checkpoints:
                venue.lane.note_denials()
        venue.lane.stop()
        tally = tally_of(venue)
        counters = venue.lane.counters
        assert tally.denials() == counters.denials
        assert tally.counts() == {"intents": counters.intents, "orders": counters.orders, "fills": counters.fills}
        return tally.decisions()

    assert play(checkpoints) == play(set())


def test_another_number_of_denials_is_another_decision():
    hashes = set()
    for count in (1, 2, 3):
        _, venue = moody_venue()
        deny(venue, *[10] * count)
        venue.lane.stop()
        hashes.add(tally_of(venue).decisions())
    assert len(hashes) == 3
