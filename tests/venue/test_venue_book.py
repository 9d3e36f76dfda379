"""The venue's own book: at every update id that it knows it is what a replay of its changes makes."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.domain import Side
from vtframe.venue.book import SEGMENT, SEGMENTS, VenueBook, apply_deltas

Change = st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(1, 12), st.integers(0, 3)), min_size=1, max_size=4).map(tuple)


@settings(max_examples=50)
@given(changes=st.lists(st.tuples(Change, st.integers(1, 5)), max_size=40), wanted=st.integers(0, 250))
def test_the_book_at_an_id_is_the_replay_up_to_it(
    changes: list[tuple[tuple[tuple[int, int, int], ...], int]], wanted: int
) -> None:
    book, bids, asks, reached, update_id = VenueBook(10), {}, {}, 10, 10  # type: ignore[var-annotated]
    for deltas, step in changes:
        update_id += step
        book.apply(deltas, update_id)
        if update_id <= wanted:
            apply_deltas(bids, asks, deltas)
            reached = update_id
    assert book.top(Side.BUY)[0] == max(book.bids, default=0)
    assert book.top(Side.SELL)[0] == min(book.asks, default=0)
    assert list(book.levels(Side.BUY)) == sorted(book.bids.items(), reverse=True)
    assert book.depth(Side.SELL, 6) == sum(quantity for price, quantity in book.asks.items() if price <= 6)
    if wanted >= 10:
        assert book.at(wanted) == (reached, bids, asks)
    else:
        assert book.at(wanted) is None


def test_history_is_bounded_and_says_where_it_begins() -> None:
    book = VenueBook(0)
    for number in range(1, SEGMENT * (SEGMENTS + 5)):
        book.apply(((1, number % 50 + 1, number % 7),), number)
    assert book.oldest_id > 0
    assert book.at(book.oldest_id - 1) is None
    kept = book.at(book.oldest_id)
    assert kept is not None
    assert kept[0] == book.oldest_id
    for back in (1, 5, SEGMENT, 3 * SEGMENT + 7):
        update_id, bids, _ = book.before(back)
        assert update_id == book.update_id - back
        assert book.at(update_id) == (update_id, bids, {})
    assert book.before(10**9)[0] == book.oldest_id


def test_the_best_price_is_found_again_when_it_leaves() -> None:
    book = VenueBook(0)
    numbers = itertools.count(1)
    for price in (5, 7, 6):
        book.apply(((1, price, 1), (-1, price + 10, 1)), next(numbers))
    assert (book.top(Side.BUY), book.top(Side.SELL)) == ((7, 1), (15, 1))
    book.apply(((1, 7, 0), (-1, 15, 0)), next(numbers))
    assert (book.top(Side.BUY), book.top(Side.SELL)) == ((6, 1), (16, 1))
    book.apply(((1, 6, 0), (1, 5, 0), (-1, 16, 0), (-1, 17, 0)), next(numbers))
    assert (book.top(Side.BUY), book.top(Side.SELL)) == ((0, 0), (0, 0))
