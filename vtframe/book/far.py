"""Levels sorted by price with the best LAST, so that a change near the best price moves few others.

Plain Python that is compiled when a pipeline is built. ``far`` is int64 (side, price | quantity, capacity), side 0 bids.
"""

from __future__ import annotations

from typing import Any

from vtframe.book import meta as m
from vtframe.book.shift import shift


def find(prices: Any, count: int, sign: int, price: int, start: int) -> int:
    """First place whose price is not worse than ``price``: ``sign`` is 1 for bids (ascending), -1 for asks (descending).

    Looks around ``start`` in steps that double: venues send a frame's levels in order of price, so the next is near.
    """
    key = sign * price
    step = 1
    if start < count and sign * prices[start] < key:
        low = start + 1
        high = start + 1
        while high < count and sign * prices[high] < key:
            low = high + 1
            high += step
            step += step
        if high > count:
            high = count
    else:
        high = min(start, count)
        low = high - 1
        while low >= 0 and sign * prices[low] >= key:
            high = low
            low -= step
            step += step
        low = low + 1 if low >= 0 else 0
    while low < high:
        middle = (low + high) >> 1
        if sign * prices[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


def replace(far: Any, meta: Any, side: int, price: int, quantity: int) -> int:
    """Set one level's total (0 removes it) on side 1 or -1; returns the total before. There is room."""
    index = 0 if side == 1 else 1
    prices, quantities = far[index, 0], far[index, 1]
    count = meta[m.FAR + index]
    start = count - 1 - meta[m.HINT + index]
    place = find(prices, count, side, price, max(start, 0))
    meta[m.HINT + index] = count - 1 - place
    if place < count and prices[place] == price:
        previous = quantities[place]
        if quantity > 0:
            quantities[place] = quantity
        else:
            shift(prices, place + 1, count, -1)
            shift(quantities, place + 1, count, -1)
            meta[m.FAR + index] = count - 1
        return int(previous)
    if quantity > 0:
        shift(prices, place, count, 1)
        shift(quantities, place, count, 1)
        prices[place] = price
        quantities[place] = quantity
        meta[m.FAR + index] = count + 1
    return 0


def drop_worst(far: Any, meta: Any, index: int, surplus: int) -> None:
    """Take the first ``surplus`` levels away."""
    count = meta[m.FAR + index]
    shift(far[index, 0], surplus, count, -surplus)
    shift(far[index, 1], surplus, count, -surplus)
    meta[m.FAR + index] = count - surplus
