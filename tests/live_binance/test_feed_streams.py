"""Each message of a stream is handed on once, in order, whatever the connections do; and what is missing is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vtframe.builtin.binance.known import USDM, known_instrument
from vtframe.builtin.binance.places import MARKETS
from vtframe.builtin.binance.resync import NO_ID, joins, last_update_id
from vtframe.builtin.binance.streams import Stream, Wanted, make_streams
from vtframe.domain import SequenceRule

NAME = "btcusdt@trade"


def message(number: int) -> bytes:
    return b'{"stream":"%b","data":{"e":"trade","t":%d,"p":"1"}}' % (NAME.encode(), number)


def made(kind: str = "trade", *, carried: int = 1) -> Stream:
    stream = Stream(NAME, kind, 0, "stream")  # type: ignore[arg-type]
    for _ in range(carried):
        stream.carry(1)
    return stream


@given(
    lost=st.tuples(st.sets(st.integers(1, 50)), st.sets(st.integers(1, 50))),
    turns=st.lists(st.booleans(), min_size=100, max_size=100),
)
def test_of_two_connections_each_message_is_taken_once_and_numbers_only_rise(
    lost: tuple[set[int], set[int]], turns: list[bool]
) -> None:
    stream = made(carried=2)
    queues = [[number for number in range(1, 51) if number not in one] for one in lost]
    taken: list[int] = []
    missing = 0
    for turn in [*turns, *[True] * 50, *[False] * 50]:
        if queues[turn]:
            number = queues[turn].pop(0)
            answer = stream.take(message(number))
            if answer >= 0:
                taken.append(number)
                missing += answer
    assert taken == sorted(set(taken))
    if taken:
        assert missing == taken[-1] - taken[0] + 1 - len(taken)
    assert stream.frames == sum(50 - len(one) for one in lost)
    assert stream.duplicates == stream.frames - len(taken)


@given(numbers=st.lists(st.integers(0, 30), max_size=60))
def test_of_one_connection_only_a_copy_of_the_newest_is_dropped_and_every_step_that_is_not_one_is_told(
    numbers: list[int],
) -> None:
    stream = made()
    last: int | None = None
    for number in numbers:
        answer = stream.take(message(number))
        if last is None:
            assert answer == 0
        elif number == last:
            assert answer == -1
        elif number == last + 1:
            assert answer == 0
        else:
            assert answer > 0
        last = number


def test_a_slower_connection_may_bring_copies_after_the_faster_one_is_gone() -> None:
    stream = made(carried=2)
    assert [stream.take(message(number)) for number in (1, 2, 3, 4, 5)] == [0] * 5  # the faster one
    stream.carry(-1)
    assert [stream.take(message(number)) for number in (3, 4, 5)] == [-1] * 3  # the slower one
    assert stream.take(message(6)) == 0
    assert stream.take(message(4)) == 1  # from here on it is alone: a number that goes back is a fault


def test_numbers_that_stay_behind_on_several_connections_are_believed_in_the_end() -> None:
    stream = made(carried=2)
    assert stream.take(message(1_000)) == 0
    answers = [stream.take(message(number)) for number in range(1, 100)]
    assert answers.index(1) == 64  # so many look like copies
    assert answers[65:] == [0] * 34
    assert stream.last == 99


def test_a_connection_that_is_late_by_thousands_of_messages_brings_copies_and_no_loss() -> None:
    stream = made(carried=2)
    second = 1_000_000_000
    assert [stream.take(message(number), 1, second) for number in range(1, 5_001)] == [0] * 5_000
    assert [stream.take(message(number), 2, 2 * second) for number in range(1, 5_001)] == [-1] * 5_000
    assert stream.take(message(5_001), 2, 2 * second) == 0
    assert stream.take(message(5_001), 1, 2 * second) == -1
    stream.carry(-1)
    assert [stream.take(message(number), 1, 3 * second) for number in range(5_002, 6_000)] == [0] * 998
    assert stream.missing == 0


def test_new_connections_to_a_venue_that_counts_anew_are_believed_when_nothing_else_comes() -> None:
    stream = made(carried=2)
    second = 1_000_000_000
    assert stream.take(message(1_000_000), 1, second) == 0
    stream.carry(1)
    stream.carry(-1)
    answers = [stream.take(message(number), 2, (1 + number) * second) for number in range(1, 100)]
    assert answers.index(1) == 9 + 64  # for ten seconds it may be late; then so many look like copies
    assert answers[9 + 65 :] == [0] * (99 - 9 - 65)


def test_a_stream_that_nobody_carries_forgets_where_it_was() -> None:
    stream = made()
    assert stream.take(message(5)) == 0
    assert stream.verified
    stream.carry(-1)
    assert not stream.verified
    stream.carry(1)
    assert not stream.verified  # an acknowledgement proves nothing
    assert stream.take(message(50)) == 0  # the loss was told when the connection ended
    assert stream.verified


def test_streams_are_named_as_the_venue_names_them() -> None:
    market = MARKETS["usdm"]
    instrument = known_instrument(USDM, "BTCUSDT")
    assert instrument is not None
    kinds = ("depth", "trade", "aggTrade", "bookTicker", "markPrice")
    for speed, depth in ((0, "depth@0ms"), (100, "depth@100ms"), (250, "depth"), (500, "depth@500ms")):
        made = make_streams(market, [instrument], Wanted(kinds=kinds, depth_ms=speed, routes=market.routes))
        names = [depth, "trade", "aggTrade", "bookTicker", "markPrice@1s"]
        assert [stream.name for stream in made] == [f"btcusdt@{name}" for name in names]
    assert MARKETS["spot"].depth_stream(100) == "depth@100ms"
    assert MARKETS["spot"].depth_stream(1000) == "depth"


def test_a_snapshot_joins_where_nothing_is_missing_before_the_oldest_diff_that_waits() -> None:
    spot, futures = SequenceRule.NEXT, SequenceRule.PREVIOUS
    assert joins(spot, 10, 11, -1)
    assert joins(spot, 10, 5, -1)
    assert not joins(spot, 10, 12, -1)
    assert joins(futures, 10, 10, 8)
    assert joins(futures, 10, 15, 10)
    assert joins(futures, 10, 15, 7)  # nothing changed between 7 and 15
    assert not joins(futures, 10, 15, 11)
    assert not joins(futures, 10, 15, -1)
    assert last_update_id(b' {"lastUpdateId" : 77 ,"bids":[]}') == 77
    assert last_update_id(b'{"lastUpdateId":"77"}') == NO_ID
    assert last_update_id(b'{"code":-1121}') == NO_ID
