"""FRAME and EVENT: one layout for wire, ring, disk and backtest. A FRAME is the unit of atomicity."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray


class FrameKind(IntEnum):
    """What a frame does to the book's sequence."""

    OTHER = 0
    DEPTH = 1  # a diff: its update ids are checked against the book's
    SNAPSHOT = 2  # replaces the book; its first event is BOOK_CLEAR
    TRADE = 3
    QUOTE = 4  # best bid and ask as the venue states them; never applied to the book
    STATUS = 5  # a loss, a halt, a change of the instrument
    ORDERS = 6  # what happens to single orders (L3): for an order-by-order book, which turns it into DEPTH and TRADE frames


class EventKind(IntEnum):
    BOOK_DELTA = 1  # quantity is the level's new total; 0 removes it
    BOOK_CLEAR = 2  # quantity, where it is not 0, is the depth that each side is kept to from here on
    TRADE = 3  # side is the aggressor's
    QUOTE = 4  # one event a side
    STATUS = 5
    ORDER_ADD = 6  # L3: the order joins the end of its price's queue
    ORDER_REDUCE = 7  # quantity is withdrawn from it; it keeps its place
    ORDER_REMOVE = 8  # it is withdrawn whole; quantity is what it had, where the venue says so
    ORDER_FILL = 9  # quantity of it is traded; side is the resting order's


class EventFlag(IntFlag):
    SNAPSHOT = 1  # part of a full picture
    LAST = 2  # last event of its frame
    GAP = 4  # something before this is missing
    NON_MARKET = 8  # not a market trade (insurance fund, ADL): never feeds trade features
    STALE = 32  # of a STATUS event: nothing was heard for too long; the book waits for a snapshot
    HALTED = 64  # of a STATUS event: the venue does not trade the instrument from here on; its book is as it was
    TRADING = 128  # of a STATUS event: it does again
    IN_STREAM = 16  # a full picture that came between the diffs, in their order: it replaces the book whatever its id


FRAME = np.dtype(
    [
        ("input", "<i8"),  # number of the input that this frame arrived in
        ("ts_recv", "<i8"),  # ns UTC, when the bytes left the socket
        ("first_id", "<i8"),  # venue's update ids; -1 where the venue sends none
        ("last_id", "<i8"),
        ("previous_id", "<i8"),
        ("checksum", "<i8"),  # -1 where there is none
        ("connection", "<i4"),
        ("instrument", "<i4"),  # index in the session's instrument table
        ("kind", "<i4"),  # FrameKind
        ("n_events", "<i4"),
        ("first_event", "<i8"),  # index of the frame's first event in the events array beside it
    ],
    align=True,
)

EVENT = np.dtype(
    [
        ("frame", "<i8"),  # number of the input that this event arrived in
        ("ts_event", "<i8"),  # ns UTC, the venue's time
        ("price", "<i8"),  # fixed point, instrument.price_decimals
        ("quantity", "<i8"),  # fixed point, instrument.quantity_decimals
        ("order_id", "<i8"),  # L3 only; 0 elsewhere
        ("instrument", "<i4"),
        ("flags", "<u2"),  # EventFlag
        ("kind", "u1"),  # EventKind
        ("side", "i1"),  # Side: BUY 1, SELL -1; 0 where it has no meaning
    ],
    align=True,
)

ROW = np.dtype(
    [
        ("number", "<i8"),  # per instrument, from 0
        ("input", "<i8"),  # the input that it was sampled at
        ("ts_event", "<i8"),
        ("ts_recv", "<i8"),
        ("update_id", "<i8"),  # the book's last update id
        ("bid", "<i8"),  # best prices and quantities, fixed point; 0 quantity where a side is empty
        ("bid_quantity", "<i8"),
        ("ask", "<i8"),
        ("ask_quantity", "<i8"),
        ("instrument", "<i4"),
        ("state", "u1"),  # BookState
        ("valid", "u1"),  # LIVE, warm, every value finite: may feed a model
    ],
    align=True,
)
"""What stands beside a row's feature values."""

