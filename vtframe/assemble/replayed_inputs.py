"""A session's inputs again: the market's from its feed or recording, all others from its journal, in their recorded numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from vtframe.api import BookWatch
from vtframe.assemble.recorded_answers import RecordedElsewhere
from vtframe.domain import InputKind, Records
from vtframe.engine.engine import Engine
from vtframe.engine.lane import Lane
from vtframe.engine.venue_events import take_entries, take_order_event
from vtframe.errors import SessionError
from vtframe.journal.records import (
    AnswersArrived,
    DriftJudged,
    EntriesChanged,
    InputArrived,
    LanesExchanged,
    LanesStopped,
    ModelChanged,
    OrderEventArrived,
    Record,
    VenuesClosing,
)

Other = (
    InputArrived
    | AnswersArrived
    | DriftJudged
    | ModelChanged
    | LanesExchanged
    | OrderEventArrived
    | EntriesChanged
    | VenuesClosing
    | LanesStopped
)
_WITH_THE_FEED = (InputKind.MESSAGE, InputKind.CONNECTION)  # damage, and changes of market connections


class RecordedTime:
    """The machine's clock as a live session read it: what the journal says of the input in hand."""

    def __init__(self, start_ns: int) -> None:
        self.now = start_ns

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


class ReplayedInputs:
    """The sink of the replay's feed: before each of its inputs the engine gets those that the journal has before it.

    ``until`` is the number of the first input that cannot be handled any more (the log of a killed session ends).
    """

    def __init__(
        self,
        engine: Engine,
        journal: Iterable[Record],
        time: RecordedTime,
        *,
        elsewhere: dict[str, RecordedElsewhere],
        lanes: Mapping[str, Lane],
        change: Callable[[ModelChanged | LanesExchanged], None],
        until: int,
    ) -> None:
        self.stopped: LanesStopped | None = None  # once it has come to that
        self._engine = engine
        self._others = _others(journal)
        self._next = next(self._others, None)
        self._time = time
        self._elsewhere = elsewhere
        self._lanes = lanes
        self._change = change
        self._until = until
        self._ended = False

    @property
    def books(self) -> BookWatch:
        return self._engine.books

    @property
    def stopping(self) -> bool:
        self.catch_up()
        return self._ended or self.stopped is not None or self._engine.number >= self._until

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        if not self.stopping:
            self._engine.on_message(data, ts_recv, connection=connection)

    def on_records(self, records: Records) -> None:
        one = Records(frames=1)
        for frame in records.frames[: records.n_frames]:
            if self.stopping:
                return
            first, count = int(frame["first_event"]), int(frame["n_events"])
            one.clear()
            one.reserve(frames=1, events=count)
            one.frames[0] = frame
            one.frames[0]["first_event"] = 0
            one.events[:count] = records.events[first : first + count]
            one.n_frames, one.n_events = 1, count
            self._engine.on_records(one)

    def on_damage(self, where: str, problem: str) -> None:
        if not self.stopping:
            self._engine.on_damage(where, problem)

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        if not self.stopping:
            self._engine.on_connection(connection, up=up, reason=reason)

    def catch_up(self) -> None:
        """Whatever the journal has at the next number. Raises SessionError where it has what cannot be there."""
        while self._next is not None and self.stopped is None and self._next.number <= self._engine.number:
            record = self._next
            if record.number + (len(record.rows) if isinstance(record, AnswersArrived) else 0) > self._until:
                self._ended = True
                return
            self._next = next(self._others, None)
            if record.number < self._engine.number:
                problem = f"input {record.number} ({type(record).__name__}) comes where input {self._engine.number} is due"
                raise SessionError("the replay", problem, "the feed did not bring what it brought then")
            self._take(record)

    def _take(self, record: Other) -> None:
        engine = self._engine
        self._time.now = record.ts
        match record:
            case LanesStopped():
                self.stopped = record
            case AnswersArrived():
                self._elsewhere[record.model].arrivals = record
                engine.poll()
            case DriftJudged():
                engine.on_drift(record.verdict)
            case ModelChanged() | LanesExchanged():
                self._change(record)
            case OrderEventArrived():
                take_order_event(engine, self._lanes[record.lane], record.event)
            case EntriesChanged():
                take_entries(engine, self._lanes[record.lane], allowed=record.allowed, reason=record.reason)
            case VenuesClosing():
                engine.wind_down(record.reason)
            case InputArrived(kind=InputKind.COMMAND):
                following = self._next
                if not (isinstance(following, ModelChanged | LanesExchanged) and following.number == record.number):
                    engine.on_command(record.text)
            case _:
                raise SessionError("the replay", f"input {record.number} is of kind {record.kind}, which it does not know")


def _others(journal: Iterable[Record]) -> Iterator[Other]:
    """The inputs that the feed does not bring, in order."""
    for record in journal:
        if isinstance(record, InputArrived):
            if record.kind not in _WITH_THE_FEED:
                yield record
        elif isinstance(record, Other):
            yield record
