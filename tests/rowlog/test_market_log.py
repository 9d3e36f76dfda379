"""The market log: sinks that ask for it get every input of the feed, in order and as it came; the others get none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from vtframe.api import (
    FeedContext,
    MarketBlock,
    PredictionBlock,
    ReceivedConnection,
    ReceivedDamage,
    ReceivedMessage,
    ReceivedRecords,
    RowBlock,
    SessionInfo,
    Sink,
)
from vtframe.buffers.ring import RowRing
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.clock import EventClock
from vtframe.domain import EVENT, FRAME, Records
from vtframe.engine.market_log import MarketLog, MarketTap
from vtframe.engine.row_log import RowLog


class Plain(Sink):
    name: ClassVar[str] = "plain"

    def start(self, session: SessionInfo) -> None:
        self.blocks: list[MarketBlock] = []

    def market(self, block: MarketBlock) -> None:
        self.blocks.append(block)


class Asking(Plain):
    name: ClassVar[str] = "asking"
    broken: bool = False

    @property
    def takes_market(self) -> bool:
        return True

    def report(self) -> dict[str, Any]:
        if self.broken:
            raise KeyError("lost count")
        return {"inputs": sum(block.count for block in self.blocks)}


class Engine:
    """What a tap hands on to."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.stopping = False

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self.calls.append((data, ts_recv, connection))

    def on_records(self, records: Records) -> None:
        self.calls.append((records.frames[: records.n_frames].tobytes(), records.events[: records.n_events].tobytes()))
        records.frames["input"] = 77  # as the engine fills the numbers in

    def on_damage(self, where: str, problem: str) -> None:
        self.calls.append((where, problem))

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self.calls.append((connection, up, reason))


def session() -> SessionInfo:
    return SessionInfo(
        session_id="s",
        folder=Path("unused"),
        instruments=("I@v",),
        columns=("c",),
        dtype="float32",
        schema_hash="h",
        fingerprint="f",
    )


def test_a_tap_notes_every_kind_of_input_and_hands_it_on_unchanged() -> None:
    engine, log = Engine(), MarketLog()
    tap = MarketTap(engine, log)
    records = Records()
    records.append(kind=1, instrument=0, events=[(0, 5, 100, 3, 0, 0, 2, 1, 1)], ts_recv=9, last_id=4)
    records.append(kind=3, instrument=0, events=[(0, 6, 101, 2, 0, 0, 2, 3, -1)], ts_recv=10)
    tap.on_message(b"one", 7, connection=2)
    tap.on_records(records)
    tap.on_damage("file:3", "no json")
    tap.on_connection(2, up=False, reason="reset")
    block = log.take()
    assert block is not None
    assert (block.first, block.count) == (0, 5)
    message, frames, damage, connection = block.inputs
    assert message == ReceivedMessage(b"one", 7, 2)
    assert isinstance(frames, ReceivedRecords)
    assert np.frombuffer(frames.frames, FRAME)["last_id"].tolist() == [4, -1]
    assert np.frombuffer(frames.frames, FRAME)["input"].tolist() == [0, 0], "taken before the engine writes into them"
    assert np.frombuffer(frames.events, EVENT)["price"].tolist() == [100, 101]
    assert damage == ReceivedDamage("file:3", "no json")
    assert connection == ReceivedConnection(2, up=False, reason="reset")
    assert engine.calls == [
        (b"one", 7, 2),
        (frames.frames, frames.events),
        ("file:3", "no json"),
        (2, False, "reset"),
    ]
    engine.stopping = True
    assert tap.stopping


def test_blocks_follow_each_other_without_a_hole_and_only_those_who_ask_get_them() -> None:
    ring, log = RowRing(1, 64, 1), MarketLog()
    plain, asking = Plain(), Asking()
    row_log = RowLog(ring, [plain, asking], session(), market=log, block_rows=10)
    row_log.start()
    tap = MarketTap(Engine(), log)
    for number in range(95):
        tap.on_message(b"%d" % number, number)
        row_log.poll()
    row_log.close()
    assert plain.blocks == []
    assert [item.data for block in asking.blocks for item in block.inputs] == [b"%d" % n for n in range(95)]  # type: ignore[union-attr]
    ends = [block.first + block.count for block in asking.blocks]
    assert [block.first for block in asking.blocks] == [0, *ends[:-1]]
    assert len(asking.blocks) > 5, "a block's worth does not wait for rows"
    assert row_log.report()["sinks"] == {"asking": {"inputs": 95}}


def test_a_sink_that_cannot_tell_its_numbers_says_why_and_harms_nobody() -> None:
    row_log = RowLog(RowRing(1, 64, 1), [Asking(broken=True)], session(), market=MarketLog())
    row_log.start()
    row_log.close()
    assert row_log.report()["sinks"] == {"asking": {"error": "KeyError: 'lost count'"}}
    assert row_log.report()["sinks_failed"] == {}


def test_the_embedded_markets_frames_are_noted_bit_by_bit() -> None:
    feed, engine, log = EmbeddedMarket(seed=3, duration_s=5), Engine(), MarketLog()
    feed.open(FeedContext(codecs={}, folder=Path(), clock=EventClock()))
    asyncio.run(feed.run(MarketTap(engine, log)))
    block = log.take()
    assert block is not None
    assert block.count > 500
    assert [(item.frames, item.events) for item in block.inputs] == engine.calls  # type: ignore[union-attr]
    assert log.take() is None


def test_a_sink_takes_no_market_by_default() -> None:
    assert Plain().takes_market is False
    with pytest.raises(NotImplementedError):
        Sink().start(session())
    Sink().rows(RowBlock(meta=np.zeros(0), values=np.zeros(0)))
    Sink().predictions(PredictionBlock(model="m", meta=np.zeros(0), outputs=np.zeros(0)))