PREDICTION = np.dtype(
    [
        ("row", "<i8"),
        ("input", "<i8"),
        ("ts_event", "<i8"),
        ("ts_recv", "<i8"),
        ("ts_done", "<i8"),
        ("age_ns", "<i8"),
        ("deadline_ns", "<i8"),
        ("update_id", "<i8"),
        ("arrived", "<i8"),  # the input that brought the answer: ``input``, or one of its own
        ("batch", "<i8"),  # which call of the model
        ("batch_size", "<i4"),  # rows in that call
        ("instrument", "<i4"),
        ("verdict", "u1"),  # position in list(Verdict)
        ("version", "<u2"),  # of the model, position in PredictionBlock.versions
    ],
    align=True,
)
"""What stands beside a prediction's outputs."""

_STATUS = int(FrameKind.STATUS)
_PACK_FRAME = struct.Struct("<6q4iq")  # FRAME and EVENT as the struct module writes them: four times as fast as numpy's
_PACK_EVENT = struct.Struct("<5qiHBb")  # assignment of a tuple
_PACK_TAIL = struct.Struct("<iHBb")
_PACK_ARRIVAL = struct.Struct("<2q")  # the first fields of FRAME
_PACK_CONNECTION = struct.Struct("<i")
_PACK_FIRST_EVENT = struct.Struct("<q")
_CONNECTION: int = FRAME.fields["connection"][1]  # type: ignore[index]  # a structured type has fields
_FIRST_EVENT: int = FRAME.fields["first_event"][1]  # type: ignore[index]
_FRAME_SIZE = _PACK_FRAME.size
_EVENT_SIZE = _PACK_EVENT.size


