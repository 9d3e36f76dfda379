"""What is published is read back bit by bit, in order, with every gap told, and a reader of another schema gets nothing."""

from __future__ import annotations

import json
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from redis_server import RedisServer
from shared_blocks import COLUMNS, INSTRUMENTS, info, predictions, rows, settled, sink, until
from vtframe_redis import Gap, Share, SharedPredictions, SharedRows, read, sessions
from vtframe_redis.command import redis_command

from vtframe.errors import ConfigError, InputError

SESSION = "20260101-000000-aaaa"


def gathered(items: list[Any], kind: type) -> tuple[bytes, bytes]:
    values = "values" if kind is SharedRows else "outputs"
    chosen = [item for item in items if isinstance(item, kind)]
    return b"".join(i.meta.tobytes() for i in chosen), b"".join(getattr(i, values).tobytes() for i in chosen)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("settings", [{}, {"rows_per_entry": 1}, {"readable": True}, {"rows_per_entry": 4096}])
def test_rows_and_predictions_come_back_bit_by_bit(server: RedisServer, dtype: str, settings: dict[str, Any]) -> None:
    publisher = sink(server.url, **settings)
    publisher.start(info(dtype=dtype))
    blocks = [rows(first, 150, dtype=dtype) for first in range(0, 600, 150)]
    answers = [predictions(first, 75) for first in range(0, 300, 75)]
    for block, answer in zip(blocks, answers, strict=True):
        publisher.predictions(answer)
        publisher.rows(block)
    publisher.close()
    items = list(read(server.url))
    assert gathered(items, SharedRows) == (
        b"".join(b.meta.tobytes() for b in blocks),
        b"".join(b.values.tobytes() for b in blocks),
    )
    assert gathered(items, SharedPredictions) == (
        b"".join(b.meta.tobytes() for b in answers),
        b"".join(b.outputs.tobytes() for b in answers),
    )
    firsts = [(item.first, len(item.meta)) for item in items if isinstance(item, SharedRows)]
    assert [first for first, _ in firsts] == [1 + sum(n for _, n in firsts[:i]) for i in range(len(firsts))]
    assert publisher.report()["streams"] == {
        "predictions:m": {"made": 300, "published": 300, "dropped": 0},
        "rows": {"made": 600, "published": 600, "dropped": 0},
    }
    assert Share.open(server.url).counts() == publisher.report()["streams"]


def test_the_hash_of_an_instrument_holds_its_newest_row_and_prediction(server: RedisServer) -> None:
    publisher = sink(server.url, readable=True)
    publisher.start(info())
    block, answer = rows(0, 101), predictions(0, 11)
    block.meta["instrument"] = [0] * 60 + [1] * 20 + [0] * 21
    publisher.rows(block)
    publisher.predictions(answer)
    publisher.close()
    client = server.client()
    for instrument, last in ((0, 100), (1, 79)):
        found = client.hgetall(f"vtframe:newest:{INSTRUMENTS[instrument]}")
        assert found[b"row:m"] == block.meta[last].tobytes()
        assert found[b"row:v"] == block.values[last].tobytes()
        assert int(found[b"row:sequence"]) == last + 1
        assert found[b"row:schema_hash"] == b"cafe"
        assert found[b"row:instrument"].decode() == INSTRUMENTS[instrument]
        assert found[b"row:state"] == b"LIVE"
        for column, value in zip(COLUMNS, block.values[last], strict=True):
            assert struct.pack("<f", np.float32(found[f"row:column:{column}".encode()])) == struct.pack(
                "<f", value
            ) or np.isnan(value)
    first = client.hgetall(f"vtframe:newest:{INSTRUMENTS[0]}")
    assert first[b"prediction:m:m"] == answer.meta[10].tobytes()
    assert first[b"prediction:m:v"] == answer.outputs[10].tobytes()
    assert not any(key.startswith(b"prediction") for key in client.hgetall(f"vtframe:newest:{INSTRUMENTS[1]}"))


def test_a_follower_gets_what_comes_until_the_session_ends(server: RedisServer) -> None:
    publisher = sink(server.url)
    publisher.start(info())
    publisher.rows(rows(0, 10))
    until(lambda: settled(publisher))
    with read(server.url, follow=True, streams=["rows"]) as following, read(server.url, newest_only=True, follow=True) as new:
        first = next(following)
        assert isinstance(first, SharedRows)
        assert len(first.meta) == 10
        assert new.reader.poll(0) == []
        publisher.rows(rows(10, 5))
        publisher.close()
        assert [item.first for item in following] == [11]  # type: ignore[union-attr]
        assert [item.first for item in new] == [11]  # type: ignore[union-attr]


