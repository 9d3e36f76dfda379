"""Redis killed, halted, emptied, full and shut: nobody waits, everything is counted, nothing comes twice."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from redis_server import RedisServer
from shared_blocks import info, predictions, rows, settled, sink, until
from vtframe_redis import Gap, Share, SharedPredictions, SharedRows, read
from vtframe_redis.sink import RedisSink

from vtframe.api import ConfigError

STEP = 200


def inputs_read(url: str) -> tuple[list[int], list[Gap]]:
    """The numbers of the rows that a reader gets, and the gaps that it is told."""
    numbers: list[int] = []
    gaps: list[Gap] = []
    for item in read(url, streams=["rows"]):
        if isinstance(item, SharedRows):
            assert item.meta["input"].tolist() == list(range(item.first - 1, item.first - 1 + len(item.meta)))
            expected = np.concatenate(
                [rows(n, STEP).values for n in range((item.first - 1) // STEP * STEP, item.first + len(item.meta), STEP)]
            )
            start = (item.first - 1) % STEP
            assert item.values.tobytes() == expected[start : start + len(item.meta)].tobytes()
            numbers += item.meta["input"].tolist()
        elif isinstance(item, Gap):
            gaps.append(item)
    return numbers, gaps


def streams(publisher: RedisSink) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = publisher.report()["streams"]
    return found


def test_killed_and_restarted_under_load_nothing_is_lost_and_nothing_comes_twice(server: RedisServer) -> None:
    publisher = sink(server.url, timeout_s=1.0)
    publisher.start(info())
    made = 0
    for _ in range(4):
        for _ in range(60):
            publisher.rows(rows(made, STEP))
            publisher.predictions(predictions(made, STEP))
            made += STEP
        server.kill()  # in the midst of it
        for _ in range(20):  # goes on while nobody is there
            publisher.rows(rows(made, STEP))
            made += STEP
        server.start()
        until(lambda: settled(publisher))
    assert publisher.report()["connections"] > 1
    publisher.close()
    assert streams(publisher)["rows"] == {"made": made, "published": made, "dropped": 0}
    assert streams(publisher)["predictions:m"]["dropped"] == 0
    numbers, gaps = inputs_read(server.url)
    assert numbers == list(range(made))
    assert gaps == []


def test_what_was_acknowledged_late_is_not_there_twice(server: RedisServer) -> None:
    """Halted after it took a batch, the answer does not come in time: the batch is sent again, and changes nothing."""
    publisher = sink(server.url, timeout_s=0.2)
    publisher.start(info())
    made = 0
    for _ in range(60):
        if publisher.report()["entries_sent_again"]:
            break
        publisher.rows(rows(made, STEP))
        made += STEP
        until(lambda: settled(publisher))
        server.halt()
        for _ in range(3):
            publisher.rows(rows(made, STEP))
            made += STEP
        until(lambda: not publisher._publisher.connected)  # it asked, and gave up waiting
        server.resume()
        until(lambda: settled(publisher))
    publisher.close()
    assert publisher.report()["entries_sent_again"] > 0, "the case did not come up"
    assert streams(publisher)["rows"] == {"made": made, "published": made, "dropped": 0}
    numbers, gaps = inputs_read(server.url)
    assert numbers == list(range(made))
    assert gaps == []


def test_a_full_buffer_drops_the_oldest_counts_them_and_readers_see_the_gap(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = sink(server.url, buffer_mb=0.25, timeout_s=1.0)
    publisher.start(info())
    publisher.rows(rows(0, STEP))
    until(lambda: settled(publisher))
    server.kill()
    made = STEP
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            publisher.rows(rows(made, STEP))
            made += STEP
        dropped = streams(publisher)["rows"]["dropped"]
        assert dropped > 0
        server.start()
        until(lambda: settled(publisher))
        publisher.rows(rows(made, STEP))
        made += STEP
        publisher.close()
    counts = streams(publisher)["rows"]
    assert counts["made"] == made
    assert counts["published"] + counts["dropped"] == made
    numbers, gaps = inputs_read(server.url)
    assert len(numbers) == counts["published"]
    assert sum(gap.count for gap in gaps) == counts["dropped"]
    assert sorted([*numbers, *(n - 1 for gap in gaps for n in range(gap.first, gap.first + gap.count))]) == list(range(made))
    messages = [record.getMessage() for record in caplog.records]
    assert len([m for m in messages if "the oldest is dropped" in m]) == 1
    assert len([m for m in messages if "Redis cannot be reached" in m]) == 1


def test_a_redis_that_comes_back_empty_shows_as_a_gap_and_is_described_anew(forgetful: RedisServer) -> None:
    publisher = sink(forgetful.url, timeout_s=1.0)
    publisher.start(info())
    publisher.rows(rows(0, STEP))
    until(lambda: settled(publisher))
    forgetful.kill()
    forgetful.start()
    publisher.rows(rows(STEP, STEP))
    until(lambda: settled(publisher))
    publisher.close()
    assert streams(publisher)["rows"] == {"made": 2 * STEP, "published": 2 * STEP, "dropped": 0}
    numbers, gaps = inputs_read(forgetful.url)
    assert numbers == list(range(STEP, 2 * STEP))
    assert gaps == [Gap(stream="rows", first=1, count=STEP)]


def test_what_is_missing_at_the_end_is_told_by_what_was_made(forgetful: RedisServer) -> None:
    """No later entry shows the hole."""
    publisher = sink(forgetful.url, timeout_s=1.0)
    publisher.start(info())
    publisher.rows(rows(0, STEP))
    until(lambda: settled(publisher))
    with read(forgetful.url, streams=["rows"], follow=True) as following:
        first = next(following)  # read: all of what is there, the first entry of it handed out
        publisher.rows(rows(STEP, STEP))
        until(lambda: settled(publisher))
        forgetful.kill()
        forgetful.start()
        publisher.close()
        found = [first, *following]
    assert sum(len(item.meta) for item in found if isinstance(item, SharedRows)) == STEP
    assert found[-1] == Gap(stream="rows", first=STEP + 1, count=STEP)
    assert inputs_read(forgetful.url) == ([], [Gap(stream="rows", first=1, count=2 * STEP)])


def test_a_follower_outlives_a_restart_and_misses_nothing(server: RedisServer) -> None:
    publisher = sink(server.url, timeout_s=1.0)
    publisher.start(info())
    publisher.rows(rows(0, STEP))
    until(lambda: settled(publisher))
    with read(server.url, streams=["rows"], follow=True) as following:
        numbers: list[int] = []
        made = STEP
        for item in following:
            assert isinstance(item, SharedRows)
            numbers += item.meta["input"].tolist()
            if len(numbers) != made:
                continue
            if made == 4 * STEP:
                publisher.close()
                continue
            server.kill()
            publisher.rows(rows(made, STEP))
            made += STEP
            assert following.reader.poll(0) == []
            server.start()
    assert numbers == list(range(4 * STEP))
    assert following.reader.failures == 3


def test_a_redis_that_is_not_there_stops_nothing_and_everything_is_counted_as_dropped(tmp_path: Path) -> None:
    publisher = sink("redis://127.0.0.1:1/0", close_s=0.1)
    publisher.start(info())
    for first in range(0, 10 * STEP, STEP):
        publisher.rows(rows(first, STEP))
    publisher.close()
    assert streams(publisher)["rows"] == {"made": 10 * STEP, "published": 0, "dropped": 10 * STEP}
    publisher.rows(rows(0, 5))  # too late: nobody comes for it
    assert streams(publisher)["rows"] == {"made": 10 * STEP + 5, "published": 0, "dropped": 10 * STEP + 5}


def test_a_halted_redis_does_not_hold_up_the_end(server: RedisServer) -> None:
    publisher = sink(server.url, close_s=0.2, timeout_s=60.0)
    publisher.start(info())
    publisher.rows(rows(0, STEP))
    until(lambda: settled(publisher))
    server.halt()
    publisher.rows(rows(STEP, STEP))
    publisher.close()  # the thread hangs in its socket
    assert streams(publisher)["rows"] == {"made": 2 * STEP, "published": STEP, "dropped": STEP}
    server.resume()
    publisher._publisher._thread.join(30)
    assert streams(publisher)["rows"]["published"] == STEP, "what is answered after the end is not counted twice"


def test_a_full_redis_takes_the_batch_later_and_in_whole(server: RedisServer) -> None:
    publisher = sink(server.url, timeout_s=1.0)
    publisher.start(info())
    publisher.rows(rows(0, STEP))
    until(lambda: settled(publisher))
    client = server.client()
    client.config_set("maxmemory", "1")
    publisher.rows(rows(STEP, STEP))
    until(lambda: not publisher._publisher.connected)
    assert streams(publisher)["rows"]["published"] == STEP
    client.config_set("maxmemory", "0")
    until(lambda: settled(publisher))
    publisher.close()
    numbers, gaps = inputs_read(server.url)
    assert (numbers, gaps) == (list(range(2 * STEP)), [])


def test_a_password_comes_by_reference_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path, arguments=("--requirepass", "hunter2")).start()
    try:
        monkeypatch.setenv("SHARED_REDIS", f"redis://:hunter2@127.0.0.1:{server.port}/0")
        monkeypatch.setenv("WRONG_REDIS", f"redis://:hunter3@127.0.0.1:{server.port}/0")
        with caplog.at_level(logging.DEBUG, "vtframe"):
            publisher = sink("env:SHARED_REDIS")
            publisher.start(info())
            publisher.rows(rows(0, STEP))
            publisher.close()
            shut = sink("env:WRONG_REDIS", close_s=0.1)
            shut.start(info("20260103-000000-cccc"))
            shut.rows(rows(0, STEP))
            until(lambda: any("cannot be reached" in record.getMessage() for record in caplog.records))
            shut.close()
        assert streams(publisher)["rows"]["published"] == STEP
        assert streams(shut)["rows"] == {"made": STEP, "published": 0, "dropped": STEP}
        told = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
        assert "hunter" not in told
        assert sum(len(item.meta) for item in read("env:SHARED_REDIS") if isinstance(item, SharedRows)) == STEP
        file = tmp_path / "address"
        file.write_text(f"redis://:hunter2@127.0.0.1:{server.port}/0\n")
        assert any(isinstance(item, SharedRows) for item in read(f"file:{file}"))
        with pytest.raises(ConfigError, match="holds a password"):
            sink(f"redis://:hunter2@127.0.0.1:{server.port}/0").start(info())
    finally:
        server.kill()


def test_a_stream_of_a_strangers_type_is_counted_as_dropped_and_told_once(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.client().set("vtframe:20260101-000000-aaaa:rows", "mine")
    publisher = sink(server.url)
    publisher.start(info())
    with caplog.at_level(logging.ERROR):
        for first in range(0, 4 * STEP, STEP):
            publisher.rows(rows(first, STEP))
            publisher.predictions(predictions(first, STEP))
            until(lambda: settled(publisher))
        publisher.close()
    assert streams(publisher)["rows"] == {"made": 4 * STEP, "published": 0, "dropped": 4 * STEP}
    assert streams(publisher)["predictions:m"] == {"made": 4 * STEP, "published": 4 * STEP, "dropped": 0}
    assert Share.open(server.url).counts() == streams(publisher)
    refused = [record for record in caplog.records if "refused entries" in record.getMessage()]
    assert len(refused) == 1
    found = [item for item in read(server.url, streams=["predictions:m"]) if isinstance(item, SharedPredictions)]
    assert sum(len(item.meta) for item in found) == 4 * STEP
