"""A book's levels: the best of each side in a window of ticks that follows the price, all others sorted.

Plain Python that is compiled when a pipeline is built. ``near`` is laid out by ``book.window``, ``far`` by ``book.far``.
Every level has one place, which follows from its price alone:

- a price that is a multiple of the tick, and whose key has a place in the window, is in the window;
- every other is in ``far``: multiples of the tick below the window, never above it, and whatever is no multiple (counted in
  ``meta[OFF]``; a wrong tick makes a book slow, not wrong);
- where the window is empty, no level in ``far`` is a multiple of the tick.
"""

from __future__ import annotations

from typing import Any

from vtframe.book import meta as m
from vtframe.book import window
from vtframe.book.far import drop_worst, replace
from vtframe.book.window import EMPTY, best_from, mark, unmark, worst_from

LOWEST = -(1 << 63)  # of all side * price
_FARTHEST = 1 << 61  # keys beyond have no place in a window: its ends could not be computed


def change(near: Any, far: Any, meta: Any, side: int, price: int, quantity: int) -> int:
    """Set one level's total (0 removes it); returns the total before.

    The caller made sure that there is room. Removing what is not there is no change.
    """
    index = 0 if side == 1 else 1
    score = side * price
    tick = meta[m.TICK]
    key = score // tick
    place = key - meta[m.BASE + index]
    if place < 0 or place >= meta[m.SPAN + index] or key * tick != score:
        return change_outside(near, far, meta, index, price, quantity)
    size = meta[m.WINDOW]
    cell = key & (size - 1)
    previous = near[index, cell]
    near[index, cell] = quantity
    if quantity > 0:
        if previous == 0:
            mark(near, index, size, key)
            meta[m.N_BIDS + index] += 1
            if key > meta[m.BEST + index]:
                meta[m.BEST + index] = key
    elif previous > 0:
        unmark(near, index, size, key)
        meta[m.N_BIDS + index] -= 1
        if key == meta[m.BEST + index]:
            lose_best(near, far, meta, index, size, key)
    return int(previous)


def change_outside(near: Any, far: Any, meta: Any, index: int, price: int, quantity: int) -> int:
    """The same for a level that has no place in the window as it stands."""
    side = 1 - 2 * index
    tick = meta[m.TICK]
    key = side * price // tick
    whole = is_whole(side * price, tick)
    best = meta[m.BEST + index]
    if whole and quantity > 0 and key > best:
        size = meta[m.WINDOW]
        if best == EMPTY or key >= meta[m.BASE + index] + size:
            raise_window(near, far, meta, index, key)
            near[index, key & (size - 1)] = quantity
            mark(near, index, size, key)
            meta[m.BEST + index] = key
            meta[m.N_BIDS + index] += 1
            return 0
    before = meta[m.FAR + index]
    previous = replace(far, meta, side, price, quantity)
    more = meta[m.FAR + index] - before
    meta[m.N_BIDS + index] += more
    if not whole:
        meta[m.OFF + index] += more
    return previous


def is_whole(score: int, tick: int) -> Any:
    """Whether a price is a multiple of the tick (and not at the very end of int64)."""
    key = score // tick
    return key * tick == score and -_FARTHEST <= key < _FARTHEST


def first_key(best: int, size: int) -> int:
    """Where a window begins whose best level is ``best``: seven eighths below it, since most changes are behind the best."""
    base = ((best - size + (size >> 3) + 63) >> 6) << 6
    return max(-_FARTHEST, min(base, _FARTHEST - size))


def raise_window(near: Any, far: Any, meta: Any, index: int, key: int) -> None:
    """Give ``key`` a place, which is better than all that have one; what falls out of the window is the best in ``far``."""
    size = meta[m.WINDOW]
    base = first_key(key, size)
    if meta[m.BEST + index] != EMPTY:
        side = 1 - 2 * index
        start = meta[m.BASE + index]
        stop = min(start + size, base)
        leaving = worst_from(near, index, size, start, stop)
        while leaving != EMPTY:
            cell = leaving & (size - 1)
            replace(far, meta, side, side * leaving * meta[m.TICK], near[index, cell])
            near[index, cell] = 0
            unmark(near, index, size, leaving)
            leaving = worst_from(near, index, size, leaving + 1, stop)
    meta[m.BASE + index] = base
    meta[m.SPAN + index] = size


def lose_best(near: Any, far: Any, meta: Any, index: int, size: int, key: int) -> None:
    """The best level of the window is gone: find the next. A window whose best is in its last quarter moves after it."""
    base = meta[m.BASE + index]
    best = best_from(near, index, size, base, key)
    meta[m.BEST + index] = best
    if best == EMPTY:
        best = best_whole(far, meta, index)
        if best == EMPTY:
            meta[m.SPAN + index] = 0
            return
    if best - base < size >> 2:
        lower_window(near, far, meta, index, size, best)


def best_whole(far: Any, meta: Any, index: int) -> Any:
    """The best key in ``far``; EMPTY where no price there is a multiple of the tick."""
    side = 1 - 2 * index
    tick = meta[m.TICK]
    place = meta[m.FAR + index] - 1
    while place >= 0:
        score = side * far[index, 0, place]
        if is_whole(score, tick):
            return score // tick
        place -= 1
    return EMPTY


