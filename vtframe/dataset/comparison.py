"""Rows that were logged against rows made again, bit for bit, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.dataset.row_columns import ROW_FIELDS
from vtframe.domain import ROW, BookState
from vtframe.features.pipeline import RowBatch

_FIXED = tuple(name for name, _ in ROW_FIELDS if name not in {"number", "instrument"})
_BITS = {4: np.uint32, 8: np.uint64}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the log and the recomputation part. ``feature`` is a column; empty where a whole row is on one side only
    (the other side's value is then null)."""

    row: int  # number, per instrument
    input: int
    instrument: str
    feature: str
    logged: float | int | str | None
    recomputed: float | int | str | None
    logged_bits: str = ""  # of floats, hexadecimal: nan and signed zeros tell apart
    recomputed_bits: str = ""

    def __str__(self) -> str:
        where = f"row {self.row} of {self.instrument} (input {self.input})"
        if not self.feature:
            return f"{where}: {'not in the log' if self.logged is None else f'{self.logged} was logged that is not made again'}"
        bits = f" (bits {self.logged_bits}, {self.recomputed_bits})" if self.logged_bits else ""
        return f"{where}, {self.feature}: logged {self.logged!r}, recomputed {self.recomputed!r}{bits}"


class _Side:
    """Rows of one instrument that the other side has not come to."""

    def __init__(self, columns: int, dtype: str) -> None:
        self.meta: NDArray[Any] = np.zeros(0, ROW)
        self.values: NDArray[Any] = np.zeros((0, columns), dtype)

    def add(self, meta: NDArray[Any], values: NDArray[Any]) -> None:
        self.meta = np.concatenate([self.meta, meta]) if len(self.meta) else meta
        self.values = np.concatenate([self.values, values]) if len(self.values) else values

    def take(self, upto: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows numbered ``upto`` and less."""
        count = int((self.meta["number"] <= upto).sum())
        taken = self.meta[:count], self.values[:count]
        self.meta, self.values = self.meta[count:], self.values[count:]
        return taken


class RowComparison:
    """Takes recomputed rows by ``add``, pulls logged ones as it needs them, and matches them by instrument and number.

    ``expected`` is how many rows the session made, where it said so at its end. With ``complete`` it took its feed to the end,
    and one row more is a difference; else it was stopped, and rows beyond are those that it did not come to.
    """

    def __init__(
        self,
        logged: Iterator[RowBatch],
        *,
        instruments: Sequence[str],
        columns: Sequence[str],
        dtype: str,
        expected: int | None,
        complete: bool,
    ) -> None:
        self.logged = 0  # rows read from the log
        self.compared = 0
        self.identical = 0
        self.missing = 0  # made again, and not in the log
        self.unmatched = 0  # logged, and not made again
        self.largest: dict[str, float] = {}  # column: largest absolute difference of finite values
        self.first: Difference | None = None
        self._log = logged
        self._log_ended = False
        self._names = tuple(instruments)
        self._columns = tuple(columns)
        self._expected = expected
        self._complete = complete
        self._made = 0
        self._logged = [_Side(len(columns), dtype) for _ in instruments]
        self._again = [_Side(len(columns), dtype) for _ in instruments]
        self._digests = [hashlib.sha256() for _ in instruments]

    def add(self, batch: RowBatch) -> None:
        """Compare what can be compared now."""
        meta, values = batch.meta, batch.values
        if self._expected is not None and not self._complete:
            room = self._expected - self._made
            meta, values = meta[:room], values[:room]
        self._made += len(meta)
        for instrument in np.unique(meta["instrument"]).tolist():
            chosen = meta["instrument"] == instrument
            self._again[instrument].add(meta[chosen], values[chosen])
        while not self._log_ended and any(len(side.meta) for side in self._again):
            self._match()
            if any(len(side.meta) for side in self._again):
                self._pull()
        self._match()

    def enough(self) -> bool:
        """Whether nothing more is to be learnt from more recomputed rows."""
        if self._complete:
            return False
        if self._expected is not None:
            return self._made >= self._expected
        if not self._log_ended and not any(len(side.meta) for side in self._logged):
            self._pull()
        return self._log_ended and not any(len(side.meta) for side in self._logged)

    def finish(self) -> None:
        """The last row was made again: what is left on either side is a difference, but for rows after the log of a session
        that did not say how many it made (it was killed)."""
        while not self._log_ended:
            self._pull()
            self._match()
        for instrument, (logged, again) in enumerate(zip(self._logged, self._again, strict=True)):
            self._unmatched(instrument, logged.meta)
            if self._expected is not None or self._complete:
                self._missing(instrument, again.meta)

    @property
    def rows(self) -> int:
        """How many rows there should be to compare."""
        if self._expected is not None:
            return max(self._expected, self.compared + self.unmatched)
        return self.compared + self.missing + self.unmatched

    def digest(self) -> str:
        """sha256 over the logged rows that were compared, by instrument."""
        total = hashlib.sha256()
        for digest in self._digests:
            total.update(digest.digest())
        return total.hexdigest()

    def _pull(self) -> None:
        batch = next(self._log, None)
        if batch is None:
            self._log_ended = True
            return
        self.logged += len(batch.meta)
        for instrument in np.unique(batch.meta["instrument"]).tolist():
            chosen = batch.meta["instrument"] == instrument
            if instrument < 0:
                self._unmatched(instrument, batch.meta[chosen])
            else:
                self._logged[instrument].add(batch.meta[chosen], batch.values[chosen])

    def _match(self) -> None:
        for instrument, (logged, again) in enumerate(zip(self._logged, self._again, strict=True)):
            if len(logged.meta) and len(again.meta):
                upto = min(int(logged.meta["number"].max()), int(again.meta["number"].max()))
                self._compare(instrument, *logged.take(upto), *again.take(upto))

    def _compare(self, index: int, meta: NDArray[Any], values: NDArray[Any], made: NDArray[Any], again: NDArray[Any]) -> None:
        """Rows of one instrument up to the same number: match them, then compare the matched ones."""
        if not np.array_equal(meta["number"], made["number"]):
            _, here, there = np.intersect1d(meta["number"], made["number"], return_indices=True)
            self._unmatched(index, np.delete(meta, here))
            self._missing(index, np.delete(made, there))
            meta, values, made, again = meta[here], values[here], made[there], again[there]
        bits = _BITS[values.dtype.itemsize]
        one, other = np.ascontiguousarray(values).view(bits), np.ascontiguousarray(again).view(bits)
        same_fixed = np.column_stack([meta[name] == made[name] for name in _FIXED])
        same_values = one == other
        same = same_fixed.all(axis=1) & same_values.all(axis=1)
        self.compared += len(meta)
        self.identical += int(same.sum())
        for name in _FIXED:
            self._digests[index].update(np.ascontiguousarray(meta[name]).tobytes())
        self._digests[index].update(one.tobytes())
        if not same.all():
            self._note_distances(values, again, same_values)
            at = int(np.flatnonzero(~same)[0])
            columns = np.flatnonzero(~same_values[at])
            fixed = [name for name, equal in zip(_FIXED, same_fixed[at], strict=True) if not equal]
            where: dict[str, Any] = {
                "row": int(meta["number"][at]),
                "input": int(made["input"][at]),
                "instrument": self._names[index],
            }
            self._note(
                Difference(**where, feature=fixed[0], logged=_plain(fixed[0], meta[at]), recomputed=_plain(fixed[0], made[at]))
                if fixed
                else self._difference(where, int(columns[0]), values[at], again[at])
            )

    def _difference(self, where: dict[str, Any], column: int, values: NDArray[Any], again: NDArray[Any]) -> Difference:
        return Difference(
            **where,
            feature=self._columns[column],
            logged=float(values[column]),
            recomputed=float(again[column]),
            logged_bits=_hex(values[column]),
            recomputed_bits=_hex(again[column]),
        )

    def _note_distances(self, values: NDArray[Any], again: NDArray[Any], same: NDArray[np.bool_]) -> None:
        for column in np.flatnonzero(~same.all(axis=0)).tolist():
            one, other = values[:, column].astype(np.float64), again[:, column].astype(np.float64)
            finite = np.isfinite(one) & np.isfinite(other)
            distance = float(np.abs(one[finite] - other[finite]).max(initial=0.0))
            if not np.array_equal(np.isnan(one), np.isnan(other)):
                distance = float("inf")
            name = self._columns[column]
            self.largest[name] = max(self.largest.get(name, 0.0), distance)

    def _missing(self, index: int, made: NDArray[Any]) -> None:
        self.missing += len(made)
        if len(made):
            self._note(self._whole(index, made[0], logged=None, recomputed="a row"))

    def _unmatched(self, index: int, meta: NDArray[Any]) -> None:
        self.unmatched += len(meta)
        if len(meta):
            self._note(self._whole(index, meta[0], logged="a row", recomputed=None))

    def _whole(self, index: int, meta: Any, *, logged: str | None, recomputed: str | None) -> Difference:
        name = self._names[index] if index >= 0 else "an instrument that the session does not have"
        return Difference(
            row=int(meta["number"]),
            input=int(meta["input"]),
            instrument=name,
            feature="",
            logged=logged,
            recomputed=recomputed,
        )

    def _note(self, found: Difference) -> None:
        if self.first is None or found.input < self.first.input:
            self.first = found


def _plain(name: str, meta: Any) -> int | str:
    value = int(meta[name])
    return BookState(value).name if name == "state" and value in list(BookState) else value


def _hex(value: Any) -> str:
    return f"0x{int(value.view(_BITS[value.dtype.itemsize])):0{2 * value.dtype.itemsize}x}"
