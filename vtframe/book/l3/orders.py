"""Orders by id: a hash table of slots, open addressing, nothing left behind by what is removed.

Plain Python that is compiled with the book. ``orders`` is int64 (slot, column); ``table`` int64, twice as long or more, a power
of two: slot + 1, or 0.
"""

from __future__ import annotations

from typing import Any

from vtframe.book import meta as m
from vtframe.book.l3 import layout as at

SPREAD = 0x9E3779B97F4A7C15 - (1 << 64)  # odd; multiplication wraps round


def place_of(order_id: int, size: int) -> int:
    """Where the search for an id begins."""
    mixed = (order_id ^ (order_id >> 32)) * SPREAD
    return (mixed >> 32) & (size - 1)


def find(order_id: int, orders: Any, table: Any) -> int:
    """Slot of an order; NONE where it is not known."""
    size = len(table)
    place = place_of(order_id, size)
    while table[place] != 0:
        slot: int = table[place] - 1
        if orders[slot, at.ID] == order_id:
            return slot
        place = (place + 1) & (size - 1)
    return at.NONE


def take(order_id: int, orders: Any, table: Any, meta: Any) -> int:
    """A slot for an order that is not known. The caller made sure that there is room."""
    slot: int = meta[at.FREE]
    if slot == at.NONE:
        slot = meta[at.USED]
        meta[at.USED] = slot + 1
    else:
        meta[at.FREE] = orders[slot, at.AFTER]
    orders[slot, at.ID] = order_id
    enter(slot, orders, table)
    meta[at.ORDERS] += 1
    return slot


def enter(slot: int, orders: Any, table: Any) -> None:
    """Make a slot findable."""
    size = len(table)
    place = place_of(orders[slot, at.ID], size)
    while table[place] != 0:
        place = (place + 1) & (size - 1)
    table[place] = slot + 1


def give(slot: int, orders: Any, table: Any, meta: Any) -> None:
    """Free a slot, and close the hole in the table: what stood behind it moves up."""
    size = len(table)
    hole = place_of(orders[slot, at.ID], size)
    while table[hole] != slot + 1:
        hole = (hole + 1) & (size - 1)
    place = (hole + 1) & (size - 1)
    while table[place] != 0:
        home = place_of(orders[table[place] - 1, at.ID], size)
        if (place - home) & (size - 1) >= (place - hole) & (size - 1):
            table[hole] = table[place]
            hole = place
        place = (place + 1) & (size - 1)
    table[hole] = 0
    orders[slot, at.AFTER] = meta[at.FREE]
    meta[at.FREE] = slot
    meta[at.ORDERS] -= 1


def enter_all(orders: Any, table: Any, levels: Any, meta: Any) -> None:
    """Fill an empty table with every order of the book, level by level: after it grew."""
    for side in range(2):
        for place in range(meta[m.N_BIDS + side]):
            slot = levels[side, at.HEAD, place]
            while slot != at.NONE:
                enter(slot, orders, table)
                slot = orders[slot, at.AFTER]
