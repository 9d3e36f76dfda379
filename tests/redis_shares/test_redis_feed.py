"""Sessions that share: what a second one makes of the first one's market inputs is bit by bit what the first one made."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from redis_server import RedisServer
from shared_blocks import info, settled, until
from vtframe_redis import RedisFeed, RedisReplay, RedisSink, SharedPredictions, SharedRows, read

from vtframe.api import ConfigError, FeedContext, InputError, MarketBlock, MarketInfo, ReceivedMessage, ReceivedRecords
from vtframe.assemble.check import examine
from vtframe.assemble.parity import ParityRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.clock import EventClock
from vtframe.domain import FRAME, BookState, EventFlag, FrameKind, Records, SequenceRule

SECONDS = 30
LINES = 6_000


def configured(root: Path, folder: Path, name: str, feed: str, sink: str = "") -> Path:
    """vtframe.toml with another feed and a sink."""
    text = (root / ("btcusdt.toml" if "binance" in name else "market.toml")).read_text()
    text = text.replace('"models/', f'"{root}/models/').replace('plugins = ["onnx"]', 'plugins = ["onnx", "redis"]')
    start, end = text.index("[feed]"), text.index("[sampling]")
    path = folder / f"{name}.toml"
    path.write_text(f"{text[:start]}[feed]\n{feed}\n\n{text[end:]}\n{sink}")
    return path


def sharing(url: str, **settings: Any) -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
    return f'[[sinks]]\nuse = "redis"\nurl = "{url}"\nshare = ["rows", "predictions", "market"]\n{lines}'


def run(config: Path, folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = assemble(config, Wishes(folder=folder, deterministic=True)).session.run().report
    return report


def logged(session: Path, table: str) -> Any:
    return pq.read_table(session / table).to_pandas()


def same_bits(one: Any, other: Any) -> bool:
    return list(one.columns) == list(other.columns) and all(
        one[name].to_numpy().tobytes() == other[name].to_numpy().tobytes()
        if one[name].dtype.kind in "iuf"
        else (one[name].astype(str) == other[name].astype(str)).all()
        for name in one.columns
    )


class Taker:
    """A feed's sink that keeps what it is handed."""

    def __init__(self, *, stop_after: int = 10**9) -> None:
        self.messages: list[tuple[bytes, int, int]] = []
        self.frames: list[bytes] = []
        self.marks: list[tuple[int, int, int]] = []
        self.damage: list[str] = []
        self.connections: list[tuple[int, bool]] = []
        self._stop_after = stop_after

    @property
    def stopping(self) -> bool:
        return len(self.messages) >= self._stop_after

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self.messages.append((data, ts_recv, connection))

    def on_records(self, records: Records) -> None:
        frames = records.frames[: records.n_frames]
        assert frames.flags.writeable, "the engine writes numbers into them"
        for frame in frames:
            event = records.events[int(frame["first_event"])]
            if frame["kind"] == FrameKind.STATUS and event["flags"] & EventFlag.GAP:
                self.marks.append((len(self.messages), int(frame["instrument"]), int(frame["ts_recv"])))
        self.frames.append(frames.tobytes())

    def on_damage(self, where: str, problem: str) -> None:
        self.damage.append(problem)

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self.connections.append((connection, up))


def market_info(**changes: Any) -> MarketInfo:
    feed = EmbeddedMarket(seed=1, duration_s=1)
    instruments = tuple(feed.open(FeedContext(codecs={}, folder=Path(), clock=EventClock())))
    return MarketInfo(**{"instruments": instruments, "rules": (SequenceRule.INCREMENT,), "market_time": True, **changes})


def published(url: str, **settings: Any) -> RedisSink:
    sink = RedisSink(url=url, share=("market",), **settings)
    sink.start(info(instruments=("SIMUSDT@sim",), market=market_info()))
    return sink


def messages(first: int, count: int) -> MarketBlock:
    inputs = tuple(ReceivedMessage(b"message %d" % n, 1_000 + n, n % 3) for n in range(first, first + count))
    return MarketBlock(first=first, count=count, inputs=inputs)


def play(feed: RedisFeed, taker: Taker) -> None:
    feed.open(FeedContext(codecs={}, folder=Path(), clock=EventClock()))
    asyncio.run(feed.run(taker))