def lower_window(near: Any, far: Any, meta: Any, index: int, size: int, best: int) -> None:
    """Move the window down to where ``best`` is near its end. Nothing falls out of it; what now has a place in it moves in."""
    base = first_key(best, size)
    side = 1 - 2 * index
    tick = meta[m.TICK]
    prices, quantities = far[index, 0], far[index, 1]
    count = meta[m.FAR + index]
    start = count
    while start > 0 and side * prices[start - 1] // tick >= base:
        start -= 1
    kept = start
    for place in range(start, count):
        score = side * prices[place]
        if is_whole(score, tick):
            key = score // tick
            near[index, key & (size - 1)] = quantities[place]
            mark(near, index, size, key)
        else:
            prices[kept] = prices[place]
            quantities[kept] = quantities[place]
            kept += 1
    meta[m.FAR + index] = kept
    meta[m.HINT + index] = 0
    meta[m.BASE + index] = base
    meta[m.BEST + index] = best


def clear(near: Any, meta: Any) -> None:
    """Empty both sides."""
    for index in range(2):
        if meta[m.BEST + index] != EMPTY:
            window.empty(near, index, meta[m.WINDOW])
        meta[m.N_BIDS + index] = 0
        meta[m.FAR + index] = 0
        meta[m.OFF + index] = 0
        meta[m.HINT + index] = 0
        meta[m.SPAN + index] = 0
        meta[m.BASE + index] = 0
        meta[m.BEST + index] = EMPTY
        meta[m.LIMIT + index] = LOWEST


def truncate(near: Any, far: Any, meta: Any) -> None:
    """Drop the worst levels beyond the book's depth: its venue does not say when a level falls out of it."""
    for index in range(2):
        surplus = meta[m.N_BIDS + index] - meta[m.DEPTH]
        if surplus > 0:
            meta[m.N_BIDS + index] -= surplus
            count = meta[m.FAR + index]
            if count > 0 and meta[m.OFF + index] == 0:
                first = min(surplus, count)
                drop_worst(far, meta, index, first)
                surplus -= first
            for _ in range(surplus):
                drop_one(near, far, meta, index)


def drop_one(near: Any, far: Any, meta: Any, index: int) -> None:
    """Drop the worst level, wherever it is."""
    side = 1 - 2 * index
    tick = meta[m.TICK]
    size = meta[m.WINDOW]
    key = EMPTY
    if meta[m.BEST + index] != EMPTY:
        key = worst_from(near, index, size, meta[m.BASE + index], meta[m.BASE + index] + size)
    if meta[m.FAR + index] > 0:
        score = side * far[index, 0, 0]
        if key == EMPTY or score < key * tick:
            if not is_whole(score, tick):
                meta[m.OFF + index] -= 1
            drop_worst(far, meta, index, 1)
            return
    near[index, key & (size - 1)] = 0
    unmark(near, index, size, key)
    if key == meta[m.BEST + index]:  # it was the only one, and what is left is no multiple of the tick
        meta[m.BEST + index] = EMPTY
        meta[m.SPAN + index] = 0


def is_near(far: Any, meta: Any, index: int, key: int, place: int) -> Any:
    """Which of two levels is the better: that of ``key`` in the window (or EMPTY), not that at ``place`` in ``far`` (or -1)."""
    if key == EMPTY:
        return False
    if meta[m.OFF + index] == 0 or place < 0:
        return True
    return key * meta[m.TICK] > (1 - 2 * index) * far[index, 0, place]


def level_at(near: Any, far: Any, meta: Any, index: int, key: int, place: int) -> tuple[Any, Any]:
    """Price and quantity of the better of those two. There is one."""
    if is_near(far, meta, index, key, place):
        return (1 - 2 * index) * key * meta[m.TICK], near[index, key & (meta[m.WINDOW] - 1)]
    return far[index, 0, place], far[index, 1, place]


def after_level(near: Any, far: Any, meta: Any, index: int, key: int, place: int) -> tuple[Any, Any]:
    """The two that are the best after it: from ``meta[BEST]`` and the last one in ``far`` on, this goes through a side."""
    if is_near(far, meta, index, key, place):
        return best_from(near, index, meta[m.WINDOW], meta[m.BASE + index], key - 1), place
    return key, place - 1


def note_best(near: Any, far: Any, meta: Any) -> Any:
    """Write the best levels into ``meta``; returns whether one of the four numbers changed."""
    changed = False
    for index in range(2):
        price = quantity = 0
        if meta[m.N_BIDS + index] > 0:
            price, quantity = level_at(near, far, meta, index, meta[m.BEST + index], meta[m.FAR + index] - 1)
        column = m.BID + 2 * index
        if meta[column] != price or meta[column + 1] != quantity:
            meta[column] = price
            meta[column + 1] = quantity
            changed = True
    return changed


def is_crossed(meta: Any) -> Any:
    """Best bid at or above best ask; never where a side is empty."""
    return meta[m.N_BIDS] > 0 and meta[m.N_ASKS] > 0 and meta[m.BID] >= meta[m.ASK]


def fits(events: Any, begin: int, end: int, meta: Any, capacity: int, empty: bool) -> int:
    """0 where a frame surely fits; else a capacity at which it does. ``empty``: the frame replaces the book.

    ``far`` has room for all levels of a side, for all may come to lie there.
    """
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