class Records:
    """Frames and the events they own, in two arrays that grow. A codec or a feed appends; the engine reads.

    ``frames[:n_frames]`` and ``events[:n_events]`` are filled; the rest is spare room. Reset between inputs, so that the
    arrays (and compiled code that holds them) stay the same while one message fits.
    """

    def __init__(self, *, frames: int = 64, events: int = 4096) -> None:
        self.frames = np.zeros(frames, FRAME)
        self.events = np.zeros(events, EVENT)
        self.n_frames = 0
        self.n_events = 0
        self.statuses = 0  # STATUS frames among those that were appended one by one
        self.connection = 0  # that the message in hand came on: for codecs of venues that count messages by connection
        self._seen_frames: np.ndarray | None = None  # the arrays that the views below look into
        self._seen_events: np.ndarray | None = None

    def clear(self) -> None:
        self.n_frames = 0
        self.n_events = 0
        self.statuses = 0

    def reserve(self, *, frames: int = 0, events: int = 0) -> None:
        """Make room for so many more of each; the arrays are replaced (contents kept) only when they are too small."""
        self.frames = _room(self.frames, self.n_frames, frames)
        self.events = _room(self.events, self.n_events, events)

    def append(
        self,
        *,
        kind: int,
        instrument: int,
        events: Sequence[tuple[int, int, int, int, int, int, int, int, int]],
        ts_recv: int = 0,
        first_id: int = -1,
        last_id: int = -1,
        previous_id: int = -1,
        checksum: int = -1,
        connection: int = 0,
        number: int = 0,
    ) -> None:
        """Append one frame with ``events``, tuples in the order of EVENT's fields (``frame`` is overwritten)."""
        count = len(events)
        start = self.n_events
        self._make_room(count)
        at = start * _EVENT_SIZE
        for event in events:
            _PACK_EVENT.pack_into(self._event_bytes, at, number, *event[1:])
            at += _EVENT_SIZE
        _PACK_FRAME.pack_into(
            self._frame_bytes,
            self.n_frames * _FRAME_SIZE,
            number,
            ts_recv,
            first_id,
            last_id,
            previous_id,
            checksum,
            connection,
            instrument,
            kind,
            count,
            start,
        )
        self.n_frames += 1
        self.n_events = start + count
        self.statuses += kind == _STATUS

    def append_levels(
        self,
        *,
        kind: int,
        instrument: int,
        ts_event: int,
        bids: NDArray[np.int64],
        asks: NDArray[np.int64],
        flags: int = 0,
        clear: bool = False,
        first_id: int = -1,
        last_id: int = -1,
        previous_id: int = -1,
        checksum: int = -1,
        depth: int = 0,
    ) -> None:
        """Append one frame of BOOK_DELTA events, bids first: each side an array of (price, quantity), shape (n, 2).

        With ``clear`` a BOOK_CLEAR stands before them, with ``depth`` (0: all levels). ``flags`` are on every event, LAST on
        the last one besides.
        """
        n_bids = len(bids)
        start = self.n_events
        count = n_bids + len(asks) + clear
        self._make_room(count)
        cells = self._event_cells[start : start + count]
        cells[:, :2] = (0, ts_event)
        first = int(clear)
        if clear:
            cells[0, 2:4] = (0, depth)
            cells[0, 5] = _tail(instrument, flags, EventKind.BOOK_CLEAR, 0)
        cells[first : first + n_bids, 2:4] = bids
        cells[first + n_bids :, 2:4] = asks
        cells[:, 4] = 0
        cells[first : first + n_bids, 5] = _tail(instrument, flags, EventKind.BOOK_DELTA, 1)
        cells[first + n_bids :, 5] = _tail(instrument, flags, EventKind.BOOK_DELTA, -1)
        if count:
            self.events["flags"][start + count - 1] = flags | EventFlag.LAST
        _PACK_FRAME.pack_into(
            self._frame_bytes,
            self.n_frames * _FRAME_SIZE,
            0,
            0,
            first_id,
            last_id,
            previous_id,
            checksum,
            0,
            instrument,
            kind,
            count,
            start,
        )
        self.n_frames += 1
        self.n_events = start + count

    def _make_room(self, events: int) -> None:
        """Room for one frame with so many events."""
        if self.n_frames >= len(self.frames) or self.n_events + events > len(self.events):
            self.reserve(frames=1, events=events)
        self._look()

    def _look(self) -> None:
        """Views that look into the present arrays."""
        if self.frames is not self._seen_frames or self.events is not self._seen_events:
            self._seen_frames, self._seen_events = self.frames, self.events
            self._frame_bytes = self.frames.data.cast("B")
            self._event_bytes = self.events.data.cast("B")
            self._event_cells = self.events.view("<i8").reshape(-1, _EVENT_SIZE // 8)
            self._event_inputs = self._event_cells[:, 0]

    def stamp(self, *, number: int, ts_recv: int, connection: int = 0, first_frame: int = 0) -> None:
        """Write the input's number, arrival time and connection into the frames from ``first_frame`` on, and their events."""
        if first_frame >= self.n_frames:
            return
        self._look()
        first = first_frame * _FRAME_SIZE
        for at in range(first, self.n_frames * _FRAME_SIZE, _FRAME_SIZE):
            _PACK_ARRIVAL.pack_into(self._frame_bytes, at, number, ts_recv)
            _PACK_CONNECTION.pack_into(self._frame_bytes, at + _CONNECTION, connection)
        (first_event,) = _PACK_FIRST_EVENT.unpack_from(self._frame_bytes, first + _FIRST_EVENT)
        self._event_inputs[first_event : self.n_events] = number


def _tail(instrument: int, flags: int, kind: int, side: int) -> int:
    """The last eight bytes of an EVENT (instrument, flags, kind, side) as one int64."""
    return int.from_bytes(_PACK_TAIL.pack(instrument, flags, kind, side), "little", signed=True)


def _room(array: np.ndarray, used: int, more: int) -> np.ndarray:
    if used + more <= len(array):
        return array
    grown = np.zeros(max(2 * len(array), used + more), array.dtype)
    grown[:used] = array[:used]
    return grown