def test_a_second_session_on_the_embedded_markets_frames_makes_the_same_rows(
    server: RedisServer, root: Path, tmp_path: Path
) -> None:
    feed = f'use = "market"\nseed = 7\nduration_s = {SECONDS}'
    first = run(configured(root, tmp_path, "first", feed, sharing(server.url)), tmp_path / "one")
    streams = first["sinks"]["redis"]["streams"]
    assert streams["market"]["made"] == streams["market"]["published"] == first["counts"]["frames"] > 1_000
    assert streams["rows"]["published"] == first["counts"]["rows"]
    replayed = configured(root, tmp_path, "second", f'use = "redis_replay"\nurl = "{server.url}"')
    run(replayed, tmp_path / "two")
    for table in ("rows", "predictions"):
        one, two = logged(tmp_path / "one", table), logged(tmp_path / "two", table)
        assert len(one) > 1_000
        columns = [name for name in one.columns if name != "ts_done" or table == "rows"]
        assert same_bits(one[columns], two[columns]), table
    certificate = ParityRun(tmp_path / "two").run()
    assert certificate.passed, "Redis still keeps what it was fed from"
    shared = list(read(server.url))
    rows = [item for item in shared if isinstance(item, SharedRows)]
    assert np.concatenate([item.meta["input"] for item in rows]).tolist() == logged(tmp_path / "one", "rows")["input"].tolist()
    names = assembled_columns(rows, tmp_path)
    for index, name in enumerate(names):
        values = np.concatenate([item.values[:, index] for item in rows])
        assert values.tobytes() == logged(tmp_path / "one", "rows")[name].to_numpy().tobytes(), name
    outputs = np.concatenate([item.outputs for item in shared if isinstance(item, SharedPredictions)])
    assert len(outputs) == len(logged(tmp_path / "one", "predictions"))


def assembled_columns(rows: list[SharedRows], folder: Path) -> list[str]:
    columns: list[str] = list(logged(folder / "one", "rows").columns[-rows[0].values.shape[1] :])
    return columns


def test_a_second_session_on_recorded_messages_decodes_them_itself_and_makes_the_same_rows(
    server: RedisServer, root: Path, data: Path, tmp_path: Path
) -> None:
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        lines = list(itertools.islice(file, LINES))
    stamp = lines[4_000].split(b" ")[0]
    lines[4_000:4_000] = [stamp + b' {"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":\n', b"no time at all\n"]
    (tmp_path / "part.gz").write_bytes(gzip.compress(b"".join(lines)))
    feed = f'use = "recording"\npaths = ["{tmp_path / "part.gz"}"]'
    first = run(configured(root, tmp_path, "first_binance", feed, sharing(server.url)), tmp_path / "one")
    assert first["sinks"]["redis"]["streams"]["market"]["published"] == LINES + 2, "damaged ones too: they have numbers"
    second = run(configured(root, tmp_path, "second_binance", f'use = "redis_replay"\nurl = "{server.url}"'), tmp_path / "two")
    assert second["damage"] == first["damage"]
    assert sum(second["damage"].values()) == 2
    one, two = logged(tmp_path / "one", "rows"), logged(tmp_path / "two", "rows")
    assert len(one) > 300
    assert same_bits(one, two)


def test_a_redis_killed_and_restarted_never_stalls_the_session_and_the_counts_add_up(
    server: RedisServer, root: Path, tmp_path: Path
) -> None:
    """The session makes as many rows, the same ones, whether its Redis is there, dies in the midst of it, or is halted."""
    feed = f'use = "market"\nseed = 7\nduration_s = {SECONDS}'
    plain = run(configured(root, tmp_path, "plain", feed), tmp_path / "plain")
    config = configured(root, tmp_path, "killed", feed, sharing(server.url, buffer_mb=0.5, timeout_s=0.5))
    assembled = assemble(config, Wishes(folder=tmp_path / "killed", deterministic=True))
    trouble = threading.Thread(target=lambda: (server.kill(), server.start(), server.halt()))
    original = assembled.session.pipeline.process
    calls = itertools.count()

    def process(*arguments: Any) -> int:
        if next(calls) == 2_000:
            trouble.start()
        return original(*arguments)

    assembled.session.pipeline.process = process  # type: ignore[method-assign]
    report = assembled.session.run().report
    trouble.join()
    server.resume()
    assert report["counts"]["rows"] == plain["counts"]["rows"]
    assert report["counts"]["frames"] == plain["counts"]["frames"]
    assert report["row_log"] == {"rows": plain["counts"]["rows"], "stalls": 0, "lost": 0}
    assert report["sinks_failed"] == {}
    assert same_bits(logged(tmp_path / "plain", "rows"), logged(tmp_path / "killed", "rows"))
    streams = report["sinks"]["redis"]["streams"]
    assert streams["rows"]["made"] == plain["counts"]["rows"]
    for name, counts in streams.items():
        assert counts["made"] == counts["published"] + counts["dropped"], name
    stored = json.loads((tmp_path / "killed" / "report.json").read_text())
    assert stored["sinks"]["redis"]["streams"] == streams