def test_streams_are_trimmed_and_what_was_trimmed_is_a_gap(server: RedisServer) -> None:
    publisher = sink(server.url, keep_rows=1_000, rows_per_entry=10)
    publisher.start(info())
    for first in range(0, 20_000, 500):
        publisher.rows(rows(first, 500))
        until(lambda: settled(publisher))
    publisher.close()
    items = list(read(server.url))
    gap = items[0]
    assert isinstance(gap, Gap)
    kept = sum(len(item.meta) for item in items if isinstance(item, SharedRows))
    assert (gap.stream, gap.first, gap.count + kept) == ("rows", 1, 20_000)
    assert 1_000 <= kept < 4_000, "redis trims whole nodes"
    assert server.client().ttl(f"vtframe:{SESSION}:rows") > 3_600 * 23


def test_a_reader_refuses_another_schema_format_or_layout(server: RedisServer) -> None:
    publisher = sink(server.url)
    publisher.start(info())
    publisher.rows(rows(0, 3))
    publisher.close()
    with pytest.raises(InputError, match="shares rows of schema cafe, expected beef"):
        read(server.url, schema_hash="beef")
    with pytest.raises(InputError, match="shares the columns imbalance, spread, momentum; expected spread"):
        Share.open(server.url).expect(columns=["spread"])
    with pytest.raises(InputError, match="rows of float32, expected float64"):
        Share.open(server.url).expect(dtype="float64")
    with pytest.raises(InputError, match="shares no predictions:other; there are rows, predictions:m"):
        read(server.url, streams=["predictions:other"])
    client, key = server.client(), f"vtframe:{SESSION}:share"
    text = client.hget(key, "description")
    assert text is not None
    description = json.loads(text)
    for change, message in (
        ({"format": 2}, "format 2, this version reads 1"),
        ({"row": {**description["row"], "bytes": 88}}, "writes its row records in another layout"),
        ({"columns": 3}, "is no description"),
    ):
        client.hset(key, "description", json.dumps({**description, **change}))
        with pytest.raises(InputError, match=message):
            Share.open(server.url)


def test_sessions_are_found_by_name_and_the_newest_is_the_default(server: RedisServer) -> None:
    for name in ("20260101-000000-aaaa", "20260102-000000-bbbb"):
        publisher = sink(server.url)
        publisher.start(info(name))
        publisher.rows(rows(0, 3))
        publisher.close()
    assert sessions(server.url) == ["20260101-000000-aaaa", "20260102-000000-bbbb"]
    assert Share.open(server.url).description.session_id == "20260102-000000-bbbb"
    with pytest.raises(InputError, match=r"no session 'x' is shared in namespace 'vtframe'; there are 20260101"):
        Share.open(server.url, session="x")
    with pytest.raises(InputError, match="no session is shared in namespace 'other'"):
        Share.open(server.url, namespace="other")
    server.client().delete("vtframe:20260101-000000-aaaa:share")  # as it expires
    assert sessions(server.url) == ["20260102-000000-bbbb"]


def test_the_commands_print_what_is_shared_for_people_and_for_machines(server: RedisServer) -> None:
    publisher = sink(server.url)
    publisher.start(info())
    publisher.rows(rows(0, 3))
    publisher.predictions(predictions(0, 2))
    publisher.close()
    listed = CliRunner().invoke(redis_command, ["sessions", server.url, "--json"])
    assert json.loads(listed.output)[0]["streams"]["rows"] == {"made": 3, "published": 3, "dropped": 0}
    assert "rows: 3 made, 3 published, 0 dropped" in CliRunner().invoke(redis_command, ["sessions", server.url]).output
    found = CliRunner().invoke(redis_command, ["read", server.url, "--json"])
    lines = [msgspec.json.decode(line) for line in found.output.splitlines()]
    assert [line["input"] for line in lines if line["stream"] == "rows"] == [0, 1, 2]
    assert [line["verdict"] for line in lines if line["stream"] == "predictions:m"] == ["ok", "late"]
    assert lines[0].keys() >= {"instrument", "sequence"}
    plain = CliRunner().invoke(redis_command, ["read", server.url, "--stream", "rows"])
    assert len(plain.output.splitlines()) == 3
    assert "instrument=BTCUSDT@binance" in plain.output


def test_an_unreachable_redis_is_told_without_its_password() -> None:
    with pytest.raises(InputError, match=r"redis://127.0.0.1:1/0: Redis cannot be reached") as told:
        Share.open("redis://127.0.0.1:1/0")
    assert "Traceback" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://x", "is no address of Redis"),
        ("redis://", "is no address of Redis"),
        ("redis://h:port", "is no address of Redis"),
        ("redis://:hunter2@h:6379/0", "holds a password"),
        ("redis://h:6379/0?password=hunter2", "holds a password"),
        ("env:NO_SUCH_VARIABLE_HERE", "'NO_SUCH_VARIABLE_HERE' is not set"),
        ("file:/no/such/file", "cannot be read: No such file"),
        ("redis://h:6379/0?socket_timeout=hunter2", "an option is wrong"),
    ],
)
def test_an_address_that_cannot_be_one_stops_the_session_at_its_start(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as told:
        sink(url).start(info())
    assert "hunter2" not in str(told.value)
    assert told.value.faults[0].key == "url"
