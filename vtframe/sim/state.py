"""Where the simulated market keeps everything: a few flat arrays, so that one compiled call gets them cheaply.

Prices are ticks and quantities lots (both are the instrument's fixed point). A price's level lives in a ring of slots, so
moving the market never moves memory; orders are doubly linked in time priority from a pool of fixed size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.sim.intensities import Tables
from vtframe.sim.xoshiro import fill_state

SLOTS = 1 << 15  # prices that can hold orders at one time
HALF = SLOTS // 2  # an order further than this from the reference price is canceled
POOL = 1 << 15  # orders that can rest at one time
OUTSIDE_LIMIT = 1024  # of them, orders from outside
TOUCHED_LIMIT = 4096  # levels that one instant can change: every outside order, and every level before and after a redraw
REPORTS = 1 << 14
NO_ASK = 1 << 62
MAXIMUM_LOTS = 10**12

# scalars
(
    REFERENCE,  # the best bid's place; the best ask's is one tick above
    NOW,  # ns UTC
    NEXT,  # when the next simulated order arrives; -1: not yet drawn
    UPDATE_ID,
    ORDER_NUMBER,
    FREE,  # first free order in the pool
    TOUCHED,
    PRINTS,
    REPORTED,
    OUTSIDE,
    BID,  # best prices; 0 and NO_ASK for an empty side
    ASK,
    BID_LEVELS,
    ASK_LEVELS,
    RECEIVED,  # ts_recv of the last frame
    FRAMES,  # emitted so far
    STARTED,
    UNIT,
    LEVELS,
    INSTRUMENT,
    LATENCY,
    JITTER,
    MOVED,  # the reference price moved in this instant
    LIMITS,  # counts of what happened
    CANCELS,
    MARKETS,
    PULLS,
    MOVES,
    REDRAWS,
    REFUSED,
    SCALARS,
) = range(31)

# columns of levels; SHOWN is the published quantity times its side
QUANTITY, HEAD, TAIL, ORDERS, SIMULATED, SIDE, SHOWN, MARK = range(8)
# columns of orders; OWNER is 0 for the simulation, else 1 + its place in the list of outside orders
AFTER, BEFORE, LOTS, NUMBER, PRICE, OWNER = range(6)
# columns of work: touched prices, outside orders, and this instant's trades
W_TOUCHED, W_OUTSIDE, W_PRICE, W_LOTS, W_SIDE = range(5)

FLOW, FEED = 0, 4  # where the two random streams start: orders, and the feed's latency

REPORT = np.dtype(
    [
        ("ts_event", "<i8"),
        ("order", "<i8"),
        ("price", "<i8"),
        ("quantity", "<i8"),  # filled or canceled
        ("leaves", "<i8"),
        ("side", "<i4"),  # the order's
        ("kind", "<i4"),
    ],
    align=True,
)
"""What happened to an order from outside."""
MAKER_FILL, TAKER_FILL, CANCELED = 1, 2, 3


class State(NamedTuple):
    """One book's memory."""

    scalars: NDArray[np.int64]
    random: NDArray[np.uint64]  # (8,)
    levels: NDArray[np.int64]  # (SLOTS, 8)
    orders: NDArray[np.int64]  # (POOL, 6)
    rates: NDArray[np.float64]  # (2 (levels + 1) + 1,): market and pull per side, then levels outward; the last is the sum
    work: NDArray[np.int64]  # (TOUCHED_LIMIT, 5)
    reports: NDArray[np.void]  # (REPORTS,) of REPORT


def new_state(
    tables: Tables, *, seed: int, reference: int, start_ns: int, instrument: int, latency_ns: int, jitter_ns: int
) -> State:
    """An empty book around ``reference`` at ``start_ns``."""
    scalars = np.zeros(SCALARS, np.int64)
    scalars[REFERENCE] = reference
    scalars[NOW] = start_ns
    scalars[NEXT] = -1
    scalars[UPDATE_ID] = scalars[ORDER_NUMBER] = 1
    scalars[ASK] = NO_ASK
    scalars[UNIT], scalars[LEVELS] = tables.unit, tables.levels
    scalars[INSTRUMENT], scalars[LATENCY], scalars[JITTER] = instrument, latency_ns, jitter_ns
    random = np.zeros(8, np.uint64)
    with np.errstate(over="ignore"):  # its integers wrap, by design
        fill_state(random, np.uint64(seed))
    levels = np.zeros((SLOTS, 8), np.int64)
    levels[:, HEAD] = levels[:, TAIL] = -1
    orders = np.zeros((POOL, 6), np.int64)
    orders[:, AFTER] = np.arange(1, POOL + 1)
    orders[-1, AFTER] = -1
    return State(
        scalars=scalars,
        random=random,
        levels=levels,
        orders=orders,
        rates=np.zeros(2 * (tables.levels + 1) + 1),
        work=np.zeros((TOUCHED_LIMIT, 5), np.int64),
        reports=np.zeros(REPORTS, REPORT),
    )
