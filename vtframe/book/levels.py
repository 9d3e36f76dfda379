"""Price levels of one side, sorted with the best LAST, so that a change near the best price moves few others.

Plain Python that is compiled when a pipeline is built. ``book`` is int64 (side, price | quantity, capacity), side 0 bids.
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
        high = start if start < count else count
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


def change(book: Any, meta: Any, side: int, price: int, quantity: int) -> tuple[int, int]:
    """Set one level's total (0 removes it); returns the total before, and the level's rank from the best (0).

    The caller made sure that there is room. Removing what is not there is no change; its rank is then out of the book.
    """
    if side == 1:
        prices, quantities, column, near = book[0, 0], book[0, 1], m.N_BIDS, m.NEAR_BID
    else:
        prices, quantities, column, near = book[1, 0], book[1, 1], m.N_ASKS, m.NEAR_ASK
    count = meta[column]
    start = count - 1 - meta[near]
    place = find(prices, count, side, price, start if start > 0 else 0)
    rank = count - 1 - place
    meta[near] = rank
    if place < count and prices[place] == price:
        previous = quantities[place]
        if quantity > 0:
            quantities[place] = quantity
        else:
            if rank > 0:
                shift(prices, place + 1, count, -1)
                shift(quantities, place + 1, count, -1)
            meta[column] = count - 1
        return previous, rank
    if quantity > 0:
        if rank >= 0:
            shift(prices, place, count, 1)
            shift(quantities, place, count, 1)
        prices[place] = price
        quantities[place] = quantity
        meta[column] = count + 1
        return 0, rank + 1
    return 0, len(prices)


def clear(meta: Any) -> None:
    """Empty both sides."""
    meta[m.N_BIDS] = 0
    meta[m.N_ASKS] = 0


def truncate(book: Any, meta: Any) -> None:
    """Drop the worst levels beyond the book's depth: its venue does not say when a level falls out of it."""
    for side in range(2):
        count = meta[m.N_BIDS + side]
        surplus = count - meta[m.DEPTH]
        if surplus > 0:
            shift(book[side, 0], surplus, count, -surplus)
            shift(book[side, 1], surplus, count, -surplus)
            meta[m.N_BIDS + side] = count - surplus


def note_best(book: Any, meta: Any) -> Any:
    """Write the best levels into ``meta``; returns whether one of the four numbers changed."""
    bid = bid_quantity = ask = ask_quantity = 0
    if meta[m.N_BIDS] > 0:
        bid = book[0, 0, meta[m.N_BIDS] - 1]
        bid_quantity = book[0, 1, meta[m.N_BIDS] - 1]
    if meta[m.N_ASKS] > 0:
        ask = book[1, 0, meta[m.N_ASKS] - 1]
        ask_quantity = book[1, 1, meta[m.N_ASKS] - 1]
    changed = (
        meta[m.BID] != bid or meta[m.BID_QUANTITY] != bid_quantity or meta[m.ASK] != ask or meta[m.ASK_QUANTITY] != ask_quantity
    )
    meta[m.BID] = bid
    meta[m.BID_QUANTITY] = bid_quantity
    meta[m.ASK] = ask
    meta[m.ASK_QUANTITY] = ask_quantity
    return changed


def is_crossed(meta: Any) -> Any:
    """Best bid at or above best ask; never where a side is empty."""
    return meta[m.N_BIDS] > 0 and meta[m.N_ASKS] > 0 and meta[m.BID] >= meta[m.ASK]


def fits(events: Any, begin: int, end: int, meta: Any, capacity: int, empty: bool) -> int:
    """0 where a frame surely fits; else a capacity at which it does. ``empty``: the frame replaces the book."""
    bids = 0 if empty else meta[m.N_BIDS]
    asks = 0 if empty else meta[m.N_ASKS]
    if bids + end - begin <= capacity and asks + end - begin <= capacity:
        return 0
    for index in range(begin, end):
        event = events[index]
        if event["quantity"] > 0:
            if event["side"] == 1:
                bids += 1
            else:
                asks += 1
    need = bids if bids > asks else asks
    return 0 if need <= capacity else need
