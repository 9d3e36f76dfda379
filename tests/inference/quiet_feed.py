"""A feed for a local plugin: the embedded market with a first instrument that falls silent, and a socket that is read late."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from vtframe.api import FeedSink
from vtframe.builtin.market.feed import START_NS, EmbeddedMarket
from vtframe.domain import Records

S = 1_000_000_000


class QuietMarket(EmbeddedMarket):
    """Two books. The first is silent after ``quiet_s``; what comes for ``block_s`` from ``blocked_s`` on is read at its end."""

    name: ClassVar[str] = "quiet"

    quiet_s: float = 5.0
    blocked_s: float = 66.0
    block_s: float = 3.0

    async def run(self, sink: FeedSink) -> None:
        quiet = START_NS + int(self.quiet_s * S)
        first = START_NS + int(self.blocked_s * S)
        last = first + int(self.block_s * S)
        given = Records()
        for _, records in self._blocks(S):
            given.clear()
            for frame in records.frames[: records.n_frames]:
                begin = int(frame["first_event"])
                events = records.events[begin : begin + int(frame["n_events"])]
                ts_recv = int(frame["ts_recv"])
                if frame["instrument"] == 0 and ts_recv > quiet:
                    continue
                given.append(
                    kind=int(frame["kind"]),
                    instrument=int(frame["instrument"]),
                    events=[tuple(event.tolist()) for event in events],
                    ts_recv=last if first <= ts_recv < last else ts_recv,
                    number=0,
                    **{name: int(frame[name]) for name in ("first_id", "last_id", "previous_id")},
                )
            if given.n_frames:
                sink.on_records(given)
            await asyncio.sleep(0)
