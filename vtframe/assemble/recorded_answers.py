"""Executors that answer what a session's prediction log says, when it says: for a replay of its decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Unpack

from vtframe.api import BundleInfo, PredictionBlock
from vtframe.dataset.logged_predictions import LoggedPredictions
from vtframe.domain import Prediction, Verdict
from vtframe.errors import SessionError
from vtframe.inference.distant import Answered, DistantExecutor
from vtframe.inference.executor import NUMBER, Executor, Serving
from vtframe.journal.records import AnswersArrived

_VERDICTS = tuple(Verdict)


class _Logged(NamedTuple):
    prediction: Prediction
    batch: int
    batch_size: int


class Answers:
    """The logged predictions of one model, each given out once, by instrument and row. Read as far as is needed: those that
    are asked for later than others are held."""

    def __init__(self, log: LoggedPredictions, model: str) -> None:
        self._blocks: Iterator[PredictionBlock] = iter(log)
        self._model = model
        self._held: dict[tuple[int, int], _Logged] = {}

    def take(self, instrument: int, row: int) -> _Logged | None:
        """None where the log has none."""
        key = (instrument, row)
        while key not in self._held:
            block = next(self._blocks, None)
            if block is None:
                return None
            self._hold(block)
        return self._held.pop(key)

    def put_back(self, logged: _Logged) -> None:
        """It is to be taken later, after all."""
        self._held[logged.prediction.instrument, logged.prediction.row] = logged

    def _hold(self, block: PredictionBlock) -> None:
        names = block.meta.dtype.names or ()
        for values, outputs in zip(block.meta.tolist(), block.outputs.tolist(), strict=True):
            field: dict[str, Any] = dict(zip(names, values, strict=True))
            verdict = _VERDICTS[field["verdict"]]
            answered = outputs[0] == outputs[0]  # not nan
            prediction = Prediction(
                model=self._model,
                model_hash=block.versions[field["version"]] if block.versions else "",
                instrument=field["instrument"],
                input=field["input"],
                row=field["row"],
                update_id=field["update_id"],
                ts_event=field["ts_event"],
                ts_recv=field["ts_recv"],
                ts_done=field["ts_done"],
                age_ns=field["age_ns"],
                deadline_ns=field["deadline_ns"],
                verdict=verdict,
                outputs=tuple(outputs) if answered else (),
                arrived=-1 if field["arrived"] == field["input"] else field["arrived"],
            )
            self._held[prediction.instrument, prediction.row] = _Logged(prediction, field["batch"], field["batch_size"])


class RecordedExecutor(Executor):
    """Answers at once."""

    def __init__(self, answers: Answers, bundle: BundleInfo, **serving: Unpack[Serving]) -> None:
        super().__init__(bundle, **serving)
        self._answers = answers

    def predict(self, instrument: int, *, started: int) -> Prediction:
        """Raises SessionError where the log has no answer for the newest row."""
        _, words = self._look(instrument)
        logged = self._answers.take(instrument, words[NUMBER])
        if logged is None:
            raise _missing(self.name, words[NUMBER])
        self.batch, self.batch_size = logged.batch, logged.batch_size
        return logged.prediction

    def unanswered(self, instrument: int, row: Mapping[str, int], verdict: Verdict) -> Prediction:
        self._answers.take(instrument, row["number"])
        return super().unanswered(instrument, row, verdict)


class RecordedElsewhere(DistantExecutor):
    """Answers at once what was settled at once, and the rest when ``arrivals`` says that it came."""

    def __init__(self, answers: Answers, bundle: BundleInfo, **serving: Unpack[Serving]) -> None:
        super().__init__(bundle, **serving)
        self.arrivals: AnswersArrived | None = None
        self._answers = answers

    def submit(self, instrument: int, *, started: int) -> Sequence[Answered]:
        _, words = self._look(instrument)
        logged = self._answers.take(instrument, words[NUMBER])
        if logged is None or logged.prediction.verdict is Verdict.CONFLATED:  # of which nothing follows, whenever it was told
            return ()
        if logged.prediction.arrived >= 0:
            self._answers.put_back(logged)
            return ()
        return (Answered(logged.prediction, logged.batch, logged.batch_size, started),)

    def collect(self, number: int = -1) -> list[Answered]:
        arrivals, self.arrivals = self.arrivals, None
        if arrivals is None:
            return []
        return [self._arrived(instrument, row) for instrument, row in arrivals.rows]

    def unanswered(self, instrument: int, row: Mapping[str, int], verdict: Verdict) -> Prediction:
        self._answers.take(instrument, row["number"])
        return super().unanswered(instrument, row, verdict)

    def _arrived(self, instrument: int, row: int) -> Answered:
        logged = self._answers.take(instrument, row)
        if logged is None:
            raise _missing(self.name, row)
        return Answered(logged.prediction, logged.batch, logged.batch_size, 0)


def _missing(model: str, row: int) -> SessionError:
    return SessionError(f"predictions/{model}", f"has none of row {row}", "without it nothing more can be decided again")
