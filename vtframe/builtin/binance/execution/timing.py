"""How long to wait for what, as the adapter's settings have it."""

from __future__ import annotations

import msgspec


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Of one link to a venue."""

    recv_window_ms: int
    ack_timeout_ms: int
    stop_timeout_s: float
    renew_s: float  # a connection is replaced before it is so old
