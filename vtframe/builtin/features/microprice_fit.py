"""Fits the table of ``adjusted_microprice`` to recorded books. Offline: it sees all of them at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LEAK = 1e-9  # of every step: a state that no mid move ever followed then has an expected move, 0
_TERMS = 10_000


def fit_adjusted_microprice(
    bid: ArrayLike,
    ask: ArrayLike,
    bid_quantity: ArrayLike,
    ask_quantity: ArrayLike,
    *,
    tick_size: float = 1.0,
    shares: int = 10,
    spreads: int = 2,
) -> tuple[tuple[float, ...], ...]:
    """G* of Stoikov (2018), section 4, in ticks: ``spreads`` rows of ``shares`` numbers.

    Takes the best prices and quantities of successive observations, (n,) each, prices in units of which ``tick_size`` make a
    tick; ``meta`` of a RowBatch has them (``bid``, ``ask``, ...), with the instrument's own ``tick_size``. Every observation is
    also used mirrored, as there, which makes the table odd and its series converge. Observations with an empty side or a spread
    wider than ``spreads`` ticks break the chain. A state never seen gets 0: the mid. Raises ValueError where no step is left.
    """
    prices = np.array([bid, ask], np.float64) / tick_size
    sizes = np.array([bid_quantity, ask_quantity], np.float64)
    spread = np.rint(prices[1] - prices[0])
    known = (sizes > 0.0).all(axis=0) & (spread >= 1) & (spread <= spreads)
    share = np.zeros(len(spread), np.int64)
    share[known] = np.minimum((sizes[0, known] / sizes[:, known].sum(axis=0) * shares).astype(np.int64), shares - 1)
    row = np.where(known, spread - 1, 0).astype(np.int64)
    step = known[:-1] & known[1:]
    if not step.any():
        raise ValueError(f"no two successive books with both sides and a spread of 1 to {spreads} ticks among {len(spread)}")
    move = np.diff(prices.mean(axis=0))[step]
    states, mirrored = row * shares + share, row * shares + (shares - 1 - share)
    before = np.concatenate([states[:-1][step], mirrored[:-1][step]])
    after = np.concatenate([states[1:][step], mirrored[1:][step]])
    return _limit(before, after, np.concatenate([move, -move]), spreads, shares)


def _limit(
    before: NDArray[np.int64], after: NDArray[np.int64], move: NDArray[Any], spreads: int, shares: int
) -> tuple[tuple[float, ...], ...]:
    """The limit of the series G1 + B G1 + B^2 G1 + ..., from transitions between states and the mid's moves in them."""
    count = spreads * shares
    moved = np.abs(move) > 1e-9
    total = np.maximum(np.bincount(before, minlength=count), 1)[:, None]
    stay, leave = np.zeros((count, count)), np.zeros((count, count))
    np.add.at(stay, (before[~moved], after[~moved]), 1.0)
    np.add.at(leave, (before[moved], after[moved]), 1.0)
    expected = np.bincount(before, weights=move, minlength=count)[:, None] / total
    solved = np.linalg.solve(np.eye(count) - (1.0 - _LEAK) * stay / total, np.hstack([expected, leave / total]))
    term, transition = solved[:, 0], solved[:, 1:]
    limit = np.zeros(count)
    for _ in range(_TERMS):
        limit += term
        if np.abs(term).max() < 1e-12:
            break
        term = transition @ term
    table = limit.reshape(spreads, shares)
    return tuple(tuple(float(value) for value in row) for row in (table - table[:, ::-1]) / 2.0)
