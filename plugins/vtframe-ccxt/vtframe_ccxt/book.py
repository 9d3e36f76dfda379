"""One book as ccxt shows it: each picture is compared with the one before, and the difference is a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.domain import EventFlag, FrameKind, Instrument, Records
from vtframe_ccxt.exact import fixed_array

MS = 1_000_000
_PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)


class ShownBook:
    """What was delivered of one instrument's book. ``whole`` asks for a picture the next time."""

    def __init__(self, index: int, instrument: Instrument, limit: int | None) -> None:
        self.updates = self.pictures = self.unchanged = self.losses = 0
        self._index = index
        self._instrument = instrument
        self._limit = limit
        self._sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._seen: Any = None  # ccxt's own book: another one means that it began anew
        self._nonce = -1
        self.whole = True

    def lost(self) -> None:
        """Something is missing: the next picture is delivered whole."""
        self.losses += 1
        self.whole = True

    def take(self, book: Mapping[str, Any], ts_recv: int, records: Records) -> bool:
        """Append what has changed; False where nothing has. Raises DecodeError for numbers that cannot be kept exactly."""
        arrays = [self._array(book[name]) for name in ("bids", "asks")]
        sides = [dict(zip(array[:, 0].tolist(), array[:, 1].tolist(), strict=True)) for array in arrays]
        nonce = book.get("nonce")
        number = nonce if isinstance(nonce, int) else -1
        whole = self.whole or book is not self._seen or 0 <= number < self._nonce
        if not whole:
            arrays = [_changes(old, new) for old, new in zip(self._sides, sides, strict=True)]
            if not (len(arrays[0]) or len(arrays[1])):
                self.unchanged += 1
                return False
        stamp = book.get("timestamp")
        first = records.n_frames
        records.append_levels(
            kind=int(FrameKind.SNAPSHOT if whole else FrameKind.DEPTH),
            instrument=self._index,
            ts_event=stamp * MS if isinstance(stamp, int) else ts_recv,
            bids=arrays[0],
            asks=arrays[1],
            flags=_PICTURE if whole else 0,
            clear=whole,
            last_id=number,
        )
        records.frames["ts_recv"][first] = ts_recv
        self._sides = (sides[0], sides[1])
        self._seen, self._nonce, self.whole = book, number, False
        self.pictures += whole
        self.updates += 1
        return True

    def _array(self, levels: Sequence[Sequence[float]]) -> NDArray[np.int64]:
        """(price, quantity) in fixed point, shape (n, 2)."""
        rows = levels if self._limit is None else levels[: self._limit]
        prices = fixed_array([row[0] for row in rows], self._instrument.price_decimals)
        quantities = fixed_array([row[1] for row in rows], self._instrument.quantity_decimals)
        return np.stack((prices, quantities), axis=1)


def _changes(old: dict[int, int], new: dict[int, int]) -> NDArray[np.int64]:
    """Levels that are new or have another quantity, then those that are gone."""
    rows = [(price, quantity) for price, quantity in new.items() if old.get(price) != quantity]
    rows += [(price, 0) for price in old if price not in new]
    return np.array(rows, np.int64).reshape(-1, 2)
