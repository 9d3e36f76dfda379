"""Price-time matching: the best price first, within a price the oldest order first; a book that never crosses.

Plain Python that is compiled with the market (vtframe.sim.compiled). Works on State; sides are 1 (bid, buy) and -1 (ask, sell).
"""

from __future__ import annotations

from vtframe.sim.state import (
    AFTER,
    ASK,
    ASK_LEVELS,
    BEFORE,
    BID,
    BID_LEVELS,
    CANCELED,
    FREE,
    HEAD,
    LOTS,
    MAKER_FILL,
    MARK,
    NO_ASK,
    NOW,
    NUMBER,
    ORDER_NUMBER,
    ORDERS,
    OUTSIDE,
    OWNER,
    PRICE,
    PRINTS,
    QUANTITY,
    REFUSED,
    REPORTED,
    SIDE,
    SIMULATED,
    SLOTS,
    TAIL,
    TAKER_FILL,
    TOUCHED,
    W_LOTS,
    W_OUTSIDE,
    W_PRICE,
    W_SIDE,
    W_TOUCHED,
    State,
)

_MASK = SLOTS - 1


def quantity_at(state: State, side: int, price: int) -> int:
    """Lots resting at ``price`` on ``side``."""
    slot = price & _MASK
    lots: int = state.levels[slot, QUANTITY] if state.levels[slot, SIDE] == side else 0
    return lots


def touch(state: State, price: int) -> None:
    """Remember that the level at ``price`` may differ from what was published."""
    slot = price & _MASK
    if state.levels[slot, MARK] == 0:
        state.levels[slot, MARK] = 1
        state.work[state.scalars[TOUCHED], W_TOUCHED] = price
        state.scalars[TOUCHED] += 1


def report(state: State, kind: int, number: int, side: int, price: int, lots: int, leaves: int) -> None:
    row = state.reports[state.scalars[REPORTED]]
    row["ts_event"] = state.scalars[NOW]
    row["order"] = number
    row["price"] = price
    row["quantity"] = lots
    row["leaves"] = leaves
    row["side"] = side
    row["kind"] = kind
    state.scalars[REPORTED] += 1


def _find_next(state: State, side: int, price: int) -> int:
    """The best price of ``side`` behind ``price``; 0 or NO_ASK where the side is empty."""
    if state.scalars[BID_LEVELS if side == 1 else ASK_LEVELS] == 0:
        return 0 if side == 1 else NO_ASK
    price -= side
    while state.levels[price & _MASK, SIDE] != side:
        price -= side
    return price


def _append(state: State, side: int, price: int, lots: int, number: int, outside: int) -> bool:
    """Put an order at the end of its queue; False where the pool is full."""
    scalars, levels, orders = state.scalars, state.levels, state.orders
    index = scalars[FREE]
    if index < 0:
        scalars[REFUSED] += 1
        return False
    scalars[FREE] = orders[index, AFTER]
    slot = price & _MASK
    if levels[slot, ORDERS] == 0:
        levels[slot, SIDE] = side
        levels[slot, HEAD] = index
        if side == 1:
            scalars[BID_LEVELS] += 1
            scalars[BID] = max(scalars[BID], price)
        else:
            scalars[ASK_LEVELS] += 1
            scalars[ASK] = min(scalars[ASK], price)
    else:
        orders[levels[slot, TAIL], AFTER] = index
    orders[index, BEFORE] = levels[slot, TAIL]
    orders[index, AFTER] = -1
    orders[index, LOTS] = lots
    orders[index, NUMBER] = number
    orders[index, PRICE] = price
    orders[index, OWNER] = 0
    levels[slot, TAIL] = index
    levels[slot, ORDERS] += 1
    levels[slot, QUANTITY] += lots
    if outside:
        state.work[scalars[OUTSIDE], W_OUTSIDE] = index
        scalars[OUTSIDE] += 1
        orders[index, OWNER] = scalars[OUTSIDE]
    else:
        levels[slot, SIMULATED] += 1
    touch(state, price)
    return True