def test_lost_inputs_are_told_and_books_wait_for_a_snapshot(server: RedisServer) -> None:
    sink = published(server.url)
    sink.market(messages(0, 10))
    sink.market(messages(25, 5))  # the row log gave up 15
    sink.close()
    assert sink.report()["streams"] == {"market": {"made": 30, "published": 15, "dropped": 15}}
    taker = Taker()
    play(RedisReplay(url=server.url), taker)
    assert [data for data, _, _ in taker.messages] == [b"message %d" % n for n in (*range(10), *range(25, 30))]
    assert [connection for _, _, connection in taker.messages[:4]] == [0, 1, 2, 0]
    assert taker.damage == ["lost inputs: 15 are not in Redis (dropped, trimmed, or damaged)"]
    assert taker.marks == [(10, 0, 1_009)], "after the tenth message, at its time"


def test_rows_after_a_loss_are_invalid_until_the_next_snapshot(server: RedisServer, root: Path, tmp_path: Path) -> None:
    market = EmbeddedMarket(seed=7, duration_s=20)
    instruments = tuple(market.open(FeedContext(codecs={}, folder=Path(), clock=EventClock())))
    blocks: list[Records] = []

    class Keep(Taker):
        def on_records(self, records: Records) -> None:
            for start in range(0, records.n_frames, 100):
                frames = records.frames[start : min(start + 100, records.n_frames)].copy()
                first, last = int(frames["first_event"][0]), int(frames["first_event"][-1] + frames["n_events"][-1])
                part = Records()
                part.events, part.n_events = records.events[first:last].copy(), last - first
                frames["first_event"] -= first
                part.frames, part.n_frames = frames, len(frames)
                blocks.append(part)

    asyncio.run(market.run(Keep()))
    sink = RedisSink(url=server.url, share=("market",))
    rules = (market.sequence_rule(0),)
    sink.start(info(instruments=("SIMUSDT@sim",), market=MarketInfo(instruments=instruments, rules=rules, market_time=True)))
    first = 0
    for number, block in enumerate(blocks):
        if number != 4:  # four hundred frames in, a hundred are lost
            received = ReceivedRecords(block.frames.tobytes(), block.events.tobytes())
            sink.market(MarketBlock(first=first, count=block.n_frames, inputs=(received,)))
        first += block.n_frames
    sink.close()
    report = run(configured(root, tmp_path, "gap", f'use = "redis_replay"\nurl = "{server.url}"'), tmp_path / "gap")
    rows = logged(tmp_path / "gap", "rows")
    state = rows["state"].astype(str).to_numpy()
    at = int(np.argmax(state == BookState.GAP.name))
    assert 0 < at < len(rows)
    assert report["counts"]["gaps"] >= 1
    assert not rows["valid"].to_numpy()[at]
    assert report["damage"] == {"lost inputs": 1}


def test_a_live_follower_gets_everything_over_a_restart_and_ends_with_the_session(server: RedisServer) -> None:
    sink = published(server.url, timeout_s=1.0)
    sink.market(messages(0, 100))
    until(lambda: settled(sink))
    taker = Taker()
    following = threading.Thread(target=play, args=(RedisFeed(url=server.url), taker))
    following.start()
    until(lambda: len(taker.messages) == 100)
    server.kill()
    until(lambda: (-1, False) in taker.connections)
    sink.market(messages(100, 100))
    server.start()
    until(lambda: len(taker.messages) == 200)
    sink.close()
    following.join(30)
    assert not following.is_alive()
    assert [data for data, _, _ in taker.messages] == [b"message %d" % n for n in range(200)]
    assert taker.damage == []
    assert taker.connections == [(-1, False), (-1, True)]


