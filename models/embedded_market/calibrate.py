"""Measures the embedded market's intensities on recorded data: ``python models/embedded_market/calibrate.py --data FOLDER``.

Writes vtframe/sim/intensities.toml. What is counted and what cannot be seen is said in docs/market.md. Nothing is random:
the same recordings give the same file.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from lobster_rates import order_level
from numpy.typing import NDArray
from recording import REGIMES, Recording, Touch, read, sha256

from vtframe.domain import Records
from vtframe.sim import Calibration, SimulatedMarket, tables

TARGET = Path(__file__).resolve().parents[2] / "vtframe" / "sim" / "intensities.toml"
GROUPS = (1, 2, 3, 4, 6, 10, 20, 40)  # first level of each group of levels that share one row of intensities
LEVELS = 60
BUCKETS = 11  # queue sizes: 0, (0, 1], (1, 2], (2, 4] ... (128, 256], more; in units
BURST_MS = 50  # before a queue empties: about the time between two of the venue's depth diffs
MATCH_S = 10_000  # simulated seconds that the frequency of moves is matched over
QUANTILES = (np.arange(100) + 0.5) / 100


def bucket(lots: int, unit: int) -> int:
    """Number of the bucket that a queue of ``lots`` is in: 0 for an empty one, else 1 + ceil(log2(lots / unit)), bounded."""
    units = -(-lots // unit)
    return 0 if lots <= 0 else min(BUCKETS - 1, 1 + (units - 1).bit_length())


def imbalance_bin(own: int, opposite: int) -> int:
    """Which of eleven equal parts of [-1, 1] the imbalance (own - opposite) / (own + opposite) is in; own queue not empty."""
    return min(BUCKETS - 1, own * BUCKETS // (own + opposite))


def group_of(level: int) -> int:
    """Index in GROUPS of the level that is ``level`` - 1 ticks behind the best."""
    return int(np.searchsorted(GROUPS, level, "right")) - 1


def quantiles(values: list[int]) -> list[int]:
    """One hundred equally likely values that stand for the distribution."""
    return [int(value) for value in np.quantile(values, QUANTILES, method="nearest")]


class Sizes:
    """Sizes of events by the bucket of the queue that they hit."""

    def __init__(self) -> None:
        self.samples: list[list[int]] = [[] for _ in range(BUCKETS)]

    def rows(self, *, least: int) -> list[list[int]]:
        """Quantiles per bucket; one with fewer than ``least`` samples takes the nearest that has them."""
        seen = np.array([at for at, values in enumerate(self.samples) if len(values) >= least])
        return [quantiles(self.samples[seen[np.argmin(np.abs(seen - at))]]) for at in range(BUCKETS)]


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


class Burst:
    """The last moments of a best queue: its size and imbalance when they began, and what trades took since."""

    def __init__(self, lots: int, imbalance: int) -> None:
        self.lots = lots
        self.imbalance = imbalance
        self.traded = 0


def emptied_at(touches: list[Touch], side: int) -> list[int | None]:
    """For each update, when the best queue of ``side`` empties next, at that update or later; None where it does not."""
    ends: list[int | None] = [None] * len(touches)
    end: int | None = None
    for number in range(len(touches) - 1, 0, -1):
        old, new = touches[number - 1], touches[number]
        if old.ask - old.bid == 1 and (new.bid < old.bid if side == 1 else new.ask > old.ask):
            end = new.ts
        ends[number] = end
    return ends


class Best:
    """What happens at the best queues, from bookTicker updates and trades between them."""

    def __init__(self, recording: Recording) -> None:
        self.changes: list[int] = []
        self.added, self.canceled, self.market = Sizes(), Sizes(), Sizes()
        self.ahead: list[int] = []
        self.behind: list[int] = []
        self.jumps: list[int] = []
        self.emptied = self.wide_ms = self.total_ms = 0
        self.unit = self._unit(recording)
        self.counts = Counts()
        self.all_exposure = np.zeros(BUCKETS)
        self.pulls = np.zeros(BUCKETS)
        self.pulled = self.pulled_by_trades = 0
        self._count(recording)

    def pull_rates(self) -> list[float]:
        """Per second: emptied queues by the imbalance when the burst began, over all time at that imbalance."""
        return [round(float(rate), 4) for rate in self.pulls / self.all_exposure]

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
        ends = {side: emptied_at(recording.touches, side) for side in (1, -1)}
        bursts: dict[int, Burst | None] = {1: None, -1: None}
        prints = recording.prints
        position = 0
        old: Touch | None = None
        start: tuple[Touch, int] | None = None  # the last one-tick state and the side that emptied
        for number, new in enumerate(recording.touches):
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
            doomed = {side: (end := ends[side][number]) is not None and end - new.ts <= BURST_MS for side in (1, -1)}
            soon = number + 1 < len(recording.touches) and any(
                (end := ends[side][number + 1]) is not None and end - new.ts <= BURST_MS for side in (1, -1)
            )  # a move goes on while the next queue empties within the same burst
            if old.ask - old.bid > 1:
                self.wide_ms += elapsed
                self.counts.exposure[0] += elapsed / 1000
                self.counts.events["limit"][0] += new.ask - new.bid == 1
            elif start is None:
                for side in (1, -1):
                    self._one_tick(side, old, new, hit[side], bursts, doomed=doomed[side])
                if new.bid < old.bid or new.ask > old.ask:
                    start = (old, 1 if new.bid < old.bid else -1)
            if start is not None and new.ask - new.bid == 1 and not soon:
                self._settled(*start, new)
                start = None
                bursts = {1: None, -1: None}
            old = new

    def _one_tick(
        self, side: int, old: Touch, new: Touch, hit: dict[int, int], bursts: dict[int, Burst | None], *, doomed: bool
    ) -> None:
        """Count what one update did to a best queue of a book with a spread of one tick.

        A queue that is about to empty (``doomed``) empties in a burst of orders and cancels: they are counted together, as one
        pull, in the state that the book was in when the burst began.
        """
        before, after = (old.bid_lots, new.bid_lots) if side == 1 else (old.ask_lots, new.ask_lots)
        same = new.bid == old.bid if side == 1 else new.ask == old.ask
        gone = new.bid < old.bid if side == 1 else new.ask > old.ask
        at = bucket(before, self.unit)
        seconds = (new.ts - old.ts) / 1000
        traded = sum(hit.values())
        imbalance = imbalance_bin(before, old.ask_lots if side == 1 else old.bid_lots)
        self.all_exposure[imbalance] += seconds
        if doomed:
            burst = bursts[side] or Burst(before, imbalance)
            bursts[side] = None if gone else burst
            burst.traded += traded
            if gone:
                self.pulls[burst.imbalance] += 1
                self.pulled += burst.lots
                self.pulled_by_trades += min(burst.traded, burst.lots)
            return
        bursts[side] = None
        events = self.counts.events
        self.counts.exposure[at] += seconds
        events["market"][at] += len(hit)
        self.market.samples[at].extend(hit.values())
        net = after - before + traded
        if same and net > 0:
            events["limit"][at] += 1
            self.added.samples[at].append(net)
        elif same and net < 0:
            events["cancel"][at] += 1
            self.canceled.samples[at].append(round(1e6 * -net / (before - traded)))  # of what the trades left

    def _settled(self, start: Touch, side: int, end: Touch) -> None:
        """A best queue emptied in state ``start``; in state ``end`` the spread is one tick again, and stays so for a while."""
        self.emptied += 1
        jump = (start.bid - end.bid) * side
        if jump > 0:
            self.jumps.append(jump)
            ahead, behind = (end.bid_lots, end.ask_lots) if side == 1 else (end.ask_lots, end.bid_lots)
            self.ahead.append(ahead)
            self.behind.append(behind)
            self.added.samples[0].extend((ahead, behind))


class Behind:
    """Net changes of the levels behind the best, from depth diffs between frames in which the best did not move."""

    def __init__(self, recording: Recording, unit: int) -> None:
        self.counts = [Counts() for _ in GROUPS]
        self.added: list[int] = []
        self.canceled = Sizes()
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
            elif change < 0 and index:
                self.canceled.samples[at].append(round(1e6 * -change / old[index]))


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
        "pull": best.pull_rates(),
        "pull_traded": round(best.pulled_by_trades / best.pulled, 4),
        "exposure_s": [round(float(value), 2) for value in best.counts.exposure],
        "jump_ticks": quantiles(far),
        "limit_lots_best": best.added.rows(least=30),
        "limit_lots_behind": quantiles(behind.added),
        "market_lots": best.market.rows(least=30),
        "cancel_ppm_best": best.canceled.rows(least=30),
        "cancel_ppm_behind": behind.canceled.rows(least=30),
        "queue_lots": [quantiles(sizes) for sizes in behind.sizes],
        "queue_lots_ahead": quantiles(best.ahead),
        "queue_lots_behind": quantiles(best.behind),
    }


def meet_moves(table: dict[str, Any], orders: dict[str, Any]) -> dict[str, Any]:
    """``table`` with its pull rates times the one factor that makes simulated moves as frequent as the recorded ones.

    Measured one by one, the rates leave too few: the recording's orders come in clusters, a Poisson flow's do not.
    """
    target = table["emptied"] * table["theta"] / table["seconds"]
    rates, scale = np.array(table["pull"]), 1.0
    for _ in range(8):
        table = {**table, "pull_scale": round(scale, 4), "pull": [round(float(rate), 4) for rate in rates * scale]}
        header = {"format": 1, "levels": LEVELS, "groups": GROUPS}
        calibration = msgspec.convert({**header, "regimes": {"x": table}, "orders": orders}, Calibration)
        market = SimulatedMarket(tables(calibration, "x"), seed=1, start_price=618_000, start_ns=0)
        records = Records(frames=8192)
        while not market.generate(records, frames=4096, until_ns=MATCH_S * 1_000_000_000):
            records.clear()
        scale *= target / (market.activity.moves / MATCH_S)
    return table


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
    orders = order_level(arguments.data)
    for regime, names in REGIMES.items():
        source = ", ".join(f"{name} (sha256 {sha256(arguments.data / 'binance' / name)[:16]})" for name in names)
        table = meet_moves({"source": source, **measure(read(arguments.data, names))}, orders)
        text.append(toml(f"regimes.{regime}", table))
        print(f"{regime}: {table['seconds']} s, {table['emptied']} emptied queues, pull scale {table['pull_scale']}")
    text.append(toml("orders", orders))
    arguments.out.write_text("\n".join(text))
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
