"""Decisions that are made again, compared with those in a session's journal: record by record, every field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from vtframe.journal.records import (
    CancelSent,
    DenialsRepeated,
    IntentFormed,
    LaneFailed,
    OrderApproved,
    OrderDenied,
    OrderReported,
    Record,
)

Decision = IntentFormed | OrderApproved | OrderDenied | DenialsRepeated | CancelSent | OrderReported | LaneFailed
_encode = msgspec.msgpack.Encoder().encode


class DecisionDifference(msgspec.Struct, frozen=True, kw_only=True):
    """The first decision that is not as it was."""

    decision: int  # its number, from 0
    kind: str
    input: int  # in hand when it was made, -1 where the record does not say
    field: str  # empty where one side has no such record
    recorded: str
    repeated: str

    def __str__(self) -> str:
        at = f"decision {self.decision} ({self.kind}" + (f", input {self.input})" if self.input >= 0 else ")")
        return f"{at}: {self.field or 'the record'}: recorded {self.recorded}, made again {self.repeated}"


class Folded:
    """Decisions as they are compared: runs of denials are counted at a session's checkpoints, and here only as a whole."""

    def __init__(self) -> None:
        self._counted: Counter[tuple[object, ...]] = Counter()

    def fold(self, record: Record) -> Decision | None:
        """The record, where it is a decision and complete."""
        if not isinstance(record, DenialsRepeated):
            return record if isinstance(record, Decision) else None
        run = (record.lane, record.instrument, record.policy, record.side, record.cause)
        self._counted[run] += record.count
        if not record.ended:
            return None
        return msgspec.structs.replace(record, count=self._counted.pop(run))


class DecisionComparison:
    """``add`` takes the decisions that are made again, in order; ``finish`` what is left of the recorded ones."""

    def __init__(self, recorded: Iterator[Record]) -> None:
        self.compared = 0
        self.identical = 0
        self.first: DecisionDifference | None = None
        self._recorded = self._decisions(recorded)
        self._folded = Folded()

    def add(self, record: Record) -> None:
        repeated = self._folded.fold(record)
        if repeated is None:
            return
        recorded = next(self._recorded, None)
        number = self.compared
        self.compared += 1
        if recorded is not None and _encode(recorded) == _encode(repeated):
            self.identical += 1
        elif self.first is None:
            self.first = _difference(number, recorded, repeated)

    def left(self) -> int:
        """How many recorded decisions were not made again."""
        return sum(1 for _ in self._recorded)

    def finish(self, *, whole: bool) -> int:
        """Like ``left``; where the ``whole`` session was run again, the first of them is a difference."""
        missing = next(self._recorded, None)
        if missing is None:
            return 0
        if whole and self.first is None:
            self.first = _difference(self.compared, missing, None)
        return 1 + self.left()

    @staticmethod
    def _decisions(recorded: Iterator[Record]) -> Iterator[Decision]:
        folded = Folded()
        for record in recorded:
            decision = folded.fold(record)
            if decision is not None:
                yield decision


def _difference(number: int, recorded: Decision | None, repeated: Decision | None) -> DecisionDifference:
    one, other = _flat(recorded), _flat(repeated)
    field = ""
    if recorded is not None and repeated is not None and type(recorded) is type(repeated):
        field = next((name for name in one if _encode(one[name]) != _encode(other.get(name))), "")
    known = recorded if recorded is not None else repeated
    return DecisionDifference(
        decision=number,
        kind=type(known).__name__,
        input=int(next((value for name, value in (one or other).items() if name in {"input", "order.input"}), -1)),
        field=field,
        recorded=_said(one, field, recorded),
        repeated=_said(other, field, repeated),
    )


def _said(flat: dict[str, Any], field: str, record: Decision | None) -> str:
    if record is None:
        return "nothing"
    return repr(flat.get(field)) if field else type(record).__name__ + " " + ", ".join(f"{k}={v!r}" for k, v in flat.items())


def _flat(record: object, prefix: str = "") -> dict[str, Any]:
    """Field by field, those of structs within by a path; nothing for nothing."""
    if not isinstance(record, msgspec.Struct):
        return {}
    found: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, msgspec.Struct):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
