"""Units of timestamps are told apart by magnitude, confirmed by the venue's times, and refused where in doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.errors import RecordingError
from vtframe.wire import NANOS, check_stated_unit, detect_time_unit, unit_of

SECOND = 10**9
CENTURY = st.integers(946_684_800 * SECOND, 4_102_444_800 * SECOND - 1)


@given(CENTURY, st.sampled_from(sorted(NANOS)), st.integers(-5 * SECOND, 5 * SECOND))
def test_every_time_of_this_century_is_told_in_every_unit_though_clocks_differ(ts: int, unit: str, off: int) -> None:
    value = ts // NANOS[unit]
    assert unit_of(value) == unit
    assert detect_time_unit("f", [(1, value)], [(value, ts + off)]) == unit


@given(st.integers(0, 2**63 - 1))
def test_no_value_has_two_units(value: int) -> None:
    fits = [unit for unit, nanos in NANOS.items() if 946_684_800 * SECOND <= value * nanos < 4_102_444_800 * SECOND]
    assert fits == ([unit_of(value)] if unit_of(value) else [])


@pytest.mark.parametrize("value", [0, 12_345, 10**11, 10**14, 5 * 10**17, 9 * 10**18])
def test_a_value_of_no_unit_is_refused_with_what_to_do(value: int) -> None:
    with pytest.raises(RecordingError, match=r"line 7: .* is no time of this century in ns, us, ms or s; state the unit"):
        detect_time_unit("f", [(7, value)])


def test_the_venues_times_can_contradict_the_magnitude() -> None:
    value = 1_723_161_256_172_216_566
    with pytest.raises(RecordingError, match=r"looks like ns \(2024-08-08 .* but the venue's own times .* 10 days"):
        detect_time_unit("f", [(1, value)], [(value, value - 10 * 86_400 * SECOND)] * 3)


def test_one_odd_event_time_does_not_overrule_the_others() -> None:
    value = 1_723_161_256_172_216_566
    assert detect_time_unit("f", [(1, value)], [(value, 1)] + [(value, value + 1_270_000_000)] * 2) == "ns"


def test_a_sample_of_mixed_units_is_refused_with_its_lines() -> None:
    with pytest.raises(RecordingError, match=r"line 9 \(1723161256172216\) is in us, line 1 is in ns"):
        detect_time_unit("f", [(1, 1_723_161_256_172_216_566), (9, 1_723_161_256_172_216)])


def test_nothing_to_look_at_is_refused() -> None:
    with pytest.raises(RecordingError, match="no line starts with a timestamp"):
        detect_time_unit("f", [])


def test_a_stated_unit_is_believed_unless_it_is_plainly_another() -> None:
    check_stated_unit("f", [(1, 12_345)], "ns")
    check_stated_unit("f", [(1, 1_680_652_700_423_575)], "us")
    with pytest.raises(RecordingError, match=r"said to be in ns.*state us"):
        check_stated_unit("f", [(1, 1_680_652_700_423_575)], "ns")
