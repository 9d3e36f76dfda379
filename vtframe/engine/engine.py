"""The hot path: one numbered input in, and everything that follows from it is done before the call returns.

Between the bytes and the order there is no hook call, no lock, no await and no logging call.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import numpy as np

from vtframe.api import Codec
from vtframe.book.watch import BookWatch
from vtframe.clock import EventClock, InputClock
from vtframe.domain import ROW, Answer, DriftVerdict, FrameKind, InputKind, Prediction, Records, Verdict
from vtframe.engine.instrument_status import take_status
from vtframe.engine.lane import Lane
from vtframe.engine.lane_view import Journal
from vtframe.engine.meters import Meters
from vtframe.engine.served_model import ModelsElsewhere, ServedModel, is_here
from vtframe.engine.verdicts import NEVER
from vtframe.errors import DecodeError, InvariantError
from vtframe.features.pipeline import Pipeline
from vtframe.inference.age import Arrivals
from vtframe.inference.distant import Answered
from vtframe.journal.records import AnswersArrived, DriftJudged, InputArrived, LanesStopped, Record, VenuesClosing

_POLL = 256  # frames between two turns of housekeeping
_PLACES = 20  # of damage that the report names
_NAMES = 100  # of types of messages, and of damage, that are counted by name: a venue can make up any number of them
_OTHERS = "other types"
_OTHER_DAMAGE = "other damage"
_WRITTEN = re.compile(r"'[^']*'")  # what stood there; the journal has it

_now = time.perf_counter_ns


def _nothing() -> None:
    """Until a session takes the engine there is no work in bulk."""


def _stay(ts_ns: int) -> None:
    """Market time is what messages say; answers do not move it."""


def _no_codec(data: bytes, records: Records) -> str:  # noqa: ARG001 - stands in for a codec
    raise InvariantError("a feed without a codec delivered a message; it must deliver records")


class Engine:
    """Takes what the feed delivers (it is the feed's sink) and drives book, features, models and lanes."""

    def __init__(
        self,
        *,
        codec: Codec | None,
        pipeline: Pipeline,
        models: Sequence[ServedModel],
        lanes: Sequence[Lane],
        clock: EventClock | InputClock,
        meters: Meters,
        journal: Journal,
        arrivals: Arrivals | None = None,
    ) -> None:
        self.codec = codec
        self._decode = codec.decode if codec is not None else _no_codec
        self._pipeline = pipeline
        self._models = tuple(models)
        self._here = tuple(model for model in models if is_here(model))
        self.elsewhere = ModelsElsewhere(models)
        self._lanes = tuple(lanes)
        self._clock = clock
        self._arrivals = arrivals if pipeline.sampling.every == "clock" or pipeline.sampling.leaders else None
        self.beat = None if arrivals is None else arrivals.beat
        self._advance = clock.advance
        self._answered_at: Callable[[int], None] = clock.advance if isinstance(clock, InputClock) else _stay
        self._arrive: Callable[[], None] = clock.arrive if isinstance(clock, InputClock) else _nothing
        self._read = clock.read_ns if isinstance(clock, InputClock) else clock.now_ns  # for what decides nothing
        self.journal = journal
        self.position: Callable[[], str] = str  # where the message in hand comes from, where the feed knows
        self.housekeeping: Callable[[], None] = _nothing  # the session's work in bulk, a few times a second
        self._records = Records()
        self._until_poll = _POLL
        self._row_weight = -(-4 * _POLL // pipeline.ring.capacity)  # so that a quarter of the ring is housekeeping's turn too
        pipeline.on_full = self._catch_up
        self._add_decode = meters.stage("decode").add
        self._add_book = meters.stage("book").add
        self._add_features = meters.stage("features").add
        self._add_inference = meters.stage("inference").add
        self._add_age = meters.stage("prediction_age").add
        self.verdict_at = NEVER  # once ``number`` has come to this, there are verdicts to take before the next input
        self.take_verdicts: Callable[[], None] = _nothing
        self.number = 0  # inputs so far: the number of the next one
        self.stop_reason: str | None = None
        self._stop_noted = False
        self.failure: Exception | None = None  # what broke while a venue's event was taken; whoever ends the session raises it
        self.halted = False  # by a rule, not by a person
        self.verdicts: Counter[Verdict] = Counter()
        self.messages: Counter[str] = Counter()  # messages without market data for this session, by the name of their type
        self.damage: Counter[str] = Counter()
        self.damaged_at: list[str] = []  # the first places
        self.first_prediction_ns: int | None = None  # monotonic
        self.started = 0  # monotonic time at which the input in hand arrived

    @property
    def stopping(self) -> bool:
        return self.stop_reason is not None

    @property
    def books(self) -> BookWatch:
        return self._pipeline.watch

    def stop(self, reason: str) -> None:
        """Ask for an orderly stop: the input in hand is finished, then the feed returns. A signal may call it at any time."""
        if self.stop_reason is None:
            self.stop_reason = reason

    def halt(self, reason: str) -> None:
        """Stop, and say that only a person resumes. Any thread may call it."""
        self.halted = True
        self.stop(f"halted: {reason}")

    def note_stop(self, reason: str) -> None:
        """Number the command to stop, if there was one: after the last input that was handled, where it takes effect."""
        self._note_command()
        self.journal.write(LanesStopped(number=self.number, ts=self._clock.now_ns(), reason=reason))

    def wind_down(self, reason: str) -> None:
        """Before that, where lanes trade at venues: they enter nothing more and cancel every order, and the ends that their
        venues tell are inputs still. Raises the first error, when all lanes were told: a journal that cannot be written is no
        reason to leave an order working."""
        with ExitStack() as steps:
            for lane in reversed(self._lanes):
                if lane.adapter.live:
                    steps.callback(lane.wind_down, reason)
            self._note_command()
            self.journal.write(VenuesClosing(number=self.number, ts=self._clock.now_ns(), reason=reason))

    def _note_command(self) -> None:
        self._arrive()
        if self.stop_reason is not None and not self._stop_noted:
            self._stop_noted = True
            self._note(self._take_number(), InputKind.COMMAND, f"stop: {self.stop_reason}")

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        started = _now()
        if self.number >= self.verdict_at:
            self.take_verdicts()
        number = self.number
        self.number = number + 1
        self._advance(ts_recv)
        records = self._records
        records.clear()
        records.connection = connection
        try:
            name = self._decode(data, records)
        except DecodeError as e:
            self._damaged(number, self.position() or f"input {number}", str(e))
            self._pipeline.watch.alarms += 1
            return
        if not records.n_frames:
            self.messages[name if name in self.messages or len(self.messages) < _NAMES else _OTHERS] += 1
            return
        records.stamp(number=number, ts_recv=ts_recv, connection=connection)
        self._add_decode(_now() - started)
        for index in range(records.n_frames):
            self._apply(records, index, started)
            if records.statuses:
                take_status(records, index, self._lanes)
        if self.elsewhere.models:  # answers come between two inputs, never within one
            self.poll()

    def on_records(self, records: Records) -> None:
        if self.number >= self.verdict_at:
            self.take_verdicts()
        count = records.n_frames
        frames = records.frames[:count]
        if self.elsewhere.models or (frames["kind"] == FrameKind.STATUS).any():
            self._on_frames_one_by_one(records)
            return
        frames["input"] = np.arange(self.number, self.number + count)
        records.events["frame"][: records.n_events] = np.repeat(frames["input"], frames["n_events"])
        arrivals = frames["ts_recv"].tolist()
        for index in range(count):
            started = _now()
            self.number += 1
            self._advance(arrivals[index])
            self._apply(records, index, started)
            if self.stop_reason is not None:
                return

    def _on_frames_one_by_one(self, records: Records) -> None:
        """Between two frames an answer may come, which takes a number; or one of them says that an instrument is halted."""
        frames, events = records.frames, records.events
        for index in range(records.n_frames):
            started = _now()
            number = self._take_number()
            frame = frames[index]
            frame["input"] = number
            first = int(frame["first_event"])
            events["frame"][first : first + int(frame["n_events"])] = number
            self._advance(int(frame["ts_recv"]))
            self._apply(records, index, started)
            take_status(records, index, self._lanes)
            self.poll()
            if self.stop_reason is not None:
                return

    def on_damage(self, where: str, problem: str) -> None:
        if self.number >= self.verdict_at:
            self.take_verdicts()
        self._damaged(self._take_number(), where, problem)

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        if self.number >= self.verdict_at:
            self.take_verdicts()
        text = f"connection {connection} {'up' if up else 'down'} {reason}".rstrip()
        self._note(self._take_number(), InputKind.CONNECTION, text)

    def begin_input(self) -> tuple[int, int]:
        """Something comes that is no message: its number and its time. Verdicts that are due come before it."""
        if self.number >= self.verdict_at:
            self.take_verdicts()
        self._arrive()
        return self._take_number(), self._clock.now_ns()

    def on_drift(self, verdict: DriftVerdict) -> None:
        """A verdict on a model's inputs or scores: numbered, journalled, and carried out by the lanes that trade the model."""
        self._arrive()
        number = self._take_number()
        self.journal.write(DriftJudged(number=number, ts=self._clock.now_ns(), verdict=verdict))
        lanes = [lane for model in self._models if model.name == verdict.model for lane in model.lanes]
        for lane in lanes:
            lane.on_drift(verdict, number)
        only_shadows = bool(lanes) and all(lane.shadow for lane in lanes)
        if verdict.answer is Answer.HALT and not only_shadows:
            self.halt(verdict.text)

    def on_command(self, text: str) -> int:
        """An operator's command takes effect here, between two inputs; returns its number."""
        number, _ = self.begin_input()
        self._note(number, InputKind.COMMAND, text)
        return number

    @property
    def models(self) -> tuple[ServedModel, ...]:
        return self._models

    def _take_number(self) -> int:
        self.number += 1
        return self.number - 1

    def _damaged(self, number: int, where: str, problem: str) -> None:
        kind = _WRITTEN.sub("...", problem).split(":", 1)[0]
        self.damage[kind if kind in self.damage or len(self.damage) < _NAMES else _OTHER_DAMAGE] += 1
        if len(self.damaged_at) < _PLACES:
            self.damaged_at.append(f"{where}: {problem}")
        self._note(number, InputKind.MESSAGE, f"damage: {where}: {problem}")

    def _note(self, number: int, kind: InputKind, text: str) -> None:
        ts = self._clock.now_ns() if kind is InputKind.COMMAND else self._read()  # a command takes effect at its time
        record: Record = InputArrived(number=number, kind=int(kind), ts=ts, text=text)
        self.journal.write(record)

    def _apply(self, records: Records, index: int, started: int) -> None:
        """One frame: book and features, then fills and exits, then predictions on the rows that it made."""
        self.started = started
        before = _now()
        rows = self._pipeline.process(records, index, index + 1)
        elapsed = _now() - before
        for lane in self._lanes:
            if lane.active:
                lane.on_frame(records, index, started=started)
        if rows:
            self._add_features(elapsed)
            if self._arrivals is not None:
                self._arrivals.note_frame(records, index)
            self._predict_all(rows, started)
        else:
            self._add_book(elapsed)
        self._until_poll -= 1 + self._row_weight * rows
        if self._until_poll <= 0:
            self._until_poll = _POLL
            self.housekeeping()

    def _predict_all(self, rows: int, started: int) -> None:
        """Predict the newest row of each instrument that has new ones; older ones of the same input are conflated."""
        instruments = self._pipeline.new_rows[:rows].tolist()
        if rows > 1:
            newest = {instrument: position for position, instrument in enumerate(instruments)}
            if len(newest) < rows:
                self._conflate(instruments, newest)
                instruments = list(newest)
        for instrument in instruments:
            for model in self._here:
                self._predict(model, instrument, started)
            for elsewhere in self.elsewhere.models:
                for settled in elsewhere.executor.submit(instrument, started=started):
                    self._take(elsewhere.model, settled)

    def poll(self) -> None:
        """Take the answers that have come from elsewhere, each a numbered input; the next one rings, where nobody polls."""
        for elsewhere in self.elsewhere.models:
            executor = elsewhere.executor
            again = True
            while again:
                self._arrived(elsewhere.model, executor.collect(self.number))
                again = executor.rings and executor.arm()

    def settle(self, seconds: float) -> None:
        """Before the end: wait that long for the answers that are still due, for the log."""
        for elsewhere in self.elsewhere.models:
            self._arrived(elsewhere.model, elsewhere.executor.drain(seconds, self.number))

    def _arrived(self, model: ServedModel, settled: Sequence[Answered]) -> None:
        """Answers, each an input: the journal has their numbers before anything follows from them."""
        if not settled:
            return
        self._arrive()
        rows = tuple((one.prediction.instrument, one.prediction.row) for one in settled)
        self.journal.write(AnswersArrived(number=self.number, ts=self._clock.now_ns(), model=model.name, rows=rows))
        for one in settled:
            self.number += 1
            self._take(model, one)

    def _take(self, model: ServedModel, settled: Answered) -> None:
        """A prediction from elsewhere: count it, log it, tell the lanes."""
        prediction = settled.prediction
        verdict = prediction.verdict
        self.verdicts[verdict] += 1
        if settled.batch >= 0:
            self._add_inference(_now() - settled.started)
            self._add_age(prediction.age_ns)
            if self.first_prediction_ns is None:
                self.first_prediction_ns = _now()
        model.log.add(prediction, settled.batch, settled.batch_size)
        if verdict is not Verdict.CONFLATED:
            self._answered_at(prediction.ts_done)
        for lane in model.lanes:
            lane.on_prediction(prediction, started=settled.started)

    def _catch_up(self) -> None:
        """One input makes more rows than the ring should hold: log them as they come, their predictions as conflated."""
        self._conflate(self._pipeline.new_rows.tolist(), {})
        self.housekeeping()

    def _conflate(self, instruments: Sequence[int], newest: Mapping[int, int]) -> None:
        """Log a prediction as conflated for every new row but those at the positions in ``newest``."""
        counts = Counter(instruments)
        for instrument, count in counts.items():
            for meta in self._pipeline.ring.window_meta(instrument, count)[: count - (instrument in newest)].tolist():
                row = dict(zip(ROW.names or (), meta, strict=True))
                verdict = Verdict.CONFLATED if row["valid"] else Verdict.INVALID
                for model in self._models:
                    self.verdicts[verdict] += 1
                    model.log.add(model.executor.unanswered(instrument, row, verdict), -1, 0)

    def _predict(self, model: ServedModel, instrument: int, started: int) -> None:
        before = _now()
        prediction: Prediction = model.executor.predict(instrument, started=started)
        self._add_inference(_now() - before)
        verdict = prediction.verdict
        self.verdicts[verdict] += 1
        if verdict is not Verdict.INVALID:
            self._add_age(prediction.age_ns)
            if self.first_prediction_ns is None:
                self.first_prediction_ns = _now()
        model.log.add(prediction, model.executor.batch, 1)
        self._answered_at(prediction.ts_done)
        for lane in model.lanes:
            lane.on_prediction(prediction, started=started)
