"""Predictions that were logged against the model asked again, at the batch size that was logged, bit for bit."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, Model, PredictionBlock
from vtframe.dataset.comparison import Difference
from vtframe.domain import ROW, Verdict
from vtframe.features.pipeline import RowBatch

_VERDICTS = list(Verdict)
_ANSWERED = {Verdict.OK, Verdict.LATE, Verdict.STALE}
_FIELDS = ("input", "ts_event", "ts_recv", "update_id")
_OVERTAKEN = 8_192  # rows of an instrument that may wait for a prediction while later rows have theirs


class _History:
    """The newest recomputed rows of one instrument, as far back as a window may reach."""

    def __init__(self, columns: int, dtype: str) -> None:
        self.meta: NDArray[Any] = np.zeros(0, ROW)
        self.values: NDArray[Any] = np.zeros((0, columns), dtype)

    def add(self, meta: NDArray[Any], values: NDArray[Any]) -> None:
        self.meta, self.values = np.concatenate([self.meta, meta]), np.concatenate([self.values, values])

    @property
    def end(self) -> int:
        """One past the newest row's number."""
        return int(self.meta["number"][-1]) + 1 if len(self.meta) else 0

    def position(self, row: int) -> int:
        return row - int(self.meta["number"][0]) if len(self.meta) else -1

    def forget(self, row: int) -> None:
        """Rows before ``row`` are not asked for any more."""
        at = self.position(row)
        if at > 0:
            self.meta, self.values = self.meta[at:].copy(), self.values[at:].copy()


class _Version:
    """One version of the model, and which columns of the rows it reads."""

    def __init__(self, model: Model, bundle: BundleInfo, columns: Sequence[str] | None) -> None:
        self.model = model
        self.window = bundle.window
        self.dtype = bundle.dtype
        self.classes = bundle.classes
        self.places = slice(None) if columns is None else [list(columns).index(name) for name in bundle.columns]


