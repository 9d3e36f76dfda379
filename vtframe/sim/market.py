"""The simulated market as an object: it makes records in blocks, and takes orders from outside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.buffers.native import retarget, table
from vtframe.domain import EVENT, FRAME, Records, Side
from vtframe.sim.compiled import ADVANCE, EVENTS, FRAMES, compile_market
from vtframe.sim.intensities import Tables
from vtframe.sim.publication import CANCEL_ORDER, LIMIT_ORDER, MARKET_ORDER, STEP_EVENTS, STEP_FRAMES
from vtframe.sim.state import (
    ASK,
    BID,
    CANCELS,
    HALF,
    LIMITS,
    MARKETS,
    MAXIMUM_LOTS,
    MOVES,
    NO_ASK,
    NOW,
    ORDERS,
    OUTSIDE,
    OUTSIDE_LIMIT,
    PULLS,
    QUANTITY,
    REDRAWS,
    REFERENCE,
    REFUSED,
    REPORTED,
    SIDE,
    SLOTS,
    new_state,
)

FOREVER = 2**62


class Activity(NamedTuple):
    """How often each thing has happened."""

    limits: int
    cancels: int
    markets: int
    pulls: int
    moves: int  # of the reference price
    redraws: int  # moves after which the book was drawn anew
    refused: int  # simulated orders that found the pool full


class SimulatedMarket:
    """One seeded book. Prices are ticks and quantities lots: the instrument's fixed point, with a tick and a lot of one.

    Same seed, same settings and same orders from outside: same records, byte for byte, in blocks of any size.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        seed: int,
        start_price: int,
        start_ns: int,
        instrument: int = 0,
        latency_ns: int = 0,
        jitter_ns: int = 0,
    ) -> None:
        if start_price < 2 * SLOTS:
            raise ValueError(f"start_price must be at least {2 * SLOTS} ticks, found {start_price}")
        self._state = new_state(
            tables,
            seed=seed,
            reference=start_price,
            start_ns=start_ns,
            instrument=instrument,
            latency_ns=latency_ns,
            jitter_ns=jitter_ns,
        )
        self._counts: NDArray[np.int64] = np.zeros(2, np.int64)
        self._frames, self._events = np.zeros(1, FRAME), np.zeros(1, EVENT)
        self._kept = [*self._state, *tables[:5], self._counts]  # the table below holds their addresses only
        self._handles = table([*self._kept, self._frames, self._events])
        self._run = compile_market()

    def generate(self, records: Records, *, frames: int, until_ns: int = FOREVER) -> bool:
        """Append at most ``frames`` + 1 frames (a trade and its depth change stay together) of what happens up to ``until_ns``.

        The first ever is the snapshot. True when ``until_ns`` is reached; False when more is to come, or when reports fill
        up and must be taken first.
        """
        records.reserve(frames=frames + STEP_FRAMES, events=2 * frames + STEP_EVENTS)
        return bool(self._call(records, (ADVANCE, until_ns, 0, 0, 0, 0), records.n_frames + frames))

    def submit_limit(self, records: Records, *, ts: int, side: Side, price: int, quantity: int, rests: bool = True) -> int:
        """A limit order from outside takes effect at ``ts``; what happens until then, and what it does, is appended.

        It trades at once with what it crosses; the rest waits in its queue, or is canceled if not ``rests`` (immediate or
        cancel). Returns its number; ``take_reports`` tells its fills. Raises ValueError for what no venue would take.
        """
        self._check(ts, quantity)
        self._advance(records, ts)
        reference = self.reference
        if not reference - HALF < price <= reference + HALF or price <= 0:
            raise ValueError(f"price must be within {HALF} ticks of {reference}, found {price}")
        if rests and int(self._state.scalars[OUTSIDE]) >= OUTSIDE_LIMIT:
            raise ValueError(f"{OUTSIDE_LIMIT} orders from outside are working; cancel one first")
        return self._act(records, (LIMIT_ORDER, ts, int(side), price, quantity, int(rests)))

    def submit_market(self, records: Records, *, ts: int, side: Side, quantity: int) -> int:
        """A market order from outside takes effect at ``ts``; what the book cannot fill is canceled. Returns its number."""
        self._check(ts, quantity)
        self._advance(records, ts)
        return self._act(records, (MARKET_ORDER, ts, int(side), 0, quantity, 0))

    def cancel(self, records: Records, *, ts: int, order: int) -> int:
        """Cancel an order from outside at ``ts``; the lots that were left, 0 where it is not working."""
        self._check(ts, 1)
        self._advance(records, ts)
        return self._act(records, (CANCEL_ORDER, ts, 0, order, 0, 0))

    def take_reports(self) -> NDArray[Any]:
        """What happened to orders from outside since the last call, oldest first: a copy, dtype REPORT."""
        count = int(self._state.scalars[REPORTED])
        self._state.scalars[REPORTED] = 0
        return self._state.reports[:count].copy()

    @property
    def now_ns(self) -> int:
        """Time of the last thing that happened."""
        return int(self._state.scalars[NOW])

    @property
    def reference(self) -> int:
        """The reference price: the best bid's place, one tick below the best ask's."""
        return int(self._state.scalars[REFERENCE])

    @property
    def best(self) -> tuple[int | None, int | None]:
        """Best bid and ask."""
        bid, ask = int(self._state.scalars[BID]), int(self._state.scalars[ASK])
        return (bid or None, ask if ask != NO_ASK else None)

    @property
    def activity(self) -> Activity:
        scalars = self._state.scalars
        return Activity(*(int(scalars[at]) for at in (LIMITS, CANCELS, MARKETS, PULLS, MOVES, REDRAWS, REFUSED)))

    def book(self, side: Side) -> dict[int, int]:
        """Every level of a side, lots by price: the engine's own queues, for tests and for a look inside."""
        slots = np.flatnonzero((self._state.levels[:, ORDERS] > 0) & (self._state.levels[:, SIDE] == int(side)))
        lowest = self.reference - HALF + 1
        return {int(lowest + (slot - lowest) % SLOTS): int(self._state.levels[slot, QUANTITY]) for slot in slots}

    def _check(self, ts: int, quantity: int) -> None:
        if ts < self.now_ns:
            raise ValueError(f"ts must not be before what has happened already: found {ts}, market at {self.now_ns}")
        if not 0 < quantity <= MAXIMUM_LOTS:
            raise ValueError(f"quantity must be in 1..{MAXIMUM_LOTS} lots, found {quantity}")

    def _advance(self, records: Records, ts: int) -> None:
        while not self.generate(records, frames=4096, until_ns=ts):
            if int(self._state.scalars[REPORTED]) > len(self._state.reports) // 2:
                raise ValueError("reports are waiting; take them before the next order")

    def _act(self, records: Records, order: tuple[int, int, int, int, int, int]) -> int:
        records.reserve(frames=STEP_FRAMES, events=STEP_EVENTS)
        return self._call(records, order, 0)

    def _call(self, records: Records, what: tuple[int, int, int, int, int, int], limit: int) -> int:
        """The compiled market's answer; what it makes is appended to the records, which have room for it."""
        if records.frames is not self._frames or records.events is not self._events:
            self._frames, self._events = records.frames, records.events
            retarget(self._handles, FRAMES, self._frames)
            retarget(self._handles, EVENTS, self._events)
        self._counts[:] = records.n_frames, records.n_events
        answer = int(self._run(self._handles, *what, limit))
        records.n_frames, records.n_events = int(self._counts[0]), int(self._counts[1])
        return answer
