"""The book's states: what makes it live, what takes that away, and what waits meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_frames import INSTRUMENT, Tape

from vtframe.domain import BookState, EventFlag, EventKind, SequenceRule, Side, Top
from vtframe.errors import InvariantError
from vtframe.features import Pipeline

BID, ASK = (1, 100, 5), (-1, 101, 7)


def run(rule: SequenceRule, play: Callable[[Tape], None]) -> Pipeline:
    tape = Tape()
    play(tape)
    pipeline = Pipeline([], [INSTRUMENT], [rule])
    pipeline.process(tape.records)
    return pipeline


def snapshot_at_10(tape: Tape) -> None:
    tape.snapshot(10, BID, ASK)


@pytest.mark.parametrize(
    ("rule", "ids", "state"),
    [
        (SequenceRule.NEXT, [(11, 12, -1)], BookState.LIVE),
        (SequenceRule.NEXT, [(8, 11, -1)], BookState.LIVE),  # spans the snapshot
        (SequenceRule.NEXT, [(8, 10, -1)], BookState.LIVE),  # ends with it: dropped
        (SequenceRule.NEXT, [(12, 13, -1)], BookState.GAP),
        (SequenceRule.NEXT, [(11, 12, -1), (13, 13, -1)], BookState.LIVE),
        (SequenceRule.NEXT, [(11, 12, -1), (12, 13, -1)], BookState.GAP),
        (SequenceRule.NEXT, [(11, 12, -1), (14, 15, -1)], BookState.GAP),
        (SequenceRule.PREVIOUS, [(9, 12, 7)], BookState.LIVE),
        (SequenceRule.PREVIOUS, [(9, 10, 7)], BookState.LIVE),
        (SequenceRule.PREVIOUS, [(15, 17, 10)], BookState.LIVE),  # names the snapshot as its predecessor
        (SequenceRule.PREVIOUS, [(12, 14, 9)], BookState.LIVE),  # nothing changed between 9 and 12, where the snapshot is
        (SequenceRule.PREVIOUS, [(12, 14, 11)], BookState.GAP),
        (SequenceRule.PREVIOUS, [(12, 14, -1)], BookState.GAP),
        (SequenceRule.PREVIOUS, [(9, 12, 7), (20, 25, 12)], BookState.LIVE),
        (SequenceRule.PREVIOUS, [(9, 12, 7), (20, 25, 13)], BookState.GAP),
        (SequenceRule.PREVIOUS, [(9, 12, 7), (9, 12, 7)], BookState.GAP),
        (SequenceRule.INCREMENT, [(11, 11, -1), (12, 12, -1)], BookState.LIVE),
        (SequenceRule.INCREMENT, [(9, 9, -1), (11, 11, -1)], BookState.LIVE),
        (SequenceRule.INCREMENT, [(12, 12, -1)], BookState.GAP),
        (SequenceRule.NONE, [(-1, -1, -1), (-1, -1, -1)], BookState.LIVE),
    ],
)
def test_each_rule_takes_what_follows_and_refuses_what_does_not(
    rule: SequenceRule, ids: list[tuple[int, int, int]], state: BookState
) -> None:
    def play(tape: Tape) -> None:
        snapshot_at_10(tape)
        for first, last, previous in ids:
            tape.depth(first, last, (1, 99, 3), previous=previous)

    def waiting(tape: Tape) -> None:
        for first, last, previous in ids:
            tape.depth(first, last, (1, 99, 3), previous=previous)
        snapshot_at_10(tape)

    pipeline = run(rule, play)
    assert pipeline.books.state(0) == state
    assert pipeline.counts().gaps == (state == BookState.GAP)
    if rule != SequenceRule.NONE:  # without ids, what came before a snapshot is older than it
        replayed = run(rule, waiting)
        assert replayed.books.state(0) == state
        assert replayed.books.top(0) == pipeline.books.top(0)
        assert replayed.books.update_id(0) == pipeline.books.update_id(0)


def test_frames_without_ids_that_came_before_a_snapshot_are_not_applied_on_top_of_it() -> None:
    def play(tape: Tape) -> None:
        tape.depth(-1, -1, (1, 95, 1))
        tape.snapshot(-1, BID, ASK)

    pipeline = run(SequenceRule.NONE, play)
    assert pipeline.books.state(0) == BookState.LIVE
    assert pipeline.books.quantity_at(0, Side.BUY, 95) == 0


def test_a_gap_keeps_the_book_as_it_was_until_a_newer_snapshot_and_the_frames_after_it() -> None:
    tape = Tape()
    snapshot_at_10(tape)
    tape.depth(11, 11, (1, 99, 3))
    tape.depth(13, 13, (1, 98, 4))
    tape.depth(14, 14, (1, 97, 5))
    tape.snapshot(13, (1, 98, 4), ASK)
    tape.depth(15, 15, (1, 98, 0))
    pipeline = Pipeline([], [INSTRUMENT], [SequenceRule.NEXT])
    pipeline.process(tape.records, 0, 4)
    assert pipeline.books.state(0) == BookState.GAP
    assert pipeline.books.levels(0, Side.BUY, 9)[0].tolist() == [100, 99]
    pipeline.process(tape.records, 4, 5)
    assert pipeline.books.state(0) == BookState.LIVE
    assert pipeline.books.levels(0, Side.BUY, 9)[0].tolist() == [98, 97]
    pipeline.process(tape.records, 5, 6)
    assert pipeline.books.levels(0, Side.BUY, 9)[0].tolist() == [97]
    assert (pipeline.counts().gaps, pipeline.counts().resyncs) == (1, 2)


def test_a_snapshot_that_the_waiting_frames_do_not_reach_leaves_a_gap_and_the_frames_waiting() -> None:
    tape = Tape()
    tape.depth(20, 21, (1, 99, 3))
    snapshot_at_10(tape)
    tape.snapshot(20, BID, ASK)
    pipeline = Pipeline([], [INSTRUMENT], [SequenceRule.NEXT])
    pipeline.process(tape.records, 0, 2)
    assert pipeline.books.state(0) == BookState.GAP
    pipeline.process(tape.records, 2, 3)
    assert pipeline.books.state(0) == BookState.LIVE
    assert pipeline.books.update_id(0) == 21


def test_a_snapshot_older_than_a_live_book_is_ignored_and_counted() -> None:
    def play(tape: Tape) -> None:
        snapshot_at_10(tape)
        tape.depth(11, 12, (1, 99, 3))
        tape.snapshot(11, (1, 50, 1), (-1, 51, 1))

    pipeline = run(SequenceRule.NEXT, play)
    assert pipeline.books.top(0) == Top(100, 5, 101, 7)
    assert (pipeline.counts().old_snapshots, pipeline.counts().resyncs) == (1, 1)


def test_a_newer_snapshot_replaces_a_live_book() -> None:
    def play(tape: Tape) -> None:
        snapshot_at_10(tape)
        tape.snapshot(15, (1, 50, 1), (-1, 51, 2))
        tape.depth(11, 13, (1, 100, 9))  # older than the snapshot
        tape.depth(14, 16, (1, 49, 9))

    pipeline = run(SequenceRule.NEXT, play)
    assert pipeline.books.top(0) == Top(50, 1, 51, 2)
    assert pipeline.books.levels(0, Side.BUY, 9)[0].tolist() == [50, 49]
    assert pipeline.counts().old_frames == 1


def test_a_crossed_book_is_counted_and_waits_for_a_snapshot() -> None:
    def play(tape: Tape) -> None:
        snapshot_at_10(tape)
        tape.depth(11, 11, (1, 101, 3))
        tape.depth(12, 12, (1, 101, 0))

    pipeline = run(SequenceRule.NEXT, play)
    assert pipeline.books.state(0) == BookState.CROSSED
    assert pipeline.counts().crossed == 1


def test_a_frame_that_crosses_on_its_way_but_not_at_its_end_is_no_fault() -> None:
    def play(tape: Tape) -> None:
        snapshot_at_10(tape)
        tape.depth(11, 11, (1, 101, 3), (-1, 101, 0), (-1, 102, 1))

    assert run(SequenceRule.NEXT, play).books.top(0) == Top(101, 3, 102, 1)


def test_a_stated_loss_makes_a_gap() -> None:
    def play(tape: Tape) -> None:
        snapshot_at_10(tape)
        tape.depth(11, 11, (1, 99, 3), flags=int(EventFlag.GAP))

    def said(tape: Tape) -> None:
        snapshot_at_10(tape)
        tape.status(flags=int(EventFlag.GAP))

    for pipeline in (run(SequenceRule.NEXT, play), run(SequenceRule.NEXT, said)):
        assert pipeline.books.state(0) == BookState.GAP
        assert pipeline.counts().gaps == 1


def test_a_cleared_book_waits_for_a_snapshot() -> None:
    def play(tape: Tape) -> None:
        snapshot_at_10(tape)
        tape.status(kind=EventKind.BOOK_CLEAR)

    pipeline = run(SequenceRule.NEXT, play)
    assert pipeline.books.state(0) == BookState.SYNCING
    assert pipeline.books.top(0) == Top(0, 0, 0, 0)


def test_a_lost_connection_stops_the_book_until_a_snapshot() -> None:
    tape = Tape()
    snapshot_at_10(tape)
    tape.depth(11, 11, (1, 99, 3))
    tape.snapshot(11, (1, 99, 4), ASK)
    pipeline = Pipeline([], [INSTRUMENT], [SequenceRule.NEXT])
    pipeline.process(tape.records, 0, 1)
    pipeline.lose(0, BookState.STALE)
    pipeline.process(tape.records, 1, 2)
    assert pipeline.books.state(0) == BookState.STALE
    pipeline.process(tape.records, 2, 3)
    assert pipeline.books.state(0) == BookState.LIVE


def test_waiting_frames_are_bounded_and_what_is_dropped_is_counted() -> None:
    tape = Tape()
    for number in range(10_050):
        tape.depth(number, number)
    pipeline = Pipeline([], [INSTRUMENT], [SequenceRule.INCREMENT])
    pipeline.process(tape.records)
    assert pipeline.counts().dropped_pending == 50
    late = Tape()
    late.snapshot(49, BID, ASK)
    pipeline.process(late.records)
    assert pipeline.books.state(0) == BookState.LIVE
    assert pipeline.books.update_id(0) == 10_049


@pytest.mark.parametrize(
    ("field", "value"), [("instrument", 1), ("instrument", -1), ("first_event", -1), ("n_events", 10**6), ("n_events", -1)]
)
def test_a_frame_that_points_outside_is_refused_with_its_number(field: str, value: int) -> None:
    tape = Tape()
    snapshot_at_10(tape)
    tape.records.frames[0][field] = value
    pipeline = Pipeline([], [INSTRUMENT], [SequenceRule.NEXT])
    with pytest.raises(InvariantError, match="frame 0 of input 0"):
        pipeline.process(tape.records)


@pytest.mark.parametrize(("field", "value"), [("side", 0), ("quantity", -1)])
def test_a_level_without_a_side_or_with_a_negative_quantity_is_refused(field: str, value: int) -> None:
    tape = Tape()
    snapshot_at_10(tape)
    tape.records.events[1][field] = value
    with pytest.raises(InvariantError):
        Pipeline([], [INSTRUMENT], [SequenceRule.NEXT]).process(tape.records)


levels = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 3)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(frames=st.lists(levels, max_size=25), start=levels)
def test_any_changes_leave_the_same_levels_as_a_dictionary(
    frames: list[list[tuple[int, int]]], start: list[tuple[int, int]]
) -> None:
    """Prices below 20 are bids, the others asks, so that the book never crosses."""
    tape = Tape()
    book: dict[int, int] = {}

    def sided(changes: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
        book.update(changes)
        return [(1 if price < 20 else -1, price, quantity) for price, quantity in changes]

    tape.snapshot(0, *sided(start))
    for number, changes in enumerate(frames, 1):
        tape.depth(number, number, *sided(changes))
    pipeline = Pipeline([], [INSTRUMENT], [SequenceRule.INCREMENT])
    pipeline.process(tape.records)
    left = {price: quantity for price, quantity in book.items() if quantity}
    for side, ordered in ((Side.BUY, sorted(left, reverse=True)), (Side.SELL, sorted(left))):
        expected = [price for price in ordered if (price < 20) == (side == Side.BUY)]
        prices, quantities = pipeline.books.levels(0, side, 99)
        assert prices.tolist() == expected
        assert quantities.tolist() == [left[price] for price in expected]
        best, quantity = (expected[0], left[expected[0]]) if expected else (0, 0)
        top = pipeline.books.top(0)
        assert ((top.bid, top.bid_quantity) if side == Side.BUY else (top.ask, top.ask_quantity)) == (best, quantity)


@pytest.mark.parametrize("count", [1024, 1025, 5000])
def test_the_books_grow_before_a_frame_that_would_not_fit(count: int) -> None:
    tape = Tape()
    order = np.random.default_rng(count).permutation(count)
    tape.snapshot(0, (-1, 100_000, 1))
    tape.depth(1, 1, *[(1, int(price) + 1, int(price) + 1) for price in order])
    tape.depth(2, 2, *[(1, int(price) + 1, 0) for price in order[::2]])
    pipeline = Pipeline([], [INSTRUMENT], [SequenceRule.INCREMENT])
    pipeline.process(tape.records)
    prices, quantities = pipeline.books.levels(0, Side.BUY, count)
    assert prices.tolist() == sorted((order[1::2] + 1).tolist(), reverse=True)
    assert quantities.tolist() == prices.tolist()
    assert pipeline.books.capacity < 2 * max(count, 1024)


def test_two_instruments_keep_their_own_books() -> None:
    tape = Tape()
    tape.snapshot(10, BID, ASK)
    tape.snapshot(5, (1, 7, 1), (-1, 9, 1), instrument=1)
    tape.depth(13, 13, instrument=0)
    tape.depth(6, 6, (1, 8, 2), instrument=1)
    pipeline = Pipeline([], [INSTRUMENT, INSTRUMENT], [SequenceRule.NEXT, SequenceRule.NEXT])
    pipeline.process(tape.records)
    assert pipeline.books.state(0) == BookState.GAP
    assert pipeline.books.state(1) == BookState.LIVE
    assert pipeline.books.top(1) == Top(8, 2, 9, 1)


def test_the_time_of_a_book_is_that_of_the_newest_depth_frame_applied_and_of_nothing_else() -> None:
    def play(tape: Tape) -> None:
        snapshot_at_10(tape)  # each frame is 1 ms later than the one before
        tape.trade(1, 101, 3)
        tape.depth(11, 11, (1, 99, 4))
        tape.trade(-1, 100, 3)
        tape.depth(9, 9, (1, 98, 4))  # ended before the snapshot: dropped
        tape.status()

    assert run(SequenceRule.NEXT, lambda tape: tape.trade(1, 101, 3)).books.ts_event(0) == 0
    assert run(SequenceRule.NEXT, play).books.ts_event(0) == 1_002_000_000
