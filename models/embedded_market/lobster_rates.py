"""What only order-level data shows (LOBSTER samples): where in its queue an order is canceled, and what diffs net away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recording import Message, lobster, sha256

SAMPLES = {
    "AAPL": "LOBSTER_SampleFile_AAPL_2012-06-21_1.zip",
    "GOOG": "LOBSTER_SampleFile_GOOG_2012-06-21_10.zip",
}
BUCKETS = 8  # best queue in units of the median order: (0, 1], (1, 2], (2, 4] ... more


class Queues:
    """The orders of every price in time priority, as far as the sample shows them (orders from before it are unknown)."""

    def __init__(self) -> None:
        self.lots: dict[int, int] = {}
        self.queues: dict[tuple[int, int], list[int]] = {}

    def apply(self, message: Message) -> float | None:
        """Apply one message; for a deletion from a queue of two or more, the order's place: 0 first in line, 1 last."""
        queue = self.queues.setdefault((message.side, message.price), [])
        place: float | None = None
        if message.kind == 1:
            queue.append(message.order_id)
            self.lots[message.order_id] = message.size
        elif message.order_id in self.lots:
            self.lots[message.order_id] -= message.size
            if message.kind == 3 or self.lots[message.order_id] <= 0:
                if message.kind == 3 and len(queue) > 1:
                    place = queue.index(message.order_id) / (len(queue) - 1)
                queue.remove(message.order_id)
                del self.lots[message.order_id]
        return place


def order_level(folder: Path) -> dict[str, Any]:
    """The table ``[orders]``: deciles of the place that deletions happen at, and order-level shares at the best queue."""
    places: list[float] = []
    table: dict[str, Any] = {
        "source": ", ".join(f"{n} (sha256 {sha256(folder / 'lobster' / n)[:16]})" for n in SAMPLES.values())
    }
    for symbol, name in SAMPLES.items():
        rows = list(lobster(folder, name))
        unit = float(np.median([message.size for message, _ in rows if message.kind == 1]))
        counts: NDArray[np.int64] = np.zeros((BUCKETS, 3), np.int64)
        queues = Queues()
        before = rows[0][1]
        for message, book in rows:
            place = queues.apply(message)
            if place is not None:
                places.append(place)
            price, size = (before[2], before[3]) if message.side == 1 else (before[0], before[1])
            if message.price == price and message.kind in (1, 2, 3, 4):
                at = min(BUCKETS - 1, max(0, int(np.ceil(np.log2(size / unit)))))
                counts[at, {1: 0, 2: 1, 3: 1, 4: 2}[message.kind]] += 1
            before = book
        table[f"unit_{symbol.lower()}"] = unit
        table[f"limit_cancel_market_{symbol.lower()}"] = counts.tolist()
    table["cancel_place"] = [round(float(value), 4) for value in np.quantile(places, (np.arange(100) + 0.5) / 100)]
    return table
