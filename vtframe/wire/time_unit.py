"""The unit of a recording's timestamps: stated, or read from their magnitude and checked against the venue's own times."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from vtframe.errors import RecordingError

TimeUnit = Literal["ns", "us", "ms", "s"]

NANOS: dict[TimeUnit, int] = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
"""Nanoseconds in one of each."""

_FIRST, _END = 946_684_800, 4_102_444_800  # 2000-01-01 and 2100-01-01, in seconds
_WINDOW: dict[TimeUnit, tuple[int, int]] = {
    unit: (_FIRST * (NANOS["s"] // nanos), _END * (NANOS["s"] // nanos)) for unit, nanos in NANOS.items()
}
_FAR_NS = 86_400 * 10**9  # clocks are seconds apart; units are three orders of magnitude apart
_STATE_IT = "state the unit: time_unit in the feed or the sidecar, or `vtframe recording describe --time-unit`"


def unit_of(value: int) -> TimeUnit | None:
    """The unit in which ``value`` is a time of this century; the four windows do not touch. None where it is in none."""
    for unit, (low, high) in _WINDOW.items():
        if low <= value < high:
            return unit
    return None


def window(value: int, unit: TimeUnit) -> tuple[int, int]:
    """The values that may stand in one file with ``value``: those of this century, or any where it is not of this century."""
    low, high = _WINDOW[unit]
    return (low, high) if low <= value < high else (0, (2**63 - 1) // NANOS[unit])


def detect_time_unit(where: str, stamps: Sequence[tuple[int, int]], events: Iterable[tuple[int, int]] = ()) -> TimeUnit:
    """The unit of ``stamps`` (line number, value). ``events`` are pairs of a line's value and the venue's own time in ns.

    Raises RecordingError where no unit, or more than one, makes them times of this century, and where the venue's times are
    a day or more away.
    """
    if not stamps:
        raise RecordingError(where, "no line starts with a timestamp, so its time unit cannot be told")
    first_line, first = stamps[0]
    unit = unit_of(first)
    if unit is None:
        raise RecordingError(where, f"line {first_line}: {first} is no time of this century in ns, us, ms or s", _STATE_IT)
    for line, value in stamps:
        check_same_unit(where, line, value, unit, first_line)
    differences = [value * NANOS[unit] - event for value, event in events]
    if differences and abs(statistics.median(differences)) >= _FAR_NS:
        apart = timedelta(microseconds=abs(statistics.median(differences)) / 1_000)
        raise RecordingError(
            where,
            f"line {first_line}: {first} looks like {unit} ({readable(first * NANOS[unit])}), "
            f"but the venue's own times in the frames are {apart} away",
            _STATE_IT,
        )
    return unit


def check_stated_unit(where: str, stamps: Sequence[tuple[int, int]], unit: TimeUnit) -> None:
    """Raise RecordingError where the first of ``stamps`` is plainly in another unit than the stated one."""
    for line, value in stamps[:1]:
        found = unit_of(value)
        if found is not None and found != unit:
            raise RecordingError(
                where,
                f"line {line}: {value} was said to be in {unit}, which makes it {readable(value * NANOS[unit])}; "
                f"in {found} it is {readable(value * NANOS[found])}",
                f"state {found}, or leave the unit out",
            )


def check_same_unit(where: str, line: int, value: int, unit: TimeUnit, first_line: int) -> None:
    """Raise RecordingError where ``value`` is a time of this century in another unit than ``unit``."""
    found = unit_of(value)
    if found is not None and found != unit:
        raise RecordingError(
            where,
            f"mixed time units: line {line} ({value}) is in {found}, line {first_line} is in {unit}",
            "split the file where the unit changes",
        )


def readable(ts_ns: int) -> str:
    """``ts_ns`` as UTC text, to the microsecond; the number itself where the calendar does not reach."""
    try:
        return f"{datetime.fromtimestamp(0, UTC) + timedelta(microseconds=ts_ns // 1_000):%Y-%m-%d %H:%M:%S.%f} UTC"
    except OverflowError:
        return f"{ts_ns} ns"
