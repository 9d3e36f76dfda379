"""A live feed that brings numbered frames, as fast as it can or in bursts. A local plugin of the tests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import ClassVar

from vtframe.api import Codec, Feed, FeedContext, FeedSink
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.known import USDM, known_instrument
from vtframe.domain import Instrument


def frame(number: int, size: int) -> bytes:
    """Frame ``number``: an envelope that the codec does not know, with text that does not compress."""
    text, n = "", 0
    while len(text) < size:
        text += hashlib.sha256(b"%d %d" % (number, n)).hexdigest()
        n += 1
    return b'{"stream":"noise","data":{"e":"noise","n":%d,"x":"%s"}}' % (number, text[:size].encode())


class FloodFeed(Feed):
    """``frames`` numbered frames of about ``size`` bytes."""

    name: ClassVar[str] = "flood"
    market_time: ClassVar[bool] = False

    frames: int = 1_000_000
    size: int = 200
    burst: int = 500

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        self._codec = BinanceCodec()
        self._now = context.clock.now_ns
        instrument = known_instrument(USDM, "BTCUSDT")
        assert instrument is not None
        return (instrument,)

    def codec(self) -> Codec:
        return self._codec

    async def run(self, sink: FeedSink) -> None:
        for number in range(self.frames):
            if sink.stopping:
                return
            sink.on_message(frame(number, self.size), self._now(), connection=number // 1_000 % 2)
            if not number % self.burst:
                await asyncio.sleep(0.001)
