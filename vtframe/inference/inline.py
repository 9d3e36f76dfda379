"""The inline executor: a model runs in the engine's own thread, on the newest rows in place. On the hot path."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from vtframe.api import BundleError, BundleInfo, Clock, Model
from vtframe.buffers.ring import RowRing
from vtframe.clock import EventClock
from vtframe.domain import ROW, Prediction, Verdict
from vtframe.inference.age import Backlog

_log = logging.getLogger(__name__)


def _word(field: str) -> tuple[int, int]:
    """Where a field of a ROW lies when the record is read as 64-bit words: which word, and how far to shift it."""
    offsets = {name: int(place[1]) for name, place in (ROW.fields or {}).items()}
    word, byte = divmod(offsets[field], 8)
    return word, 8 * byte


_NUMBER, _INPUT, _EVENT, _RECV, _UPDATE = (_word(name)[0] for name in ("number", "input", "ts_event", "ts_recv", "update_id"))
_VALID_WORD, _VALID_SHIFT = _word("valid")


class InlineExecutor:
    """One model for all instruments of a session.

    A prediction's age counts from ``ts_recv`` of its row. On market time (an EventClock: recordings, simulation) the clock
    stands still while an input is handled, so what handling it took by the monotonic clock is added.

    - ``deadline_ns`` bounds the time from ``ts_recv`` to the answer: what we did. Over it: LATE.
    - ``max_age_ns`` bounds that time plus the backlog (see ``Backlog``): how old the market data was. Over it: STALE.
    - A window with an invalid row, or not yet full, is INVALID, and the model is not called.
    - A model that raises or answers a number that is not finite has FAILED; its first failure is logged.

    After each call ``batch`` is the number of the model's call that answered (-1: none) and ``batch_size`` its rows.
    """

    batch_size = 1

    def __init__(
        self,
        model: Model,
        bundle: BundleInfo,
        *,
        ring: RowRing,
        columns: Sequence[str] | None = None,
        clock: Clock,
        deadline_ns: int,
        max_age_ns: int,
        name: str = "",
        backlog_window_ns: int = 60_000_000_000,
    ) -> None:
        """``columns`` are the names of the ring's columns; without them its rows must be the bundle's, column for column.

        Raises BundleError where rows lack a column of the bundle's or are of another dtype, or the ring is under its window.
        """
        _check(bundle, ring, columns)
        self.name = name or bundle.name
        self.batch = -1
        self.calls = 0
        self.first_failure = ""
        self._hash = bundle.hash
        self._predict = model.predict
        self._window = bundle.window
        self._capacity = ring.capacity
        self._head = ring.head
        self._read = _reader(ring.values, bundle, columns)
        self._meta: NDArray[np.int64] = ring.meta.view("<i8").reshape(*ring.meta.shape, -1)
        count = len(ring.values)
        self._backlogs = [Backlog(window_ns=backlog_window_ns) for _ in range(count)]
        self._valid_rows = [0] * count  # valid rows in a row, up to the newest seen
        self._newest = [-1] * count  # number of that row
        self._deadline = deadline_ns
        self._max_age = max_age_ns
        self._now = clock.now_ns
        self._monotonic = clock.monotonic_ns
        self._market_time = isinstance(clock, EventClock)
        self._measured = not isinstance(clock, EventClock) or clock.measured

    def predict(self, instrument: int, *, started: int) -> Prediction:
        """Answer for the newest row of ``instrument``; ``started`` is the clock's monotonic reading when its input arrived.

        Raises LookupError where the instrument has no row.
        """
        head = self._head(instrument)
        if head == 0:
            raise LookupError(f"instrument {instrument} has no row to predict from")
        place = (head - 1) % self._capacity + self._capacity  # in the second half every full window lies before it
        words = self._meta[instrument, place].tolist()
        outputs: tuple[float, ...] = ()
        if self._count_valid(instrument, place, words) < self._window:
            self.batch = -1
            verdict = Verdict.INVALID
        else:
            self.calls = self.batch = self.calls + 1
            try:
                outputs = tuple(self._predict(self._read((instrument, place - self._window + 1)))[0].tolist())
                verdict = Verdict.OK if math.isfinite(sum(outputs)) else self._failure("answered a number that is not finite")
            except Exception as e:  # noqa: BLE001 - a model that raises has failed, and the session goes on
                verdict = self._failure(f"raised {e!r}")
            if verdict is Verdict.FAILED:
                outputs = ()
        elapsed = self._monotonic() - started if self._measured else 0
        ts_recv: int = words[_RECV]
        ts_done = self._now() + elapsed if self._market_time else self._now()
        waited = max(ts_done - ts_recv, elapsed)  # a wall clock that is set back hides no lateness
        age = waited + self._backlogs[instrument].observe(words[_EVENT], ts_recv)
        if verdict is Verdict.OK:
            if waited > self._deadline:
                verdict = Verdict.LATE
            elif age > self._max_age:
                verdict = Verdict.STALE
        return Prediction(
            model=self.name,
            model_hash=self._hash,
            instrument=instrument,
            input=words[_INPUT],
            row=words[_NUMBER],
            update_id=words[_UPDATE],
            ts_event=words[_EVENT],
            ts_recv=ts_recv,
            ts_done=ts_done,
            age_ns=age,
            deadline_ns=self._deadline,
            verdict=verdict,
            outputs=outputs,
        )

    def unanswered(self, instrument: int, row: Mapping[str, int], verdict: Verdict) -> Prediction:
        """What is logged for a row that the model is not asked about; ``row`` has the fields of domain.ROW."""
        now = self._now()
        return Prediction(
            model=self.name,
            model_hash=self._hash,
            instrument=instrument,
            input=row["input"],
            row=row["number"],
            update_id=row["update_id"],
            ts_event=row["ts_event"],
            ts_recv=row["ts_recv"],
            ts_done=now,
            age_ns=max(0, now - row["ts_recv"]),
            deadline_ns=self._deadline,
            verdict=verdict,
        )

    def _count_valid(self, instrument: int, place: int, words: list[int]) -> int:
        """Valid rows in a row that end at the newest one; counted anew (up to a window) where rows were not seen."""
        number = words[_NUMBER]
        if number == self._newest[instrument] + 1:
            count = self._valid_rows[instrument] + 1 if words[_VALID_WORD] >> _VALID_SHIFT & 0xFF else 0
        elif number == self._newest[instrument]:
            return self._valid_rows[instrument]
        else:
            span = min(self._window, number + 1)
            flags = self._meta[instrument, place - span + 1 : place + 1, _VALID_WORD] >> _VALID_SHIFT & 0xFF
            broken = np.flatnonzero(flags == 0)
            count = span - 1 - int(broken[-1]) if len(broken) else span
        self._newest[instrument] = number
        self._valid_rows[instrument] = count
        return count

    def _failure(self, problem: str) -> Verdict:
        if not self.first_failure:
            self.first_failure = problem
            _log.error("model %s %s; this is told once, and counted as failed every time", self.name, problem)
        return Verdict.FAILED


Read = Callable[[tuple[int, int]], NDArray[Any]]
"""(instrument, first row of a window in the ring) to a batch of one, (1, window, columns), C-contiguous."""


def _reader(values: NDArray[Any], bundle: BundleInfo, columns: Sequence[str] | None) -> Read:
    """The bundle's columns of a window, in its order: a view where the ring holds them so, else gathered into one buffer."""
    places = list(range(values.shape[2])) if columns is None else [list(columns).index(name) for name in bundle.columns]
    first = places[0]
    if places == list(range(first, first + len(places))):  # side by side
        views = _windows(values[:, :, first : first + len(places)], bundle.window)
        if views[0, 0].flags.c_contiguous:  # all of the ring's columns, or windows of one row
            return views.__getitem__
    whole = _windows(values, bundle.window)
    chosen = np.array(places, np.intp)
    buffer = np.zeros((1, bundle.window, len(places)), values.dtype)

    def gather(window: tuple[int, int]) -> NDArray[Any]:
        whole[window].take(chosen, 2, buffer, "clip")  # "raise" would go through a buffer of its own
        return buffer

    return gather


def _windows(values: NDArray[Any], window: int) -> NDArray[Any]:
    """Every window as a view: ``[instrument, first row]`` is a batch of one, (1, window, columns)."""
    instruments, rows, columns = values.shape
    across, down, right = values.strides
    shape = (instruments, rows - window + 1, 1, window, columns)
    return as_strided(values, shape, (across, down, down, down, right), writeable=False)


def _check(bundle: BundleInfo, ring: RowRing, columns: Sequence[str] | None) -> None:
    width = ring.values.shape[2]
    if columns is None and width != len(bundle.columns):
        raise BundleError(str(bundle.path), f"reads rows of {len(bundle.columns)} columns, the pipeline's have {width}")
    lost = [] if columns is None else [name for name in bundle.columns if name not in columns]
    if lost:
        raise BundleError(str(bundle.path), f"reads columns that the pipeline's rows do not have: {', '.join(lost)}")
    if ring.values.dtype != bundle.dtype:
        raise BundleError(str(bundle.path), f"reads {bundle.dtype} rows, the pipeline's are {ring.values.dtype}")
    if ring.capacity < bundle.window:
        raise BundleError(str(bundle.path), f"reads windows of {bundle.window} rows, the pipeline's ring holds {ring.capacity}")
