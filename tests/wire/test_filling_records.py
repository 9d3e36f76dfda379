"""Records filled by packing hold what numpy's own assignment would put there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.domain import EVENT, FRAME, EventFlag, EventKind, Records

I8 = st.integers(-(2**63), 2**63 - 1)
EVENTS = st.tuples(
    I8, I8, I8, I8, I8, st.integers(0, 2**31 - 1), st.integers(0, 2**16 - 1), st.integers(0, 255), st.integers(-1, 1)
)


@given(st.lists(st.lists(EVENTS, max_size=8), min_size=1, max_size=5), I8)
def test_appended_events_are_numpys(frames: list[list[tuple[int, ...]]], number: int) -> None:
    records = Records(frames=1, events=2)
    for index, events in enumerate(frames):
        records.append(kind=3, instrument=index, events=events, first_id=index, number=number)  # type: ignore[arg-type]
    expected = np.array([(number, *event[1:]) for events in frames for event in events], EVENT)
    assert np.array_equal(records.events[: records.n_events], expected)
    starts = np.cumsum([0] + [len(events) for events in frames[:-1]])
    rows = [(number, 0, index, -1, -1, -1, 0, index, 3, len(events), starts[index]) for index, events in enumerate(frames)]
    assert np.array_equal(records.frames[: records.n_frames], np.array(rows, FRAME))


SIDE = st.lists(st.tuples(I8, I8), max_size=6)


@given(bids=SIDE, asks=SIDE, clear=st.booleans(), flags=st.sampled_from([0, 1, 5]), instrument=st.integers(0, 2**31 - 1))
def test_appended_levels_are_the_same_as_appended_events(
    *, bids: list[tuple[int, int]], asks: list[tuple[int, int]], clear: bool, flags: int, instrument: int
) -> None:
    records, expected = Records(frames=1, events=1), Records()
    records.events["order_id"] = records.events["price"] = 99  # what stood there before
    kinds = [(EventKind.BOOK_CLEAR, 0, (0, 0))] if clear else []
    kinds += [(EventKind.BOOK_DELTA, 1, level) for level in bids] + [(EventKind.BOOK_DELTA, -1, level) for level in asks]
    events = [(0, 5, p, q, 0, instrument, flags, kind, side) for kind, side, (p, q) in kinds]
    if events:
        events[-1] = (*events[-1][:6], flags | EventFlag.LAST, *events[-1][7:])
    for _ in range(2):
        records.append_levels(
            kind=1,
            instrument=instrument,
            ts_event=5,
            bids=np.array(bids, np.int64).reshape(-1, 2),
            asks=np.array(asks, np.int64).reshape(-1, 2),
            flags=flags,
            clear=clear,
            first_id=7,
            last_id=8,
            previous_id=6,
        )
        expected.append(kind=1, instrument=instrument, events=events, first_id=7, last_id=8, previous_id=6)
    assert np.array_equal(records.events[: records.n_events], expected.events[: expected.n_events])
    assert np.array_equal(records.frames[:2], expected.frames[:2])


def test_arrays_that_were_replaced_from_outside_are_the_ones_filled() -> None:
    records = Records()
    event = (0, 1, 2, 3, 0, 0, 0, 3, 1)
    records.append(kind=3, instrument=0, events=[event])
    old = records.events
    records.reserve(frames=1_000, events=100_000)
    records.append(kind=3, instrument=0, events=[event])
    assert records.events is not old
    assert records.events["price"][:2].tolist() == [2, 2]
    assert old["price"][1] == 0


@pytest.mark.parametrize("bad", [(0, 1, 2**63, 3, 0, 0, 0, 3, 1), (0, 1, 2, 3, 0, 0, 0, 3, 128)])
def test_a_number_that_does_not_fit_is_an_error_and_appends_no_frame(bad: tuple[int, ...]) -> None:
    records = Records()
    with pytest.raises(Exception, match=r"format|range|too large"):
        records.append(kind=3, instrument=0, events=[bad])  # type: ignore[list-item]
    assert (records.n_frames, records.n_events) == (0, 0)
