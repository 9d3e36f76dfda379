"""Measures the embedded market's intensities on recorded data: ``python models/embedded_market/calibrate.py --data FOLDER``.

Writes vtframe/sim/intensities.toml. What is counted and what cannot be seen is said in docs/market.md. Nothing is random:
the same recordings give the same file.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from lobster_rates import order_level
from numpy.typing import NDArray
from recording import REGIMES, Recording, Touch, read, sha256

TARGET = Path(__file__).resolve().parents[2] / "vtframe" / "sim" / "intensities.toml"
GROUPS = (1, 2, 3, 4, 6, 10, 20, 40)  # first level of each group of levels that share one row of intensities
LEVELS = 60
BUCKETS = 11  # queue sizes: 0, (0, 1], (1, 2], (2, 4] ... (128, 256], more; in units
QUANTILES = (np.arange(100) + 0.5) / 100


def bucket(lots: int, unit: int) -> int:
    """Number of the bucket that a queue of ``lots`` is in: 0 for an empty one, else 1 + ceil(log2(lots / unit)), bounded."""
    units = -(-lots // unit)
    return 0 if lots <= 0 else min(BUCKETS - 1, 1 + (units - 1).bit_length())


def group_of(level: int) -> int:
    """Index in GROUPS of the level that is ``level`` - 1 ticks behind the best."""
    return int(np.searchsorted(GROUPS, level, "right")) - 1


def quantiles(values: list[int]) -> list[int]:
    """One hundred equally likely values that stand for the distribution."""
    return [int(value) for value in np.quantile(values, QUANTILES, method="nearest")]


class Counts:
    """Events and exposure by bucket: a rate is their quotient (the maximum-likelihood estimate of a Poisson intensity)."""

    def __init__(self) -> None:
        self.events: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(BUCKETS))
        self.exposure = np.zeros(BUCKETS)

    def rates(self, kind: str, *, least: float) -> list[float]:
        """Per second. Buckets seen for less than ``least`` seconds take the nearest bucket's rate that was seen."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = self.events[kind] / self.exposure
        seen = np.flatnonzero(self.exposure[1:] >= least) + 1
        for index in range(1, BUCKETS):
            if index not in seen:
                rate[index] = rate[seen[np.argmin(np.abs(seen - index))]]
        rate[0] = rate[0] if self.exposure[0] > 0 else 0.0
        return [round(float(value), 4) for value in rate]


class Best:
    """What happens at the best queues, from bookTicker updates and trades between them."""

    def __init__(self, recording: Recording) -> None:
        self.changes: list[int] = []
        self.added: list[int] = []
        self.market: list[int] = []
        self.ahead: list[int] = []
        self.behind: list[int] = []
        self.jumps: list[int] = []
        self.emptied = self.wide_ms = self.total_ms = 0
        self.unit = self._unit(recording)
        self.counts = Counts()
        self._count(recording)

    @staticmethod
    def _unit(recording: Recording) -> int:
        changes = [
            abs(change)
            for old, new in zip(recording.touches, recording.touches[1:], strict=False)
            for change in (
                new.bid_lots - old.bid_lots if new.bid == old.bid else 0,
                new.ask_lots - old.ask_lots if new.ask == old.ask else 0,
            )
            if change
        ]
        return max(1, int(np.median(changes)))

    def _count(self, recording: Recording) -> None:
        prints = recording.prints
        position = 0
        old: Touch | None = None
        start: tuple[Touch, int] | None = None  # the last one-tick state and the side that emptied
        for new in recording.touches:
            hit: dict[int, dict[int, int]] = {1: {}, -1: {}}  # resting side: {taker order's time: lots}
            while position < len(prints) and prints[position].ts <= new.ts:
                trade = prints[position]
                orders = hit[-trade.side]
                orders[trade.ts] = orders.get(trade.ts, 0) + trade.lots
                position += 1
            if old is None or new.ts < old.ts:
                old = new
                continue
            elapsed = new.ts - old.ts
            self.total_ms += elapsed
            if old.ask - old.bid == 1:
                self._one_tick(old, new, hit, elapsed / 1000)
                if start is None and (new.bid < old.bid or new.ask > old.ask):
                    start = (old, 1 if new.bid < old.bid else -1)
            else:
                self.wide_ms += elapsed
                self.counts.exposure[0] += elapsed / 1000
            if start is not None and new.ask - new.bid == 1:
                self._settled(*start, new)
                start = None
            old = new

    def _one_tick(self, old: Touch, new: Touch, hit: dict[int, dict[int, int]], seconds: float) -> None:
        """Count what one update did to either best queue of a book with a spread of one tick."""
        events = self.counts.events
        for side, before, same, gone, after in (
            (1, old.bid_lots, new.bid == old.bid, new.bid < old.bid, new.bid_lots),
            (-1, old.ask_lots, new.ask == old.ask, new.ask > old.ask, new.ask_lots),
        ):
            at = bucket(before, self.unit)
            self.counts.exposure[at] += seconds
            events["market"][at] += len(hit[side])
            self.market.extend(hit[side].values())
            traded = sum(hit[side].values())
            if same:
                net = after - before + traded
                if net > 0:
                    events["limit"][at] += 1
                    self.added.append(net)
                elif net < 0:
                    events["cancel"][at] += 1
            elif gone and traded < before:
                events["pull"][at] += 1  # the rest of the queue went without a trade, in one update

    def _settled(self, start: Touch, side: int, end: Touch) -> None:
        """A best queue emptied in state ``start``; the spread is one tick again in state ``end``."""
        self.emptied += 1
        self.counts.events["limit"][0] += 1
        jump = (start.bid - end.bid) * side
        if jump > 0:
            self.jumps.append(jump)
            ahead, behind = (end.bid_lots, end.ask_lots) if side == 1 else (end.ask_lots, end.bid_lots)
            self.ahead.append(ahead)
            self.behind.append(behind)


