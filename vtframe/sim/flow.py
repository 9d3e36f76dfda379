"""The queue-reactive order flow: Huang, Lehalle and Rosenbaum (2015), "Simulating and Analyzing Order Book Data: The
Queue-Reactive Model", JASA 110(509). Plain Python that is compiled with the market, and works on State and Tables.

Level i of a side waits for limit orders and cancels at rates that depend on i and on the queue's own size; the best queues
also for market orders and for being pulled (a burst that empties them as one; its rate depends on the imbalance). Waiting
times are exponential in the sum of all rates (Gillespie). When a best queue empties, the reference price follows with
probability theta: by one tick, or, with probability theta_reinit, by a measured jump after which the book is drawn anew from
the invariant distribution.
"""

from __future__ import annotations

from vtframe.sim.intensities import (
    AHEAD,
    BEHIND,
    BUCKETS,
    CANCEL_BEHIND,
    CANCEL_BEST,
    DRAWS,
    JUMP,
    LIMIT_BEHIND,
    LIMIT_BEST,
    MARKET,
    QUEUE,
    Tables,
)
from vtframe.sim.matching import cancel_outside, cancel_simulated, match, place, quantity_at, remove, touch
from vtframe.sim.state import (
    AFTER,
    BEFORE,
    CANCELS,
    FLOW,
    HALF,
    HEAD,
    LEVELS,
    LIMITS,
    LOTS,
    MARKETS,
    MOVED,
    MOVES,
    NO_ASK,
    NUMBER,
    ORDERS,
    OWNER,
    PULLS,
    QUANTITY,
    REDRAWS,
    REFERENCE,
    SIDE,
    SIMULATED,
    SLOTS,
    TAIL,
    UNIT,
    State,
)
from vtframe.sim.xoshiro import uniform

_MASK = SLOTS - 1
_PIECES = 32  # a drawn queue is made of at most so many orders
_FLOOR = 2 * HALF  # the reference price turns around here: prices stay positive


def bucket(lots: int, unit: int) -> int:
    """Number of the bucket of a queue of ``lots``: 0 empty, then (0, 1], (1, 2], (2, 4] ... (128, 256] units, more."""
    if lots <= 0:
        return 0
    units = (lots + unit - 1) // unit
    index = 1
    while index < 10 and (1 << (index - 1)) < units:
        index += 1
    return index


def _draw(state: State, tables: Tables, row: int) -> int:
    value: int = tables.lots[row, int(uniform(state.random, FLOW) * DRAWS)]
    return value


