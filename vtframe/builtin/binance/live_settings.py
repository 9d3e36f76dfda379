"""How a live market is kept: what its feed's settings come to."""

from __future__ import annotations

import msgspec

from vtframe.builtin.binance.keeper import Times
from vtframe.builtin.binance.silence import SilenceTimes
from vtframe.transport import Library


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a live market is kept."""

    library: Library
    redundant: bool
    levels: int  # of snapshots
    receive_buffer: int
    times: Times
    silence: SilenceTimes
    request: float  # seconds that an answer may take
    duration: float | None  # seconds; None: until the session is stopped
    refresh: float  # seconds between two looks at the instruments
    snapshot_first: float  # seconds before a snapshot is asked for again, at first and at most
    snapshot_most: float
