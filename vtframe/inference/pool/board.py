"""The board: requests and answers of one model, in memory that the engine and the model's workers share.

A request is one word, the row's number plus one, in the mailbox of its instrument; all else is in the ring. Only the engine
writes ``rows``; each worker writes its own line of the rest. What orders them are the atomic words (see ``kernel``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.buffers.ring import RowRing
from vtframe.buffers.segment import Placement, SegmentFolder, attach
from vtframe.domain import ROW

# words of the header
ENGINE_WAITS: Final = 0  # 1 while the engine wants its bell rung
STOP: Final = 8  # 1: workers leave
HEADER_WORDS: Final = 16
# words of a worker's line
STATE: Final = 0
HEARTBEAT: Final = 1  # monotonic ns
BUSY_SINCE: Final = 2  # monotonic ns of the call that it is in; 0 between calls
CLAIMS: Final = 3  # how many requests it holds
CALLS: Final = 4
TAIL: Final = 8  # answers written
SCAN: Final = 9  # where it looks for requests next
SLEEPING: Final = 10  # 1 while it waits for the bell
HEAD: Final = 16  # answers taken by the engine
WORKER_WORDS: Final = 24
# states of a worker
STARTING, READY, BROKEN, LEFT = 0, 1, 2, 3
# words of an answer
INSTRUMENT, ROW_NUMBER, STATUS, BATCH, BATCH_SIZE, DONE = 0, 1, 2, 3, 4, 5
ANSWER_WORDS: Final = 8
# what became of a request
ANSWERED, OVERRUN, NOT_FINITE, RAISED = 0, 1, 2, 3

TEXT_BYTES: Final = 1024
ARRAYS: Final = (
    "values",
    "heads",
    "header",
    "mail",
    "fronts",
    "workers",
    "claims",
    "answers",
    "outputs",
    "columns",
    "batch",
    "results",
    "taken",
    "taken_outputs",
)
"""What a table of the board's arrays holds, in order. The last five are private: to a worker, or (``taken*``) the engine."""


class BoardShape(msgspec.Struct, frozen=True, kw_only=True):
    """The sizes of a board and of the rows that it is about: all that a worker needs to find the arrays."""

    instruments: int
    row_places: int  # twice the ring's capacity
    row_columns: int
    dtype: str
    workers: int
    places: int  # of a mailbox: 1 keeps the newest request, more are a queue
    max_batch: int
    outputs: int

    @property
    def replies(self) -> int:
        """Answers that a worker may have written and the engine not taken."""
        return 4 * self.max_batch


def rows_placement(shape: BoardShape) -> Placement:
    """Where the ring's arrays lie in the segment of rows."""
    place = Placement()
    place.add("values", (shape.instruments, shape.row_places, shape.row_columns), shape.dtype)
    place.add("meta", (shape.instruments, shape.row_places), ROW)
    place.add("heads", (shape.instruments,), np.int64)
    return place


def board_placement(shape: BoardShape) -> Placement:
    """Where one model's arrays lie in its segment."""
    place = Placement()
    place.add("header", (HEADER_WORDS,), np.int64)
    place.add("mail", (shape.instruments, shape.places), np.int64)
    place.add("fronts", (shape.instruments,), np.int64)
    place.add("workers", (shape.workers, WORKER_WORDS), np.int64)
    place.add("claims", (shape.workers, shape.max_batch, 2), np.int64)
    place.add("answers", (shape.workers, shape.replies, ANSWER_WORDS), np.int64)
    place.add("outputs", (shape.workers, shape.replies, shape.outputs), np.float32)
    place.add("text", (shape.workers, TEXT_BYTES), np.uint8)
    return place


class SharedRows:
    """A ring whose rows other processes can map. ``heads`` is what they are told of it, published with every request."""

    def __init__(self, folder: SegmentFolder, instruments: int, capacity: int, columns: int, dtype: Any) -> None:
        """Raises SessionError where memory does not suffice."""
        self.path = folder.create("rows", _rows_size(instruments, capacity, columns, dtype))
        shape = _rows_shape(instruments, capacity, columns, dtype)
        arrays = rows_placement(shape).arrays(attach(self.path))
        self.values: NDArray[Any] = arrays["values"]
        self.meta: NDArray[Any] = arrays["meta"]
        self.heads: NDArray[np.int64] = arrays["heads"]


def _rows_shape(instruments: int, capacity: int, columns: int, dtype: Any) -> BoardShape:
    return BoardShape(
        instruments=instruments,
        row_places=2 * capacity,
        row_columns=columns,
        dtype=str(np.dtype(dtype)),
        workers=1,
        places=1,
        max_batch=1,
        outputs=1,
    )


def _rows_size(instruments: int, capacity: int, columns: int, dtype: Any) -> int:
    return rows_placement(_rows_shape(instruments, capacity, columns, dtype)).size


def open_board(shape: BoardShape, rows: Path | RowRing, board: Path | None) -> dict[str, NDArray[Any]]:
    """The arrays by name: mapped from their segments, or made in this process's own memory (``board`` None)."""
    if isinstance(rows, RowRing):
        arrays = {"values": rows.values, "meta": rows.meta, "heads": np.zeros(shape.instruments, np.int64)}
    else:
        arrays = rows_placement(shape).arrays(attach(rows))
    place = board_placement(shape)
    if board is None:
        memory: Any = np.zeros(place.size, np.uint8)
        arrays |= place.arrays(memory)
    else:
        arrays |= place.arrays(attach(board))
    return arrays


def no_worker(shape: BoardShape) -> dict[str, NDArray[Any]]:
    """What stands in the engine's table for the arrays that only workers have."""
    return {
        "columns": np.zeros(1, np.int64),
        "batch": np.zeros((1, 1, 1), shape.dtype),
        "results": np.zeros(1, np.int64),
    }
