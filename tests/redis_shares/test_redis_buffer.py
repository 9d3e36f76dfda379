"""The buffer: whatever is put and taken, everything is counted once, in order, and the newest stays."""

from __future__ import annotations

import itertools
import threading

from hypothesis import given
from hypothesis import strategies as st
from shared_blocks import rows
from vtframe_redis.buffer import Buffer
from vtframe_redis.client import Backoff

BLOCK = rows(0, 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("ab"), st.integers(1, 5), st.integers(1, 40)),
        st.tuples(st.just("skip"), st.sampled_from("ab"), st.integers(1, 3), st.integers(1, 40)),
        st.tuples(st.just("take"), st.integers(1, 60)),
    ),
    max_size=60,
)


@given(steps=steps, limit=st.integers(30, 120), published=st.booleans())
def test_made_is_published_and_dropped_and_waiting(steps, limit, published) -> None:
    """Against a plain list of all that was made."""
    buffer = Buffer(limit)
    made: dict[str, int] = {}
    taken: list[tuple[str, int]] = []
    dropped = 0
    for step in steps:
        if step[0] == "take":
            for item in buffer.take(most=step[1], wait_s=0):
                taken += [(item.stream, item.first + i) for i in range(item.count)]
                counts = {item.stream: item.count}
                buffer.settle(counts if published else {}, {} if published else counts)
            continue
        what, stream, count, size = step
        skipped = 2 if what == "skip" else 0
        first = made.get(stream, 0) + skipped + 1
        dropped += buffer.put(stream, count, size, BLOCK, first=first if skipped else None)
        made[stream] = first + count - 1
    found = buffer.look()
    assert {name: counts.made for name, counts in found.items()} == made
    waiting = [(item.stream, item.first + i) for item in buffer.take(most=10**9, wait_s=0) for i in range(item.count)]
    for name, counts in found.items():
        numbers = [number for stream, number in [*taken, *waiting] if stream == name]
        assert numbers == sorted(set(numbers)), "in order, and once"
        assert counts.made == counts.published + counts.dropped + sum(stream == name for stream, _ in waiting)
    lost = sum(made.values()) - len(taken) - len(waiting)
    assert lost == dropped


def test_the_oldest_goes_and_the_newest_stays() -> None:
    buffer = Buffer(100)
    for _ in range(25):
        buffer.put("a", 1, 10, BLOCK)
    assert [item.first for item in buffer.take(most=1000, wait_s=0)] == list(range(16, 26))
    assert buffer.put("a", 1, 500, BLOCK) == 1, "larger than all of it"
    assert buffer.take(most=1000, wait_s=0) == []


def test_what_is_given_up_is_counted_and_nobody_waits_for_more() -> None:
    buffer = Buffer(1000)
    buffer.put("a", 5, 10, BLOCK)
    assert len(buffer.take(most=10, wait_s=0)) == 1  # on its way
    buffer.put("a", 7, 10, BLOCK)
    buffer.settle({"a": 2}, {})
    buffer.give_up()
    assert (buffer.look()["a"].published, buffer.look()["a"].dropped) == (2, 10)
    assert buffer.take(most=10, wait_s=60) == []
    assert buffer.wait_closed(60)


def test_a_taker_wakes_when_something_comes() -> None:
    buffer = Buffer(1000)
    found: list[int] = []
    taker = threading.Thread(target=lambda: found.extend(i.first for i in buffer.take(most=10, wait_s=60)))
    taker.start()
    buffer.put("a", 1, 1, BLOCK)
    taker.join(30)
    assert found == [1]


def test_waits_double_up_to_the_longest_and_differ_between_clients() -> None:
    waits = [[backoff.next_s() for _ in range(40)] for backoff in (Backoff(), Backoff())]
    for several in waits:
        for number, wait in enumerate(several):
            whole = min(2.0, 0.05 * 2**number)
            assert whole / 2 <= wait <= whole
    assert all(one != other for one, other in zip(*waits, strict=True))
    again = Backoff()
    tuple(itertools.islice(iter(again.next_s, None), 9))
    again.reset()
    assert again.next_s() <= 0.05