def imbalance_bin(own: int, opposite: int) -> int:
    """Which of the equal parts of [-1, 1] the imbalance (own - opposite) / (own + opposite) is in; own queue not empty."""
    return min(BUCKETS - 1, own * BUCKETS // (own + opposite))


def _refresh_best(state: State, tables: Tables, side: int) -> None:
    """Set the rate of market orders and pulls that hit the best queue of ``side``: by its size, and by the imbalance."""
    reference = state.scalars[REFERENCE]
    price = reference if side == 1 else reference + 1
    own = quantity_at(state, side, price)
    rate = tables.rates[0, 0, bucket(own, state.scalars[UNIT])]
    if own > 0 and state.levels[price & _MASK, SIMULATED] > 0:
        rate += tables.rates[1, 0, imbalance_bin(own, quantity_at(state, -side, price + side))]
    rates = state.rates
    index = 0 if side == 1 else 1
    rates[len(rates) - 1] += rate - rates[index]
    rates[index] = rate


def refresh_level(state: State, tables: Tables, side: int, level: int) -> None:
    """Set the rates of one level from its queue, and keep the sum."""
    reference = state.scalars[REFERENCE]
    price = reference - level + 1 if side == 1 else reference + level
    slot = price & _MASK
    at = bucket(quantity_at(state, side, price), state.scalars[UNIT])
    cancelable = state.levels[slot, SIDE] == side and state.levels[slot, SIMULATED] > 0
    rate = tables.rates[0, level, at] + (tables.rates[1, level, at] if cancelable else 0.0)
    rates = state.rates
    last = len(rates) - 1
    index = 2 * level + (0 if side == 1 else 1)
    rates[last] += rate - rates[index]
    rates[index] = rate
    if level == 1:
        _refresh_best(state, tables, 1)
        _refresh_best(state, tables, -1)


def refresh_all(state: State, tables: Tables) -> None:
    """Set every rate and add them up afresh, so that rounding does not pile up."""
    for level in range(1, state.scalars[LEVELS] + 1):
        refresh_level(state, tables, 1, level)
        refresh_level(state, tables, -1, level)
    total = 0.0
    last = len(state.rates) - 1
    for index in range(last):
        total += state.rates[index]
    state.rates[last] = total


def _fill_level(state: State, tables: Tables, side: int, level: int, row: int) -> None:
    """Draw a queue from ``row`` and place it as orders of the usual sizes."""
    lots = _draw(state, tables, row)
    reference = state.scalars[REFERENCE]
    price = reference - level + 1 if side == 1 else reference + level
    sizes = LIMIT_BEST + bucket(lots, state.scalars[UNIT]) if level == 1 else LIMIT_BEHIND
    pieces = 1
    while lots > 0:
        part = lots if pieces == _PIECES else min(lots, _draw(state, tables, sizes))
        place(state, side, price, part, 0, 1)
        lots -= part
        pieces += 1


def _leave_window(state: State, reference: int) -> None:
    """Cancel what is further than HALF from the new ``reference``, so that its slots are free for other prices."""
    old = state.scalars[REFERENCE]
    first, last = (reference + HALF + 1, old + HALF) if reference < old else (old - HALF + 1, reference - HALF)
    for price in range(first, last + 1):
        slot = price & _MASK
        while state.levels[slot, ORDERS] > 0:
            index = state.levels[slot, HEAD]
            if state.orders[index, OWNER]:
                cancel_outside(state, state.orders[index, NUMBER])
            else:
                remove(state, index)


def redraw(state: State, tables: Tables, direction: int, ticks: int, first_row: int) -> None:
    """Move the reference price and draw the whole book anew; orders from outside stay, and trade where they now cross.

    ``first_row``: AHEAD for the measured best queues after a move, else the row that both best queues are drawn from.
    """
    scalars = state.scalars
    for level in range(1, scalars[LEVELS] + 1):
        cancel_simulated(state, scalars[REFERENCE] - level + 1)
        cancel_simulated(state, scalars[REFERENCE] + level)
    reference = scalars[REFERENCE] + direction * ticks
    if ticks:
        _leave_window(state, reference)
    scalars[REFERENCE] = reference
    pursuer = direction or 1  # asks (-1) follow a falling price: they meet bids that were left above it
    for side in (pursuer, -pursuer):
        row = first_row if first_row != AHEAD else (BEHIND if side == pursuer else AHEAD)
        _fill_level(state, tables, side, 1, row)
        for level in range(2, scalars[LEVELS] + 1):
            _fill_level(state, tables, side, level, tables.queue_row[level])
    scalars[MOVED] = 1


def _shift(state: State, tables: Tables, direction: int) -> None:
    """Move the reference price by one tick; the level that leaves is canceled, the level that enters is drawn."""
    scalars = state.scalars
    old = scalars[REFERENCE]
    levels = scalars[LEVELS]
    cancel_simulated(state, old + levels if direction < 0 else old - levels + 1)
    _leave_window(state, old + direction)
    scalars[REFERENCE] = old + direction
    _fill_level(state, tables, 1 if direction < 0 else -1, levels, tables.queue_row[levels])
    scalars[MOVED] = 1


def follow(state: State, tables: Tables, bid_lots: int, ask_lots: int) -> None:
    """Move the reference price, perhaps, if a best queue that held ``bid_lots`` or ``ask_lots`` is empty now."""
    scalars = state.scalars
    reference = scalars[REFERENCE]
    if bid_lots > 0 and quantity_at(state, 1, reference) == 0:
        direction = -1
    elif ask_lots > 0 and quantity_at(state, -1, reference + 1) == 0:
        direction = 1
    else:
        return
    if uniform(state.random, FLOW) >= tables.chances[0]:
        return
    scalars[MOVES] += 1
    jumps = uniform(state.random, FLOW) < tables.chances[1]
    ticks = _draw(state, tables, JUMP) if jumps else 1
    if reference + direction * ticks < _FLOOR:
        jumps, direction = True, 1
    if jumps:
        scalars[REDRAWS] += 1
        redraw(state, tables, direction, ticks, AHEAD)
    else:
        _shift(state, tables, direction)


def _find_order(state: State, tables: Tables, price: int) -> int:
    """One simulated order at ``price``, at a measured place in its queue."""
    slot = price & _MASK
    count = state.levels[slot, SIMULATED]
    rank = int(tables.place[int(uniform(state.random, FLOW) * DRAWS)] * (count - 1) + 0.5)
    forward = 2 * rank < count
    steps = rank if forward else count - 1 - rank
    index: int = state.levels[slot, HEAD if forward else TAIL]
    link = AFTER if forward else BEFORE
    while True:
        if state.orders[index, OWNER] == 0:
            if steps == 0:
                break
            steps -= 1
        index = state.orders[index, link]
    return index


def _cancel(state: State, tables: Tables, price: int, lots: int) -> None:
    """Cancel ``lots`` of the simulation's orders at ``price``: whole orders, and a part of the last."""
    slot = price & _MASK
    while lots > 0 and state.levels[slot, SIMULATED] > 0:
        index = _find_order(state, tables, price)
        held = state.orders[index, LOTS]
        if held <= lots:
            lots -= held
            remove(state, index)
        else:
            state.orders[index, LOTS] -= lots
            state.levels[slot, QUANTITY] -= lots
            touch(state, price)
            return


def step(state: State, tables: Tables) -> None:
    """One simulated order arrives; which one, by the rates."""
    scalars, rates = state.scalars, state.rates
    reference = scalars[REFERENCE]
    bid_lots, ask_lots = quantity_at(state, 1, reference), quantity_at(state, -1, reference + 1)
    last = len(rates) - 1
    x = uniform(state.random, FLOW) * rates[last]
    index = 0
    while index < last - 1 and x >= rates[index]:
        x -= rates[index]
        index += 1
    level = index >> 1
    side = 1 if index & 1 == 0 else -1
    at = bucket(bid_lots if side == 1 else ask_lots, scalars[UNIT])
    if level == 0:
        if x < tables.rates[0, 0, at]:
            scalars[MARKETS] += 1
            match(state, -side, NO_ASK if side == -1 else 0, _draw(state, tables, MARKET + at), 0, 0)
        else:
            scalars[PULLS] += 1
            price = reference if side == 1 else reference + 1
            lots = int((bid_lots if side == 1 else ask_lots) * tables.chances[2])
            match(state, -side, price, lots, 0, 0)
            cancel_simulated(state, price)
    else:
        price = reference - level + 1 if side == 1 else reference + level
        slot = price & _MASK
        cancelable = state.levels[slot, SIDE] == side and state.levels[slot, SIMULATED] > 0
        held = quantity_at(state, side, price)
        at = bucket(held, scalars[UNIT])
        if x < tables.rates[0, level, at] or not cancelable:
            scalars[LIMITS] += 1
            place(state, side, price, _draw(state, tables, LIMIT_BEST + at if level == 1 else LIMIT_BEHIND), 0, 1)
        else:
            scalars[CANCELS] += 1
            part = _draw(state, tables, (CANCEL_BEST if level == 1 else CANCEL_BEHIND) + at)
            _cancel(state, tables, price, max(1, held * part // 1_000_000))
    follow(state, tables, bid_lots, ask_lots)


def start(state: State, tables: Tables) -> None:
    """Draw the first book, around the reference price as it is."""
    redraw(state, tables, 0, 0, QUEUE)
    refresh_all(state, tables)
