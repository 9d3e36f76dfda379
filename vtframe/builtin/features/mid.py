"""The mid and its moves, as kernels that follow prices take them."""

from __future__ import annotations

import numpy as np

BASIS_POINTS = 10_000.0


def mid_of(book):  # type: ignore[no-untyped-def]
    """The mean of the best prices; nan while a side is empty."""
    return (book.bid_price[0] + book.ask_price[0]) / 2.0


def log_return(now, before):  # type: ignore[no-untyped-def]
    """``ln(now / before)`` in basis points, without the rounding of a quotient near 1."""
    return BASIS_POINTS * np.log1p((now - before) / before)


def log_move(book, mid):  # type: ignore[no-untyped-def]
    """The mid's log return since the last call, in basis points; ``mid[0]`` keeps the mid. nan where either is missing."""
    before = mid[0]
    mid[0] = mid_of(book)
    return log_return(mid[0], before)
