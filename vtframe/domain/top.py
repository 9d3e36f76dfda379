"""The best bid and ask of one book."""

from __future__ import annotations

from typing import NamedTuple


class Top(NamedTuple):
    """Best bid and ask of a book, fixed point; 0 quantity where a side is empty."""

    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int
