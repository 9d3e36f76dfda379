"""The window of ticks and the sorted rest are one book: any operations leave what two dictionaries would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from levels_lab import CLEAR, CUT, SET, Operation, best_first, books, check_whole, expected, run

from vtframe.book import meta as m
from vtframe.book.books import LARGEST, SMALLEST, Books, window_for
from vtframe.book.window import EMPTY
from vtframe.domain import SequenceRule, Side

HIGHEST = 2**63 - 1


@st.composite
def tapes(draw: st.DrawFn) -> tuple[int, list[Operation]]:
    """Changes around a price that walks and jumps, in steps that fall on the edges of windows, of blocks and of words."""
    tick = draw(st.sampled_from([1, 1, 10, 7, 250, 10**6]))
    center = draw(st.sampled_from([1, 40, 5_000, 10**7, 2**40, 2**61 // tick, HIGHEST // tick - 20_000]))
    # multiples of the tick, around the edges of a window of 4,096 whose best is at the center, mostly
    steps = st.one_of(
        st.integers(-8, 8),
        st.integers(-700, 700),
        st.sampled_from(
            [-4096, -4095, -3584, -3583, -3521, -3520, -1024, -1023, -64, -63, 63, 64, 511, 512, 513, 575, 576, 4096]
        ),
        st.integers(-20_000, 20_000),
    )
    off = st.sampled_from([0] * 12 + [1, tick // 2, tick - 1])  # from a multiple of the tick
    operations: list[Operation] = []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["changes"] * 6 + ["clear", "cut", "empty"]))
        if kind == "clear":
            operations.append((CLEAR, 0, 0, 0))
            continue
        if kind == "cut":
            operations.append((CUT, 0, 0, draw(st.integers(1, 12))))
            continue
        if kind == "empty":  # one side, from the best on
            side = draw(st.sampled_from([1, -1]))
            held = {price for what, one, price, _ in operations if what == SET and one == side}
            operations += [(SET, side, price, 0) for price in sorted(held, reverse=side == 1)]
            continue
        center = max(0, center + draw(st.sampled_from([0, 0, 0, 0, 100, -100, 3_000, -3_000, 10_000, -10_000])))
        for _ in range(draw(st.integers(1, 25))):
            price = (center + draw(steps)) * tick + draw(off)
            quantity = draw(st.sampled_from([0, 0, 1, 2, 2**62]))
            operations.append((SET, draw(st.sampled_from([1, -1])), min(max(price, 0), HIGHEST), quantity))
    return tick, operations


@settings(max_examples=400, deadline=None)
@given(tapes())
def test_any_operations_leave_the_book_of_two_dictionaries(drawn: tuple[int, list[Operation]]) -> None:
    tick, tape = drawn
    into, book = books(tick), {1: {}, -1: {}}
    assert np.array_equal(run(tape, into), expected(tape, book))
    check_whole(into, book)


@settings(max_examples=60, deadline=None)
@given(tapes())
def test_the_compiled_book_is_its_python_source(drawn: tuple[int, list[Operation]]) -> None:
    tick, tape = drawn
    fast, plain = books(tick), books(tick)
    assert np.array_equal(run(tape, fast), run(tape, plain, plain=True))
    for name in ("near", "far", "meta"):
        assert np.array_equal(getattr(fast, name), getattr(plain, name))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(-HIGHEST, HIGHEST), st.integers(0, 5)), max_size=60))
def test_prices_of_any_size_and_sign_are_kept_exactly(changes: list[tuple[int, int, int]]) -> None:
    tape = [(SET, side, price, quantity) for side, price, quantity in changes]
    for tick in (1, 1000):
        into, book = books(tick), {1: {}, -1: {}}
        assert np.array_equal(run(tape, into), expected(tape, book))
        check_whole(into, book)


@pytest.mark.parametrize(("window", "tick"), [(4096, 1), (4096, 5), (16384, 1)])
def test_a_long_walk_through_many_windows_loses_nothing(window: int, tick: int) -> None:
    """Hundreds of levels a side follow a price that goes up by three windows, and down by six."""
    rng = np.random.default_rng(window + tick)
    into, book = books(tick, window), {1: {}, -1: {}}
    mid = 20 * window
    for turn in range(45):
        mid += (window // 5) * (1 if turn < 15 else -1)
        tape: list[Operation] = []
        for side in (1, -1):
            best = (mid - side) * tick
            gone = [price for price in book[side] if side * (price - best) > 0]
            tape += [(SET, side, price, 0) for price in gone]
            depth = (rng.exponential(window / 3, 150)).astype(np.int64)
            amounts = rng.integers(0, 4, 150)
            tape += [(SET, side, best - side * tick * int(d), int(q)) for d, q in zip(depth, amounts, strict=True)]
        order = rng.permutation(len(tape))
        tape = [tape[k] for k in order]
        assert np.array_equal(run(tape, into), expected(tape, book))
        check_whole(into, book)
    assert min(len(levels) for levels in book.values()) > 200
    assert (into.meta[0, m.FAR : m.FAR + 2] > 0).all()
    assert into.meta[0, m.OFF : m.OFF + 2].tolist() == [0, 0]


def test_a_tick_that_fits_no_price_makes_a_sorted_book() -> None:
    into, book = books(1000), {1: {}, -1: {}}
    tape = [(SET, side, 500_000 - side * (3 + 7 * k), k + 1) for k in range(60) for side in (1, -1)]
    tape += [(SET, 1, 500_000 - 3 - 7 * k, 0) for k in range(0, 60, 2)]
    tape = [one for one in tape if one[2] % 1000]
    assert np.array_equal(run(tape, into), expected(tape, book))
    check_whole(into, book)
    assert into.meta[0, m.BEST : m.BEST + 2].tolist() == [EMPTY, EMPTY]
    assert into.meta[0, m.OFF] == into.meta[0, m.FAR] == into.meta[0, m.N_BIDS] > 0


def test_the_best_levels_of_a_deep_book_are_in_the_window() -> None:
    into, book = books(1), {1: {}, -1: {}}
    snapshot = [(SET, side, 10**6 - side * k * k, 1) for side in (1, -1) for k in range(1, 200)]
    for tape in (snapshot, [(CLEAR, 0, 0, 0), *snapshot[::-1]]):  # in any order
        run(tape, into)
        expected(tape, book)
        check_whole(into, book)
        for index, side in enumerate((1, -1)):
            held = into.meta[0, m.N_BIDS + index] - into.meta[0, m.FAR + index]
            assert held >= sum(abs(price - 10**6) < SMALLEST // 2 for price, _ in best_first(book, side)) > 40


def test_windows_of_many_books_are_smaller_and_of_one_within_a_megabyte() -> None:
    assert [window_for(count) for count in (1, 100, 1000, 100_000)] == [LARGEST, LARGEST, SMALLEST, SMALLEST]
    one = Books([SequenceRule.NONE], capacity=2048)
    assert one.near.nbytes + one.far.nbytes <= 400_000


def test_a_book_says_nothing_of_a_side_that_it_does_not_have() -> None:
    into = books(1)
    for side in Side:
        assert [part.tolist() for part in into.levels(0, side, 5)] == [[], []]
        assert into.quantity_at(0, side, 100) == 0
    run([(SET, 1, 100, 7)], into)
    assert into.levels(0, Side.BUY, 5)[0].tolist() == [100]
    assert into.levels(0, Side.SELL, 5)[0].tolist() == []
    assert into.quantity_at(0, Side.SELL, 100) == 0


def test_a_cut_that_takes_the_last_multiple_of_the_tick_leaves_the_others() -> None:
    into, book = books(10), {1: {}, -1: {}}
    tape = [(SET, 1, 100, 1), (SET, 1, 105, 2), (SET, 1, 108, 3), (CUT, 0, 0, 2), (SET, 1, 90, 4), (SET, 1, 120, 5)]
    assert np.array_equal(run(tape, into), expected(tape, book))
    check_whole(into, book)
