"""What every executor does around its model's answer: whether a window is valid, how old the answer is, and the verdict."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Final, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleError, BundleInfo, Clock
from vtframe.buffers.ring import RowRing
from vtframe.clock import EventClock
from vtframe.domain import ROW, Prediction, Verdict
from vtframe.inference.age import Arrivals

_log = logging.getLogger(__name__)


def _word(field: str) -> tuple[int, int]:
    """Where a field of a ROW lies when the record is read as 64-bit words: which word, and how far to shift it."""
    offsets = {name: int(place[1]) for name, place in (ROW.fields or {}).items()}
    word, byte = divmod(offsets[field], 8)
    return word, 8 * byte


NUMBER, INPUT, EVENT, RECV, UPDATE = (_word(name)[0] for name in ("number", "input", "ts_event", "ts_recv", "update_id"))
_VALID_WORD, _VALID_SHIFT = _word("valid")
_RECORD: Final = struct.Struct(f"<{ROW.itemsize // 8}q")
_unpack = _RECORD.unpack_from
_OK: Final = Verdict.OK  # a member costs more to look up than to compare
Words = tuple[int, ...]
"""A row's record as 64-bit words: half as long to read as a record, or as an array of them."""


class Serving(TypedDict):
    """What every executor is made with; see ``Executor``."""

    ring: RowRing
    columns: NotRequired[Sequence[str] | None]
    clock: Clock
    deadline_ns: int
    max_age_ns: int
    name: NotRequired[str]
    arrivals: NotRequired[Arrivals | None]


class Executor:
    """One model for all instruments of a session. A subclass says how the model is asked: ``predict`` takes the newest row
    (``_look``), asks where its window is valid (``_count_valid``), and judges the answer (``_judge``).

    A prediction's age counts from ``ts_recv`` of its row. On market time (an EventClock: recordings, simulation) the clock
    stands still while an input is handled, so what handling it took by the monotonic clock is added.

    - ``deadline_ns`` bounds the time from ``ts_recv`` to the answer: what we did. Over it: LATE.
    - ``max_age_ns`` bounds that time plus the backlog (see ``Arrivals``): how old the market data was. Over it: STALE.
    - A window with an invalid row, or not yet full, is INVALID, and the model is not called.
    - A model that raises or answers a number that is not finite has FAILED; its first failure is logged.

    After each call ``batch`` is the number of the model's call that answered (-1: none) and ``batch_size`` its rows.
    """

    batch_size = 1
    available = True  # whether there is anything to ask; a pool loses its workers now and then

    def __init__(
        self,
        bundle: BundleInfo,
        *,
        ring: RowRing,
        columns: Sequence[str] | None = None,
        clock: Clock,
        deadline_ns: int,
        max_age_ns: int,
        name: str = "",
        arrivals: Arrivals | None = None,
    ) -> None:
        """``columns`` are the names of the ring's columns; without them its rows must be the bundle's, column for column.
        ``arrivals`` are the session's; without them every row is taken for its own frame's.

        Raises BundleError where rows lack a column of the bundle's or are of another dtype, or the ring is under its window.
        """
        _check(bundle, ring, columns)
        self.name = name or bundle.name
        self.batch = -1
        self.calls = 0
        self.first_failure = ""
        self._hash = bundle.hash
        self._window = bundle.window
        self._capacity = ring.capacity
        self._head = ring.head
        self._meta: NDArray[np.int64] = ring.meta.view("<i8").reshape(*ring.meta.shape, -1)
        self._rows = ring.meta.shape[1]
        self._bytes = ring.meta.view(np.uint8).reshape(-1).data
        count = len(ring.values)
        self._arrivals = arrivals or Arrivals(count)
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
        raise NotImplementedError

    def adopt(self, old: Executor) -> None:
        """Go on where ``old`` stands, which answered for another version of the model and is asked no more: calls are counted
        on, and what is known of rows and backlogs is kept."""
        self.calls = old.calls
        self.batch = old.batch
        self._arrivals = old._arrivals
        if old._window == self._window:
            self._valid_rows, self._newest = old._valid_rows, old._newest

    def _look_at_windows_of(self, bundle: BundleInfo) -> None:
        """From the next row on, answers are ``bundle``'s. Windows of another length are counted anew."""
        self._hash = bundle.hash
        if bundle.window != self._window:
            self._window = bundle.window
            self._newest = [-1] * len(self._newest)
            self._valid_rows = [0] * len(self._valid_rows)

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

    def _look(self, instrument: int) -> tuple[int, Words]:
        """The newest row's place in the ring, with every full window before it, and its record as 64-bit words."""
        head = self._head(instrument)
        if head == 0:
            raise LookupError(f"instrument {instrument} has no row to predict from")
        place = (head - 1) % self._capacity + self._capacity  # in the second half every full window lies before it
        return place, _unpack(self._bytes, (instrument * self._rows + place) * _RECORD.size)

    def _count_valid(self, instrument: int, place: int, words: Words) -> int:
        """Valid rows in a row that end at the newest one; counted anew (up to a window) where rows were not seen."""
        number = words[NUMBER]
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

    def _judge(
        self,
        instrument: int,
        words: Words,
        outputs: tuple[float, ...],
        *,
        verdict: Verdict,
        started: int,
        backlog: int | None = None,
        model_hash: str = "",
        arrived: int = -1,
    ) -> Prediction:
        """The prediction for a row, with its age now. An OK that comes too late is LATE, one on data too old STALE; outputs of
        a model that failed are dropped. Once for each row that is looked at; ``backlog`` was observed when it was.
        ``model_hash`` is of the version that was asked, where that is not the newest."""
        elapsed = self._monotonic() - started if self._measured else 0
        ts_recv = words[RECV]
        ts_done = self._now()
        if self._market_time:  # it went on since, where the answer came with a later input
            ts_done = ts_done + elapsed if backlog is None else max(ts_done, ts_recv + elapsed)
        waited = max(ts_done - ts_recv, elapsed)  # a wall clock that is set back hides no lateness
        age = waited + (self._observe(instrument, words) if backlog is None else backlog)
        if verdict is _OK:
            if waited > self._deadline:
                verdict = Verdict.LATE
            elif age > self._max_age:
                verdict = Verdict.STALE
        elif verdict is Verdict.FAILED:
            outputs = ()
        return Prediction(
            model=self.name,
            model_hash=model_hash or self._hash,
            instrument=instrument,
            input=words[INPUT],
            row=words[NUMBER],
            update_id=words[UPDATE],
            ts_event=words[EVENT],
            ts_recv=ts_recv,
            ts_done=ts_done,
            age_ns=age,
            deadline_ns=self._deadline,
            verdict=verdict,
            outputs=outputs,
            arrived=arrived,
        )

    def _observe(self, instrument: int, words: Words) -> int:
        """The backlog, ns, at the arrival of the input that made a row. In order of the rows."""
        return self._arrivals.backlog(words[INPUT], instrument, words[EVENT], words[RECV])

    def _vet(self, outputs: tuple[float, ...]) -> Verdict:
        """OK where every number is finite. Raises TypeError where they are no numbers."""
        return _OK if math.isfinite(sum(outputs)) else self._failure("answered a number that is not finite")

    def _failure(self, problem: str) -> Verdict:
        if not self.first_failure:
            self.first_failure = problem
            _log.error("model %s %s; this is told once, and counted as failed every time", self.name, problem)
        return Verdict.FAILED


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
