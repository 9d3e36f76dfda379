"""A pipeline's whole state as bytes: restored elsewhere, the next frame makes the same bits as it would have here.

Only into a pipeline that computes the same: equal features, code, instruments, ring and fingerprint. Anything else is refused.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.book import Books
from vtframe.book.pending import PendingFrames
from vtframe.buffers import RowRing
from vtframe.domain import EVENT, FRAME, ROW, Instrument, Side
from vtframe.errors import SessionError
from vtframe.features import layout as at
from vtframe.features.plan import HOOKS, Plan

FORMAT = 2
_MAGIC = b"vtframe checkpoint\n"
_WHERE = "checkpoint"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What must be equal where a checkpoint is restored."""

    format: int = FORMAT
    schema_hash: str
    fingerprint: str
    instruments: tuple[str, ...]  # names, and what decides their units
    ring_rows: int
    kernel: str  # digest of all code


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """The content. Arrays are bytes, little-endian; per instrument where there are several."""

    identity: Identity
    ints: bytes
    floats: bytes
    capacity: int  # of the books
    levels: list[bytes]  # prices and quantities of bids and asks, best first: four for each instrument
    values: list[bytes]  # rows in the ring, oldest first
    meta: list[bytes]
    pending: list[tuple[bytes, bytes, int]]  # frames, their events, how many were dropped
    next_clock: int
    rows: int


def unit(instrument: Instrument) -> str:
    """An instrument's name and units."""
    decimals = f"{instrument.price_decimals}/{instrument.quantity_decimals} decimals"
    return f"{instrument.instrument_id} ({decimals}, tick {instrument.tick_size})"


def code(layout: Plan, digest: str) -> str:
    """A name for all code of a pipeline: the fused kernel's digest, and what runs as Python beside it."""
    found = hashlib.sha256(digest.encode())
    for placed in layout.placed:
        if placed.feature.python:
            for hook in HOOKS:
                function = getattr(placed.kernel, hook)
                found.update(function.__code__.co_code + repr(function.__code__.co_names).encode() if function else b"-")
    return found.hexdigest()


def write(
    identity: Identity,
    *,
    books: Books,
    floats: NDArray[np.float64],
    ring: RowRing,
    pending: list[PendingFrames],
    control: NDArray[np.int64],
) -> bytes:
    """All of it as bytes, with a hash of itself."""
    levels, values, meta = [], [], []
    for instrument in range(len(books)):
        for side in Side:
            levels += [array.tobytes() for array in books.levels(instrument, side, books.capacity)]
        count = min(ring.head(instrument), ring.capacity)
        values.append(ring.window(instrument, count).tobytes() if count else b"")
        meta.append(ring.window_meta(instrument, count).tobytes() if count else b"")
    ints = books.meta.copy()
    ints[:, at.CALLBACK] = 0  # an address of this process
    state = _State(
        identity=identity,
        ints=ints.tobytes(),
        floats=floats.tobytes(),
        capacity=books.capacity,
        levels=levels,
        values=values,
        meta=meta,
        pending=[(kept[0].tobytes(), kept[1].tobytes(), frames.dropped) for frames in pending for kept in [frames.arrays()]],
        next_clock=int(control[at.NEXT_CLOCK]),
        rows=int(control[at.ROWS]),
    )
    body = msgspec.msgpack.encode(state)
    return _MAGIC + hashlib.sha256(body).digest() + body


def read(data: bytes, identity: Identity) -> _State:
    """The content of ``data``; raises SessionError where it is damaged or was made by a pipeline of another ``identity``."""
    start = len(_MAGIC) + 32
    if not data.startswith(_MAGIC):
        raise SessionError(_WHERE, "these bytes are no checkpoint of a pipeline")
    body = data[start:]
    if hashlib.sha256(body).digest() != data[len(_MAGIC) : start]:
        raise SessionError(_WHERE, f"is damaged or cut short: {len(data)} bytes do not have the hash that they state")
    found = msgspec.msgpack.decode(body, type=_Outside).identity
    differences = _differences(found, identity)
    if differences:
        hint = "restore it with what made it, or start afresh: features are warm again after the next snapshot and warmup"
        raise SessionError(_WHERE, "was made by another pipeline: " + "; ".join(differences), hint)
    return msgspec.msgpack.decode(body, type=_State)


class _Outside(msgspec.Struct, frozen=True):
    """The part of every format that says what it is."""

    identity: Identity


def _differences(found: Identity, wanted: Identity) -> list[str]:
    if found.format != wanted.format:
        return [f"it has format {found.format}, this vtframe reads {wanted.format}"]
    words = []
    if found.schema_hash != wanted.schema_hash:
        words.append(f"features, sampling or number type differ (schema {found.schema_hash}, here {wanted.schema_hash})")
    if found.instruments != wanted.instruments:
        theirs, ours = ", ".join(found.instruments), ", ".join(wanted.instruments)
        words.append(f"its instruments are {theirs}; here {ours}")
    if found.fingerprint != wanted.fingerprint:
        words.append(f"it computes other bits (fingerprint {found.fingerprint}, here {wanted.fingerprint})")
    if found.ring_rows != wanted.ring_rows:
        words.append(f"its ring keeps {found.ring_rows} rows, here {wanted.ring_rows}")
    if not words and found.kernel != wanted.kernel:
        words.append("the code of a feature, or vtframe's own, has changed since")
    return words


def restore(
    state: _State,
    *,
    books: Books,
    floats: NDArray[np.float64],
    ring: RowRing,
    pending: list[PendingFrames],
    control: NDArray[np.int64],
) -> None:
    """Write ``state`` into a pipeline's own memory. The arrays of ``books`` are replaced by others."""
    callbacks = books.meta[:, at.CALLBACK].copy()
    books.meta[:] = np.frombuffer(state.ints, np.int64).reshape(books.meta.shape)
    books.meta[:, at.CALLBACK] = callbacks
    floats[:] = np.frombuffer(state.floats).reshape(floats.shape)
    if state.capacity > books.capacity:
        books.grow(state.capacity)
    ring.values[:] = 0
    ring.meta[:] = np.zeros((), ROW)
    levels = [np.frombuffer(array, np.int64) for array in state.levels]
    books.replace_levels(zip(levels[::2], levels[1::2], strict=True))
    for instrument in range(len(books)):
        _fill(ring, instrument, state.values[instrument], state.meta[instrument])
        frames, events, dropped = state.pending[instrument]
        _wait(pending[instrument], np.frombuffer(frames, FRAME), np.frombuffer(events, EVENT), dropped)
    control[at.NEXT_CLOCK] = state.next_clock
    control[at.ROWS] = state.rows
    control[at.COUNT] = 0


def _fill(ring: RowRing, instrument: int, values: bytes, meta: bytes) -> None:
    """Put the newest rows where a ring has them: each twice."""
    rows = np.frombuffer(meta, ROW)
    cells = np.frombuffer(values, ring.values.dtype).reshape(len(rows), ring.values.shape[2])
    slots = (ring.head(instrument) - len(rows) + np.arange(len(rows))) % ring.capacity
    for place in (slots, slots + ring.capacity):
        ring.values[instrument, place] = cells
        ring.meta[instrument, place] = rows


def _wait(pending: PendingFrames, frames: NDArray[Any], events: NDArray[Any], dropped: int) -> None:
    pending.drop(len(pending))
    for frame in frames:
        start = int(frame["first_event"])
        pending.keep(frame, events[start : start + int(frame["n_events"])])
    pending.dropped = dropped
