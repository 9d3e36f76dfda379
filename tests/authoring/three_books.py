"""Three books of the embedded market in one stream, on request with losses of the second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtframe.api import FeedContext
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.clock import EventClock
from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument, Records


def market(*, losses: tuple[int, ...] = ()) -> tuple[list[Instrument], Records]:
    """Three books over some seconds; after every frame named in ``losses`` the leader's book is lost until its snapshot comes
    again, some frames later."""
    feed = EmbeddedMarket(seed=5, duration_s=12.0, instruments=3)
    instruments = list(feed.open(FeedContext(codecs={}, folder=Path(), clock=EventClock())))
    records = Records()
    number = 0
    again: int | None = None
    picture: tuple[np.void, NDArray[np.void]] | None = None

    def put(frame: np.void, events: NDArray[np.void]) -> None:
        nonlocal number
        copied = [tuple(event.tolist()) for event in events]
        ids = {name: int(frame[name]) for name in ("first_id", "last_id", "previous_id")}
        records.append(
            kind=int(frame["kind"]),
            instrument=int(frame["instrument"]),
            events=copied,
            ts_recv=int(frame["ts_recv"]),
            number=number,
            **ids,
        )
        number += 1

    for _, block in feed._blocks(1_000_000_000):
        for frame in block.frames[: block.n_frames].copy():
            start = int(frame["first_event"])
            events = block.events[start : start + int(frame["n_events"])].copy()
            if frame["kind"] == FrameKind.SNAPSHOT and frame["instrument"] == 1:
                picture = frame, events
            put(frame, events)
            if number in losses:
                event = (number, int(frame["ts_recv"]), 0, 0, 0, 1, int(EventFlag.GAP), int(EventKind.STATUS), 0)
                records.append(
                    kind=int(FrameKind.STATUS), instrument=1, events=[event], ts_recv=int(frame["ts_recv"]), number=number
                )
                number += 1
                again = number + 150
            if again is not None and number >= again and picture is not None:
                old, levels = picture
                levels["flags"] |= int(EventFlag.IN_STREAM)
                old["ts_recv"] = frame["ts_recv"]
                old["last_id"] = frame["last_id"] if frame["instrument"] == 1 else old["last_id"]
                put(old, levels)
                again = None
    return instruments, records