def remove(state: State, index: int) -> None:
    """Take an order, with what is left of it, out of its queue."""
    scalars, levels, orders = state.scalars, state.levels, state.orders
    price = orders[index, PRICE]
    slot = price & _MASK
    before, after = orders[index, BEFORE], orders[index, AFTER]
    if before >= 0:
        orders[before, AFTER] = after
    else:
        levels[slot, HEAD] = after
    if after >= 0:
        orders[after, BEFORE] = before
    else:
        levels[slot, TAIL] = before
    levels[slot, QUANTITY] -= orders[index, LOTS]
    levels[slot, ORDERS] -= 1
    place = orders[index, OWNER]
    if place:
        scalars[OUTSIDE] -= 1
        last = state.work[scalars[OUTSIDE], W_OUTSIDE]
        state.work[place - 1, W_OUTSIDE] = last
        orders[last, OWNER] = place
    else:
        levels[slot, SIMULATED] -= 1
    orders[index, NUMBER] = 0
    orders[index, AFTER] = scalars[FREE]
    scalars[FREE] = index
    touch(state, price)
    if levels[slot, ORDERS] == 0:
        side = levels[slot, SIDE]
        levels[slot, SIDE] = 0
        if side == 1:
            scalars[BID_LEVELS] -= 1
            if price == scalars[BID]:
                scalars[BID] = _find_next(state, 1, price)
        else:
            scalars[ASK_LEVELS] -= 1
            if price == scalars[ASK]:
                scalars[ASK] = _find_next(state, -1, price)


def _print(state: State, side: int, price: int, lots: int) -> None:
    """Add to this instant's trades: one for each price that the aggressor trades at."""
    count = state.scalars[PRINTS]
    work = state.work
    if count and work[count - 1, W_PRICE] == price and work[count - 1, W_SIDE] == side:
        work[count - 1, W_LOTS] += lots
        return
    work[count, W_PRICE] = price
    work[count, W_LOTS] = lots
    work[count, W_SIDE] = side
    state.scalars[PRINTS] = count + 1


def match(state: State, side: int, limit: int, lots: int, number: int, outside: int) -> int:
    """Trade up to ``lots`` for an aggressor on ``side`` at ``limit`` or better; returns what is left."""
    scalars, levels, orders = state.scalars, state.levels, state.orders
    while lots > 0:
        price = scalars[ASK] if side == 1 else scalars[BID]
        if price in (0, NO_ASK) or (price - limit) * side > 0:
            break
        slot = price & _MASK
        traded = 0
        while lots > 0 and levels[slot, ORDERS] > 0 and levels[slot, SIDE] == -side:
            index = levels[slot, HEAD]
            part = min(lots, orders[index, LOTS])
            lots -= part
            traded += part
            orders[index, LOTS] -= part
            levels[slot, QUANTITY] -= part
            if orders[index, OWNER]:
                report(state, MAKER_FILL, orders[index, NUMBER], -side, price, part, orders[index, LOTS])
            if orders[index, LOTS] == 0:
                remove(state, index)
        touch(state, price)
        _print(state, side, price, traded)
        if outside:
            report(state, TAKER_FILL, number, side, price, traded, lots)
    return lots


def place(state: State, side: int, price: int, lots: int, outside: int, rests: int) -> int:
    """A limit order: it trades with what crosses it, and the rest waits in its queue (``rests``) or is gone. Its number."""
    number: int = state.scalars[ORDER_NUMBER]
    state.scalars[ORDER_NUMBER] += 1
    left = match(state, side, price, lots, number, outside)
    if left and rests and not _append(state, side, price, left, number, outside) and outside:
        rests = 0  # the pool is full
    if left and outside and not rests:
        report(state, CANCELED, number, side, price, left, 0)
    return number


def cancel_simulated(state: State, price: int) -> None:
    """Every order of the simulation at ``price`` goes; orders from outside stay."""
    levels, orders = state.levels, state.orders
    slot = price & _MASK
    index = levels[slot, HEAD] if levels[slot, SIMULATED] else -1
    while index >= 0:
        after = orders[index, AFTER]
        if orders[index, OWNER] == 0:
            remove(state, index)
        index = after


def cancel_outside(state: State, number: int) -> int:
    """Cancel an order from outside; the lots that were left, 0 where it is not working."""
    for at in range(state.scalars[OUTSIDE]):
        index = state.work[at, W_OUTSIDE]
        if state.orders[index, NUMBER] == number:
            lots: int = state.orders[index, LOTS]
            price = state.orders[index, PRICE]
            report(state, CANCELED, number, state.levels[price & _MASK, SIDE], price, lots, 0)
            remove(state, index)
            return lots
    return 0