class PredictionComparison:
    """Takes recomputed rows by ``add``, pulls logged predictions as their rows come, and asks ``model`` again.

    A prediction that was answered must have a window of valid rows, and the model's answer to it; one that says INVALID must
    not. What says FAILED, CONFLATED or OVERRUN depended on time, and so did a late row without an answer: they are counted in
    ``timed``. Every row has one prediction. Those of one call of the model stand together in the log; calls of several workers
    may overtake one another. A prediction that names a version of the model is asked of that version.
    """

    def __init__(
        self,
        logged: Iterator[PredictionBlock],
        model: Model,
        bundle: BundleInfo,
        *,
        instruments: Sequence[str],
        expected: int | None,
        columns: Sequence[str] | None = None,
        versions: Mapping[str, tuple[Model, BundleInfo]] | None = None,
    ) -> None:
        """``expected`` is how many there should be, where the session said so at its end. ``columns`` are the names of the
        rows' columns, of which the model's are picked; without them the rows hold the model's and no others. ``versions`` are
        those that took the place of ``model``, by the hashes of their bundles."""
        self.compared = 0
        self.identical = 0
        self.timed = 0
        self.missing = 0  # rows without a prediction before the newest that has one
        self.unmatched = 0  # predictions of rows that were not made again
        self.first: Difference | None = None
        self._log = logged
        self._log_ended = False
        self._first_version = _Version(model, bundle, columns)
        self._versions = {digest: _Version(*version, columns) for digest, version in (versions or {}).items()}
        self._versions[bundle.hash] = self._versions[""] = self._first_version
        self._window = max(version.window for version in self._versions.values())
        self._names = tuple(instruments)
        self._expected = expected
        self._rows = [_History(len(bundle.columns if columns is None else columns), bundle.dtype) for _ in instruments]
        self._next = [0] * len(instruments)  # one past the newest row that has a prediction
        self._overtaken: list[dict[int, None]] = [{} for _ in instruments]  # rows before it that have none yet, in order
        self._waiting: deque[tuple[Any, NDArray[np.float32], str]] = deque()

    @property
    def rows(self) -> int:
        """How many predictions there should be, but for those that depended on time."""
        found = self.compared + self.missing + self.unmatched
        return found if self._expected is None else max(found, self._expected - self.timed)

    def add(self, batch: RowBatch) -> None:
        for instrument in np.unique(batch.meta["instrument"]).tolist():
            chosen = batch.meta["instrument"] == instrument
            self._rows[instrument].add(batch.meta[chosen], batch.values[chosen])
        self._advance()
        for history, upto, overtaken in zip(self._rows, self._next, self._overtaken, strict=True):
            history.forget(next(iter(overtaken), upto) - self._window + 1)

    def finish(self) -> None:
        """No more rows."""
        self._advance()
        while self._waiting or self._pull():
            while self._waiting:
                meta, _, _ = self._waiting.popleft()
                self.unmatched += 1
                self._note(meta, "", "a prediction", None)
        for instrument, overtaken in enumerate(self._overtaken):
            self._miss(instrument, len(overtaken))

    def _advance(self) -> None:
        """Ask the model again for all that the rows allow."""
        while self._waiting or self._pull():
            size = max(1, int(self._waiting[0][0]["batch_size"]))
            while len(self._waiting) < size and self._pull():
                pass
            call = int(self._waiting[0][0]["batch"]), self._waiting[0][2]
            together = itertools.takewhile(lambda part: (part[0]["batch"], part[2]) == call, self._waiting)  # noqa: B023 - used at once
            group = list(itertools.islice(together, size if call[0] >= 0 else 1))
            if any(int(meta["row"]) >= self._rows[int(meta["instrument"])].end for meta, _, _ in group):
                return
            for _ in group:
                self._waiting.popleft()
            self._check([(meta, outputs) for meta, outputs, _ in group], call[1])

    def _pull(self) -> bool:
        if self._log_ended:
            return False
        block = next(self._log, None)
        if block is None:
            self._log_ended = True
            return False
        names = block.versions or ("",)
        self._waiting.extend(
            (meta, outputs, names[int(meta["version"])]) for meta, outputs in zip(block.meta, block.outputs, strict=True)
        )
        return True

    def _check(self, group: list[tuple[Any, NDArray[np.float32]]], digest: str) -> None:
        """Predictions of one call of the model: in order, and each against its row and window."""
        windows = []
        asked = []
        version = self._versions.get(digest)
        window = (version or self._first_version).window
        places = (version or self._first_version).places
        for meta, outputs in group:
            instrument, row = int(meta["instrument"]), int(meta["row"])
            history = self._rows[instrument]
            overtaken = self._overtaken[instrument]
            if row < self._next[instrument] and row not in overtaken:
                self.unmatched += 1
                self._note(meta, "", "a second prediction", None)
                continue
            overtaken.pop(row, None)
            overtaken.update(dict.fromkeys(range(self._next[instrument], row)))
            self._next[instrument] = max(self._next[instrument], row + 1)
            self._miss(instrument, len(overtaken) - _OVERTAKEN)
            at = history.position(row)
            first = at - window + 1
            whole = first >= 0 and bool((history.meta["valid"][first : at + 1] != 0).all())
            verdict = _VERDICTS[int(meta["verdict"])]
            unanswered = verdict is Verdict.LATE and int(meta["batch"]) < 0
            if unanswered or (verdict not in _ANSWERED and verdict is not Verdict.INVALID):
                self.timed += 1
                continue
            self.compared += 1
            wrong = [name for name in _FIELDS if at >= 0 and meta[name] != history.meta[name][at]]
            if wrong or whole != (verdict in _ANSWERED):
                name = wrong[0] if wrong else "verdict"
                made = int(history.meta[wrong[0]][at]) if wrong else "answered" if whole else Verdict.INVALID.value
                self._note(meta, name, int(meta[name]) if wrong else verdict.value, made)
            elif verdict is Verdict.INVALID:
                self.identical += 1
            elif version is None:
                self._note(meta, "model_hash", digest, "a version that the journal names")
            else:
                windows.append(history.values[first : at + 1][:, places])
                asked.append((meta, outputs))
        if asked and version is not None:
            self._ask(asked, np.ascontiguousarray(np.stack(windows), version.dtype), version)

    def _miss(self, instrument: int, count: int) -> None:
        """The ``count`` oldest rows that wait for a prediction will have none."""
        history = self._rows[instrument]
        for _ in range(count):
            row = next(iter(self._overtaken[instrument]))
            del self._overtaken[instrument][row]
            self.missing += 1
            self._note(history.meta[history.position(row)], "", None, "a prediction", row=row)

    def _ask(self, asked: list[tuple[Any, NDArray[np.float32]]], batch: NDArray[Any], version: _Version) -> None:
        size = max(1, int(asked[0][0]["batch_size"]))
        if len(batch) < size:  # the others of this call are not in the log: their places must be filled all the same
            batch = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)])
        answers = np.asarray(version.model.predict(batch), np.float32)
        for (meta, outputs), answer in zip(asked, answers, strict=False):
            same = outputs.view(np.uint32) == answer.view(np.uint32)
            if same.all():
                self.identical += 1
                continue
            at = int(np.flatnonzero(~same)[0])
            bits = tuple(f"0x{int(value.view(np.uint32)):08x}" for value in (outputs[at], answer[at]))
            self._note(meta, version.classes[at], float(outputs[at]), float(answer[at]), bits=bits)

    def _note(
        self,
        meta: Any,
        feature: str,
        logged: float | str | None,
        recomputed: float | str | None,
        *,
        row: int | None = None,
        bits: tuple[str, ...] = ("", ""),
    ) -> None:
        found = Difference(
            row=int(meta["row"]) if row is None else row,
            input=int(meta["input"]),
            instrument=self._names[int(meta["instrument"])],
            feature=feature,
            logged=logged,
            recomputed=recomputed,
            logged_bits=bits[0],
            recomputed_bits=bits[1],
        )
        if self.first is None or found.input < self.first.input:
            self.first = found
