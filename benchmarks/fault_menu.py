"""The campaign's markets and faults: what is asked of the venue, and the client's counters that show that it struck."""

from __future__ import annotations

from typing import Any

MARKETS = {"spot": ("BTCUSDT", "ETHUSDT"), "usdm": ("BTCUSDT", "ETHUSDT"), "coinm": ("BTCUSD_PERP",)}
DEPTH, TRADES = "*@depth*", "*@trade*"
PUBLIC = "*@*"
Menu = dict[str, tuple[dict[str, Any], tuple[str, ...]]]

MENU: Menu = {
    "lost diffs": ({"kind": "drop", "stream": DEPTH, "share": 0.1, "count": 3}, ("gaps",)),
    "lost trades": ({"kind": "drop", "stream": TRADES, "share": 0.5, "count": 2}, ("missing", "losses")),
    "copies": ({"kind": "duplicate", "stream": DEPTH, "share": 0.3, "count": 10}, ("duplicates",)),
    "disorder": ({"kind": "reorder", "stream": DEPTH, "share": 0.2, "count": 3}, ("gaps",)),  # other streams have no order
    "delay": ({"kind": "delay", "stream": DEPTH, "share": 0.2, "count": 3, "delay_ms": 250.0}, ("late",)),
    "damage": ({"kind": "corrupt", "share": 0.1, "count": 3}, ("damage",)),
    "damaged diffs": ({"kind": "corrupt", "stream": DEPTH, "share": 0.3, "count": 3}, ("damage", "losses", "gaps")),
    "too large": ({"kind": "oversize", "stream": DEPTH, "count": 1, "size": 9 << 20}, ("reconnects",)),
    "a hole in the ids": ({"kind": "gap", "stream": DEPTH, "share": 0.2, "count": 2}, ("gaps",)),
    "silence": ({"kind": "silence", "seconds": 1.0, "count": 1}, ("gaps", "losses")),
    "short silence": ({"kind": "silence", "seconds": 0.3, "count": 1}, ("gaps", "losses")),
    "cut": ({"kind": "disconnect", "count": 1}, ("reconnects",)),
    "cuts": ({"kind": "disconnect", "every_s": 0.3, "count": 3}, ("reconnects",)),
    "half open": ({"kind": "half_open", "seconds": 2.0, "count": 1}, ("reconnects",)),
    "the end of its day": ({"kind": "expire", "count": 1}, ("reconnects",)),
}
REST: Menu = {  # they strike when a snapshot is asked for: with a hole in the ids
    "no answer": ({"kind": "refuse", "operation": "depth", "count": 1}, ("rest",)),
    "slow answers": ({"kind": "slow", "operation": "depth", "count": 2, "delay_ms": 300.0}, ("slow",)),
    "errors": ({"kind": "status", "operation": "depth", "count": 2, "status": 503}, ("rest",)),
    "asked too often": ({"kind": "status", "operation": "depth", "count": 1, "status": 429, "retry_after_s": 1}, ("refused",)),
    "old snapshots": ({"kind": "stale_snapshot", "count": 2, "changes": 300}, ("too_old",)),
}
MALICE: Menu = {  # what is left may be read and be untrue, which no counter shows: a snapshot puts it right
    "edits": ({"kind": "mutate", "stream": PUBLIC, "share": 0.1, "count": 20}, ()),
    "brackets": ({"kind": "nest", "stream": PUBLIC, "share": 0.05, "count": 3}, ("damage",)),
    "bad frames": ({"kind": "bad_frame", "stream": PUBLIC, "share": 0.05, "count": 3}, ()),
    "fragments": ({"kind": "bad_frame", "damage": "fragments", "stream": DEPTH, "count": 1}, ("reconnects", "losses")),
}
ON_TWO = ("damage", "lost diffs", "lost trades", "silence", "short silence", "half open", "disorder", "delay", "fragments")
"""What the other of two connections makes good."""
