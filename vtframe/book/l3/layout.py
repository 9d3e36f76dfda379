"""Where things lie in the int64 arrays of an order-by-order book; compiled code and Python both index by these."""

from __future__ import annotations

from vtframe.book import meta as m

# levels: (side, row, capacity), side 0 bids, sorted with the best level last
PRICE = 0
QUANTITY = 1  # of all orders
UNNAMED = 2  # of the orders that were there before we looked: they stand first, and their ids are not known
COUNT = 3  # orders that are known
HEAD = 4  # slot of the first of them, and of the last; -1 where there is none
TAIL = 5
LEVEL_ROWS = 6

# orders: (slot, column)
ID = 0
SIDE = 1  # 1 bid, -1 ask
AT = 2  # its price
LEFT = 3  # its quantity
BEFORE = 4  # slots of its neighbours in the queue; -1 at the ends
AFTER = 5
ORDER_COLUMNS = 6
NONE = -1

# meta: the columns of vtframe.book.meta, as far as they apply, then these
ORDERS = m.COLUMNS  # that are known
FREE = m.COLUMNS + 1  # first slot of the chain of free ones; -1 where there is none
USED = m.COLUMNS + 2  # slots that were ever used
FILLS = m.COLUMNS + 3
OUT_OF_TURN = m.COLUMNS + 4  # fills of an order that others stood before
FAULTS = m.COLUMNS + 5  # events that contradict the book
IGNORED = m.COLUMNS + 6  # frames that came while the book waited for a snapshot
COLUMNS = m.COLUMNS + 7

# control
POSITION = 0  # the frame that was reached
NEED = 1  # what must grow, and to what
OUT_FRAMES = 2  # filled in the output
OUT_EVENTS = 3
CONTROL = 4

# what the kernel returns
DONE = 0
MORE_ORDERS = 1
MORE_LEVELS = 2
MORE_OUTPUT = 3
BAD = 4  # the frame at POSITION breaks the contract of records
