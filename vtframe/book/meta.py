"""Columns of the int64 array that describes each book; compiled code and Python both index by them."""

from __future__ import annotations

STATE = 0  # BookState
N_BIDS = 1  # levels on each side
N_ASKS = 2
BID = 3  # the best levels, fixed point; 0 where a side is empty
BID_QUANTITY = 4
ASK = 5
ASK_QUANTITY = 6
LAST_ID = 7  # the venue's id of the last change applied; -1 before the first
RULE = 8  # SequenceRule
FIRST = 9  # 1 until the first depth frame after a snapshot; 2 where the snapshot came in the stream of the diffs
TS_RECV = 10  # arrival of the last change
TS_EVENT = 11  # the venue's time of the newest event
PENDING = 12  # frames that Python keeps until a snapshot
FRAMES = 13  # from here on: counters
EVENTS = 14
GAPS = 15
CROSSED = 16
RESYNCS = 17
OLD_SNAPSHOTS = 18  # ignored, because the book was newer
OLD_FRAMES = 19  # diffs that end before the snapshot they follow
HINT = 20  # rank among the far bids of the one that changed last: the next change is likely near it; then asks
DEPTH = 22  # levels a side that are kept; 0: all
CHECK = 23  # how the venue's checksum is made (book.checksum); 0: it sends none
PRICE_DECIMALS = 24
QUANTITY_DECIMALS = 25
CHECKSUM = 26  # of the best levels as they are; -1: not known
VERIFIED = 27  # frames whose checksum agreed
MISMATCHES = 28  # and did not
DEPTH_TS_EVENT = 29  # the venue's time of the book as it stands: the newest of the depth frames applied
WINDOW = 30  # cells of a side's window (book.window)
TICK = 31  # of prices, fixed point: keys are side * price / tick
BASE = 32  # first key of the bids' window, then of the asks'; the following are pairs, too
SPAN = 34  # WINDOW, or 0 while no key has a place in it
BEST = 36  # the best key in the window; window.EMPTY where it has none
FAR = 38  # levels that are not in the window
OFF = 40  # those of them whose price is no multiple of TICK
LIMIT = 42  # side * price from which on a change is one of the best levels, which kernels and checksums are made of
COLUMNS = 44
