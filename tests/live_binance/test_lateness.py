"""Late messages are those far above the least lateness of late; the two clocks need not agree."""

from __future__ import annotations

import pytest

from vtframe.builtin.binance.lateness import Lateness
from vtframe.builtin.binance.streams import Stream

STREAM = Stream("btcusdt@depth@100ms", "depth", 0, "stream")
START_MS = 1_723_161_600_000


def diff(event_ms: int) -> bytes:
    return (
        b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":%d,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}}' % event_ms
    )


def lateness(delays_ms: list[int], *, every_ms: int = 100, skew_ms: int = 0) -> Lateness:
    found = Lateness()
    for number, delay in enumerate(delays_ms):
        event_ms = START_MS + number * every_ms
        found.observe(STREAM, diff(event_ms), (event_ms + skew_ms + delay) * 1_000_000)
    return found


@pytest.mark.parametrize("skew_ms", [0, -7_000, 7_000, 86_400_000])
def test_a_message_that_was_held_up_is_late_whatever_the_clocks_say(skew_ms: int) -> None:
    found = lateness([5] * 50 + [250, 150, 50] + [5] * 50, skew_ms=skew_ms)
    assert (found.late, found.most_ms) == (2, 245.0)


def test_a_venues_clock_that_was_put_right_makes_its_messages_late_for_a_minute_at_most() -> None:
    found = lateness([5] * 100 + [5_005] * 2_000)
    assert 300 <= found.late <= 600


def test_a_steady_delay_is_none() -> None:
    assert lateness([400] * 100).report() == {"late": 0, "most_ms": 0.0}


@pytest.mark.parametrize("data", [b"", b"{}", b'{"E":', b'{"E":"x"}', diff(1)[:60] + b'"E":-1723161600000}'])
def test_a_message_without_a_time_is_left_out(data: bytes) -> None:
    found = Lateness()
    found.observe(STREAM, data, 10**18)
    assert found.report() == {"late": 0, "most_ms": 0.0}
