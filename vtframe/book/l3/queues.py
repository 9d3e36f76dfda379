"""Price levels with their queues: who stands where. Plain Python that is compiled with the book."""

from __future__ import annotations

from typing import Any

from vtframe.book import meta as m
from vtframe.book.far import find as find_level
from vtframe.book.l3 import layout as at
from vtframe.book.l3.orders import give, take
from vtframe.book.shift import shift


def level_at(levels: Any, meta: Any, side: int, price: int) -> int:
    """Place of a price's level, or ``NONE - place`` where it would stand."""
    index = 0 if side == 1 else 1
    count = meta[m.N_BIDS + index]
    prices = levels[index, at.PRICE]
    place = find_level(prices, count, side, price, count - 1 if count > 0 else 0)
    return place if place < count and prices[place] == price else at.NONE - place


def open_level(levels: Any, meta: Any, side: int, price: int) -> int:
    """Place of a price's level, which is made where it is not there. The caller made sure that there is room."""
    place = level_at(levels, meta, side, price)
    if place >= 0:
        return place
    place = at.NONE - place
    index = 0 if side == 1 else 1
    count = meta[m.N_BIDS + index]
    for row in range(at.LEVEL_ROWS):
        shift(levels[index, row], place, count, 1)
    levels[index, at.PRICE, place] = price
    levels[index, at.QUANTITY, place] = 0
    levels[index, at.UNNAMED, place] = 0
    levels[index, at.COUNT, place] = 0
    levels[index, at.HEAD, place] = at.NONE
    levels[index, at.TAIL, place] = at.NONE
    meta[m.N_BIDS + index] = count + 1
    return place


def close_level(levels: Any, meta: Any, index: int, place: int) -> None:
    """Take an empty level away."""
    count = meta[m.N_BIDS + index]
    for row in range(at.LEVEL_ROWS):
        shift(levels[index, row], place + 1, count, -1)
    meta[m.N_BIDS + index] = count - 1


def join(order_id: int, side: int, price: int, quantity: int, levels: Any, orders: Any, table: Any, meta: Any) -> int:
    """A new order at the end of its price's queue; returns the level's total."""
    place = open_level(levels, meta, side, price)
    index = 0 if side == 1 else 1
    slot = take(order_id, orders, table, meta)
    tail = levels[index, at.TAIL, place]
    orders[slot, at.SIDE] = side
    orders[slot, at.AT] = price
    orders[slot, at.LEFT] = quantity
    orders[slot, at.BEFORE] = tail
    orders[slot, at.AFTER] = at.NONE
    if tail == at.NONE:
        levels[index, at.HEAD, place] = slot
    else:
        orders[tail, at.AFTER] = slot
    levels[index, at.TAIL, place] = slot
    levels[index, at.COUNT, place] += 1
    levels[index, at.QUANTITY, place] += quantity
    return int(levels[index, at.QUANTITY, place])


def leave(slot: int, index: int, place: int, levels: Any, orders: Any, table: Any, meta: Any) -> None:
    """Take an order out of its queue. Its quantity is already out of the level's."""
    before, after = orders[slot, at.BEFORE], orders[slot, at.AFTER]
    if before == at.NONE:
        levels[index, at.HEAD, place] = after
    else:
        orders[before, at.AFTER] = after
    if after == at.NONE:
        levels[index, at.TAIL, place] = before
    else:
        orders[after, at.BEFORE] = before
    levels[index, at.COUNT, place] -= 1
    give(slot, orders, table, meta)


def forget(index: int, place: int, levels: Any, orders: Any, table: Any, meta: Any) -> None:
    """Take all orders out of a level; its quantity is then of orders that are not known."""
    slot = levels[index, at.HEAD, place]
    while slot != at.NONE:
        after = orders[slot, at.AFTER]
        give(slot, orders, table, meta)
        slot = after
    levels[index, at.HEAD, place] = at.NONE
    levels[index, at.TAIL, place] = at.NONE
    levels[index, at.COUNT, place] = 0
    levels[index, at.UNNAMED, place] = levels[index, at.QUANTITY, place]


def lessen(slot: int, quantity: int, levels: Any, orders: Any, table: Any, meta: Any) -> int:
    """Take ``quantity`` (at most all) from an order; the level's total then, or NONE where the order has less."""
    left = orders[slot, at.LEFT]
    if quantity > left:
        return at.NONE
    side, price = orders[slot, at.SIDE], orders[slot, at.AT]
    index = 0 if side == 1 else 1
    place = level_at(levels, meta, side, price)
    levels[index, at.QUANTITY, place] -= quantity
    total = levels[index, at.QUANTITY, place]
    if quantity == left:
        leave(slot, index, place, levels, orders, table, meta)
    else:
        orders[slot, at.LEFT] = left - quantity
    if total == 0:
        close_level(levels, meta, index, place)
    return int(total)


def lessen_unnamed(side: int, price: int, quantity: int, levels: Any, meta: Any) -> int:
    """Take ``quantity`` from the orders that were there before we looked; the level's total, or NONE where they have less."""
    place = level_at(levels, meta, side, price)
    index = 0 if side == 1 else 1
    if place < 0 or quantity <= 0 or levels[index, at.UNNAMED, place] < quantity:
        return at.NONE
    levels[index, at.UNNAMED, place] -= quantity
    levels[index, at.QUANTITY, place] -= quantity
    total = levels[index, at.QUANTITY, place]
    if total == 0:
        close_level(levels, meta, index, place)
    return int(total)


def state_total(side: int, price: int, total: int, levels: Any, orders: Any, table: Any, meta: Any) -> None:
    """A level's total is stated: what the orders that are known do not account for is of others, which stand first."""
    if total == 0:
        place = level_at(levels, meta, side, price)
        if place < 0:
            return
    else:
        place = open_level(levels, meta, side, price)
    index = 0 if side == 1 else 1
    named = levels[index, at.QUANTITY, place] - levels[index, at.UNNAMED, place]
    levels[index, at.QUANTITY, place] = total
    levels[index, at.UNNAMED, place] = total - named
    if named > total or total == 0:
        forget(index, place, levels, orders, table, meta)
    if total == 0:
        close_level(levels, meta, index, place)


def clear(table: Any, meta: Any) -> None:
    """No level, no order."""
    meta[m.N_BIDS] = meta[m.N_ASKS] = 0
    meta[at.ORDERS] = meta[at.USED] = 0
    meta[at.FREE] = at.NONE
    table[:] = 0


def truncate(levels: Any, orders: Any, table: Any, meta: Any) -> None:
    """Drop the worst levels beyond the depth, and the orders in them."""
    for index in range(2):
        count = meta[m.N_BIDS + index]
        surplus = count - meta[m.DEPTH]
        if surplus > 0:
            for place in range(surplus):
                forget(index, place, levels, orders, table, meta)
            for row in range(at.LEVEL_ROWS):
                shift(levels[index, row], surplus, count, -surplus)
            meta[m.N_BIDS + index] = count - surplus
