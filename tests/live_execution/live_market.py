"""A local plugin: the embedded market as if it were now and Binance's, so that a session trades it by the machine's clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from vtframe.api import Feed, FeedContext, FeedSink, hookimpl
from vtframe.builtin.market.feed import START_NS, EmbeddedMarket
from vtframe.domain import Instrument, Records


class LiveMarket(EmbeddedMarket):
    """BTCUSDT of ``venue``, in real time."""

    name: ClassVar[str] = "live_market"
    market_time: ClassVar[bool] = False

    venue: str = "binance_usdm"

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        self._began = context.clock.now_ns()
        return [msgspec.structs.replace(one, venue=self.venue, symbol="BTCUSDT") for one in super().open(context)]

    async def run(self, sink: FeedSink) -> None:
        await super().run(_Now(sink, self._began - START_NS))


class _Now:
    def __init__(self, sink: FeedSink, shift: int) -> None:
        self._sink = sink
        self._shift = shift

    @property
    def stopping(self) -> bool:
        return self._sink.stopping

    def on_records(self, records: Records) -> None:
        records.frames["ts_recv"][: records.n_frames] += self._shift
        records.events["ts_event"][: records.n_events] += self._shift
        self._sink.on_records(records)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


@hookimpl
def register_feeds() -> Sequence[type[Feed]]:
    return (LiveMarket,)