class Behind:
    """Net changes of the levels behind the best, from depth diffs between frames in which the best did not move."""

    def __init__(self, recording: Recording, unit: int) -> None:
        self.counts = [Counts() for _ in GROUPS]
        self.added: list[int] = []
        self.sizes: list[list[int]] = [[] for _ in GROUPS]
        sides = {1: dict(recording.snapshot.bids), -1: dict(recording.snapshot.asks)}
        before: int | None = None
        for frame in recording.depth:
            bid, ask = max(sides[1]), min(sides[-1])
            old = {side: self._levels(book, side, bid, ask) for side, book in sides.items()}
            for side, changes in ((1, frame.bids), (-1, frame.asks)):
                for price, lots in changes:
                    if lots:
                        sides[side][price] = lots
                    else:
                        sides[side].pop(price, None)
            if before is not None and ask - bid == 1 and (max(sides[1]), min(sides[-1])) == (bid, ask):
                seconds = (frame.ts - before) / 1000
                for side, book in sides.items():
                    self._compare(old[side], self._levels(book, side, bid, ask), unit, seconds)
            before = frame.ts

    @staticmethod
    def _levels(book: dict[int, int], side: int, bid: int, ask: int) -> list[int]:
        best = bid if side == 1 else ask
        return [book.get(best - side * distance, 0) for distance in range(LEVELS)]

    def _compare(self, old: list[int], new: list[int], unit: int, seconds: float) -> None:
        for index in range(LEVELS):
            group = group_of(index + 1)
            counts = self.counts[group]
            at = bucket(old[index], unit)
            counts.exposure[at] += seconds
            self.sizes[group].append(old[index])
            change = new[index] - old[index]
            if change:
                counts.events["limit" if change > 0 else "cancel"][at] += 1
            if change > 0 and index:
                self.added.append(change)


def measure(recording: Recording) -> dict[str, Any]:
    """One regime's table."""
    best = Best(recording)
    behind = Behind(recording, best.unit)
    jumps = np.array(best.jumps)
    far = [jump for jump in best.jumps if jump > 1]
    return {
        "seconds": round(recording.seconds, 3),
        "unit": best.unit,
        "theta": round(len(best.jumps) / best.emptied, 4),
        "theta_reinit": round(float(np.mean(jumps > 1)), 4),
        "emptied": best.emptied,
        "one_tick_share": round(1 - best.wide_ms / best.total_ms, 5),
        "limit": [best.counts.rates("limit", least=0.5), *(c.rates("limit", least=5.0) for c in behind.counts[1:])],
        "cancel": [best.counts.rates("cancel", least=0.5), *(c.rates("cancel", least=5.0) for c in behind.counts[1:])],
        "market": best.counts.rates("market", least=0.5),
        "pull": best.counts.rates("pull", least=0.5),
        "exposure_s": [round(float(value), 2) for value in best.counts.exposure],
        "jump_ticks": quantiles(far),
        "limit_lots_best": quantiles(best.added),
        "limit_lots_behind": quantiles(behind.added),
        "market_lots": quantiles(best.market),
        "queue_lots": [quantiles(sizes) for sizes in behind.sizes],
        "queue_lots_ahead": quantiles(best.ahead),
        "queue_lots_behind": quantiles(best.behind),
    }


def toml(name: str, table: dict[str, Any]) -> str:
    """``table`` as TOML: numbers, strings, and lists of numbers or of such lists."""
    lines = [f"[{name}]"]
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], list):
            rows = "\n".join(f"    {row}," for row in value)
            lines.append(f"{key} = [\n{rows}\n]")
        elif isinstance(value, str):
            lines.append(f'{key} = "{value}"')
        else:
            lines.append(f"{key} = {value}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds binance/ and lobster/")
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    text = [
        "# Intensities of the embedded market. Made by models/embedded_market/calibrate.py; explained in docs/market.md.",
        "# Quantities in lots (0.001), prices in ticks (0.1), rates per second and queue.",
        "# Buckets of queue sizes, in units: 0, (0, 1], (1, 2], (2, 4], ... (128, 256], more.\n",
        f"format = 1\nlevels = {LEVELS}\ngroups = {list(GROUPS)}\n",
    ]
    for regime, names in REGIMES.items():
        table = measure(read(arguments.data, names))
        source = ", ".join(f"{name} (sha256 {sha256(arguments.data / 'binance' / name)[:16]})" for name in names)
        text.append(toml(f"regimes.{regime}", {"source": source, **table}))
        print(f"{regime}: {table['seconds']} s, {table['emptied']} emptied queues, theta {table['theta']}")
    text.append(toml("orders", order_level(arguments.data)))
    arguments.out.write_text("\n".join(text))
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
