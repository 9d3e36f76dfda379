"""What is counted as a gap that one snapshot mends: not one that had to wait for a connection."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from vtframe.builtin.binance.back_off import BackOff
from vtframe.builtin.binance.known import SPOT, known_instrument
from vtframe.builtin.binance.resync import Resync
from vtframe.builtin.binance.streams import Stream
from vtframe.domain import BookState

BODY = b'{"lastUpdateId":100,"bids":[],"asks":[]}'


class Scene:
    """A book, its depth stream and a snapshot that takes 10; time moves by hand."""

    def __init__(self) -> None:
        self.now = 0
        self.state_now = BookState.LIVE
        self.depth = Stream("btcusdt@depth@100ms", "depth", 0, "stream")
        self.depth.carry(1)
        self.depth.frames = 1
        instrument = known_instrument(SPOT, "BTCUSDT")
        assert instrument is not None
        self.resync = Resync(
            0,
            instrument,
            [self.depth],
            books=self,  # type: ignore[arg-type]
            get=self.get,
            deliver=self.deliver,
            failed=[].append,
            back_off=BackOff(np.random.default_rng(1), first_s=0.001, most_s=0.001),
            now_ns=lambda: self.now,
        )

    def state(self, index: int) -> BookState:
        return self.state_now

    def oldest_waiting(self, index: int) -> tuple[int, int] | None:
        return (90, -1)

    async def get(self, symbol: str) -> bytes:
        self.now += 10
        return BODY

    def deliver(self, data: bytes) -> None:
        self.now += 2
        self.state_now = BookState.LIVE

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.mark.parametrize("lost", [False, True])
def test_a_gap_is_timed_to_its_live_book_unless_its_connection_was_lost_meanwhile(*, lost: bool) -> None:
    async def main() -> Scene:
        scene = Scene()
        running = asyncio.create_task(scene.resync.run())
        scene.state_now = BookState.GAP
        scene.resync.wake(gap=True)
        if lost:
            scene.depth.carry(-1)
            scene.resync.wake()
            await scene.settle()
            scene.now += 1_000  # until there is another
            scene.depth.carry(1)
            scene.depth.frames += 1
            scene.resync.wake()
        await scene.settle()
        running.cancel()
        return scene

    scene = asyncio.run(main())
    assert scene.state_now is BookState.LIVE
    assert scene.resync.synced == 1
    assert scene.resync.mended == ([] if lost else [(12, 10)])