_PUBLISHER = """
import sys, time
sys.path.insert(0, {tests!r})
import test_redis_feed as t
sink = t.published({url!r})
sink.market(t.messages(0, 7))
t.until(lambda: t.settled(sink))
print("published", flush=True)
time.sleep(600)
"""


def test_a_follower_whose_publisher_is_killed_ends_and_says_so(server: RedisServer) -> None:
    script = _PUBLISHER.format(tests=str(Path(__file__).parent), url=server.url)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as publisher:
        assert publisher.stdout is not None
        assert publisher.stdout.readline() == b"published\n"
        taker = Taker()
        following = threading.Thread(target=play, args=(RedisFeed(url=server.url, silence_s=3.0), taker))
        following.start()
        until(lambda: len(taker.messages) == 7)
        assert taker.damage == []
        publisher.kill()
    following.join(60)
    assert not following.is_alive()
    assert taker.damage == ["publisher silent: not heard for 3 s"]


def test_an_entry_that_cannot_be_read_is_told_like_a_lost_one(server: RedisServer) -> None:
    sink = published(server.url)
    sink.market(messages(0, 3))
    until(lambda: settled(sink))
    key = f"vtframe:{info().session_id}:market"
    server.client().xadd(key, {"n": 2, "i": b"\x93broken"}, id="5-0")
    server.client().xadd(key, {"nothing": 1}, id="6-0")
    sink.market(MarketBlock(first=6, count=1, inputs=(ReceivedMessage(b"last", 9),)))
    sink.close()
    taker = Taker()
    play(RedisReplay(url=server.url), taker)
    assert [data for data, _, _ in taker.messages] == [b"message 0", b"message 1", b"message 2", b"last"]
    lost = [text.split(" are")[0] for text in taker.damage]
    assert lost == ["lost inputs: 2", "lost inputs: 1"]


def test_a_feed_that_is_told_to_stop_stops(server: RedisServer) -> None:
    sink = published(server.url)
    sink.market(messages(0, 5_000))
    sink.close()
    taker = Taker(stop_after=10)
    play(RedisReplay(url=server.url), taker)
    assert len(taker.messages) == 10


def test_a_share_that_cannot_be_played_is_refused_with_what_to_do(server: RedisServer) -> None:
    context = FeedContext(codecs={}, folder=Path(), clock=EventClock())
    with pytest.raises(InputError, match="no session is shared in namespace 'vtframe'"):
        RedisFeed(url=server.url, wait_s=0).open(context)
    rows_only = RedisSink(url=server.url)
    rows_only.start(info())
    rows_only.close()
    with pytest.raises(InputError, match='does not share its market inputs; add "market" to share'):
        RedisFeed(url=server.url, wait_s=0).open(context)
    sink = RedisSink(url=server.url, share=("market",))
    sink.start(info("20260109-000000-eeee", market=market_info(codec="venue9")))
    sink.close()
    with pytest.raises(ConfigError, match="codec 'venue9', which is not loaded"):
        RedisFeed(url=server.url, wait_s=0).open(context)
    with pytest.raises(ConfigError, match="holds a password"):
        RedisFeed(url="redis://:x@h/0").open(context)


def test_check_tells_a_wrong_address_with_its_place(root: Path, tmp_path: Path) -> None:
    path = configured(root, tmp_path, "wrong", 'use = "redis"\nurl = "http://x"', sharing("redis://:pw@h/0"))
    with pytest.raises(ConfigError) as told:
        examine(path).usable_parts()
    problems = [(fault.table, fault.key) for fault in told.value.faults]
    assert ("[feed]", "url") in problems
    assert ("[[sinks]] 1", "url") in problems
    assert "pw" not in str(told.value)


def test_inputs_survive_the_way_through_msgpack(server: RedisServer) -> None:
    sink = published(server.url)
    frames = np.zeros(3, FRAME)
    frames["last_id"] = [-1, 2**62, -(2**62)]
    odd = ReceivedMessage(bytes(range(256)) * 400, 2**62, 2**31 - 1)
    sink.market(MarketBlock(first=0, count=4, inputs=(ReceivedRecords(frames.tobytes(), b""), odd)))
    sink.close()
    (item,) = list(read(server.url, streams=["market"]))
    assert item.inputs == (ReceivedRecords(frames.tobytes(), b""), odd)  # type: ignore[union-attr]
    assert item.count == 4  # type: ignore[union-attr]
    assert msgspec.structs.astuple(odd)[1] == 2**62
