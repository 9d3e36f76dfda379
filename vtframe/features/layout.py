"""Where things lie in the arrays that the fused kernel and Python share."""

from __future__ import annotations

from vtframe.book import meta as m

# control: one int64 array for the whole pipeline
POSITION = 0  # the frame at which the kernel stopped
COUNT = 1  # rows made since the caller last looked
LIMIT = 2  # rows that may be made before the kernel must stop
NEED = 3  # levels a side that the books must hold
NEXT_CLOCK = 4  # the next boundary of the clock, ns; 0 before the first frame
INTERVAL = 5  # of the clock, ns
ROWS = 6  # made in all
MODE = 7  # RUN, REPLAY or FINISH
INPUT = 8  # FINISH: the snapshot's input number
TS_RECV = 9  # FINISH: the snapshot's arrival
NEW = 16  # from here on: the instrument of each row, in the order in which they were made

# ints: int64 (instrument, ...); the book's columns, then these, then the features' integer memory
HEAD = m.COLUMNS  # rows written
SLOT = m.COLUMNS + 1  # HEAD modulo the ring's capacity
AGE = m.COLUMNS + 2  # rows since the book became live
ORDER = m.COLUMNS + 3  # of instrument k: which instrument's row is made k-th at a boundary of the clock
INSTRUMENT = m.COLUMNS + 4  # its own index
CALLBACK = m.COLUMNS + 5  # address of this process's way to features that run as Python; 0 where there are none
LEADS = m.COLUMNS + 6  # 1 where other instruments' rows show cells of this one
INT_STATE = m.COLUMNS + 7

# floats: float64 (instrument, ...); units, the best levels, the features' cells, the features' memory
PRICE_SCALE = 0
QUANTITY_SCALE = 1
TICK_SIZE = 2
TOP = 3  # bid prices, bid quantities, ask prices, ask quantities: `depth` each

# what the kernel is asked to do
RUN = 0  # handle frames
REPLAY = 1  # apply frames that waited, to the book only
FINISH = 2  # end instrument `first`'s resync

# what the kernel returns
DONE = 0
GROW = 1  # the books are too small for the frame at POSITION
FULL = 2  # LIMIT rows were made; continue at POSITION
PEND = 3  # the frame at POSITION waits for a snapshot: keep it, continue after it
RESYNC = 4  # the frame at POSITION is a snapshot, and frames are waiting: replay them, then continue after it
BAD = 5  # the frame at POSITION breaks the contract of records
"""The kernel's reasons to hand over to Python."""
