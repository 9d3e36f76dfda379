"""A session's headroom is what its thread did not use, and it is warned before there is none."""

from __future__ import annotations

import logging

import pytest

from vtframe.engine import headroom
from vtframe.engine.headroom import Headroom


class Times:
    """A machine's two clocks, moved by hand."""

    def __init__(self) -> None:
        self.now = 5_000_000_000
        self.used = 1_000_000_000

    def perf_counter_ns(self) -> int:
        return self.now

    def thread_time_ns(self) -> int:
        return self.used

    def work(self, seconds: float, share: float) -> None:
        self.now += round(seconds * 1e9)
        self.used += round(seconds * share * 1e9)


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    times = Times()
    monkeypatch.setattr(headroom, "time", times)
    return times


def test_nothing_is_claimed_before_a_second_has_passed(times: Times) -> None:
    meter = Headroom()
    meter.look()
    times.work(0.5, 1.0)
    meter.look()
    assert meter.report() == {"busy": None, "busiest": None, "warnings": 0}


def test_the_share_is_of_all_time_and_of_the_busiest_second(times: Times) -> None:
    meter = Headroom()
    meter.look()
    for share in (0.2, 0.6, 0.1, 0.1):
        for _ in range(4):
            times.work(0.25, share)
            meter.look()
    assert meter.report() == {"busy": 0.25, "busiest": 0.6, "warnings": 0}


def test_three_busy_seconds_on_end_are_warned_of_once(times: Times, caplog: pytest.LogCaptureFixture) -> None:
    meter = Headroom()
    meter.look()
    with caplog.at_level(logging.WARNING):
        for share in (0.9, 0.9, 0.3, 0.9, 0.85, 0.95, 0.99, 0.99):
            times.work(1.0, share)
            meter.look()
    assert meter.report()["warnings"] == 1
    assert [record.getMessage() for record in caplog.records] == ["the session is busy 95% of its time: frames will soon wait"]
