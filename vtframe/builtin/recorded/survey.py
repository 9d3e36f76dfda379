"""Reads a recording from end to end and says what is in it: frames by type, span, damage, and breaks in the chain of ids."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np

from vtframe.api import Codec, DecodeError
from vtframe.builtin.recorded.identity import Identity
from vtframe.domain import EventKind, FrameKind, Instrument, Records, SequenceRule
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.wire import Damage, RecordingReader

_KEPT = 20  # places of damage that are kept; all are counted


class InstrumentSurvey(msgspec.Struct):
    """One instrument's part of a recording."""

    instrument: Instrument
    known: bool  # its units are the codec's own; else they were inferred from the digits
    depth: int = 0
    snapshots: int = 0
    trades: int = 0
    quotes: int = 0
    breaks: int = 0  # depth frames that do not continue the one before
    first_break: str = ""  # file:line
    price_step: int = 0  # greatest common divisor of all prices and quantities seen, fixed point
    quantity_step: int = 0
    last_id: int = -1  # of the newest depth frame

    def follows(self, rule: SequenceRule, first_id: int, last_id: int, previous_id: int) -> bool:
        """Whether a depth frame continues the one before; the first one does."""
        before = self.last_id
        self.last_id = last_id
        if before < 0 or rule is SequenceRule.NONE:
            return True
        if rule is SequenceRule.PREVIOUS:
            return previous_id == before
        return (first_id if rule is SequenceRule.NEXT else last_id) == before + 1


class Survey(msgspec.Struct):
    """What a recording holds."""

    lines: int = 0
    messages: Counter[str] = msgspec.field(default_factory=Counter)  # by the name of their type
    first_ns: int = 0
    last_ns: int = 0
    broken: int = 0  # messages that cannot be decoded
    damaged: int = 0  # places that cannot be read as they should
    damage: list[str] = []  # the first of both, with their places
    instruments: list[InstrumentSurvey] = []


def survey(identity: Identity, cls: type[Codec]) -> Survey:
    """Read the whole file once."""
    codec = cls()
    codec.open(SessionInstruments(identity.instruments))
    found = Survey(
        instruments=[InstrumentSurvey(i, cls.known_instrument(i.venue, i.symbol) == i) for i in identity.instruments]
    )

    def note(where: str, problem: str) -> None:
        if len(found.damage) < _KEPT:
            found.damage.append(f"{where}: {problem}")

    def on_damage(damage: Damage) -> None:
        found.damaged += 1
        note(damage.where, damage.problem)

    records = Records()
    reader = RecordingReader(identity.path, identity.unit, on_damage)
    for number, ts_recv, data in reader:
        found.first_ns = found.first_ns or ts_recv
        found.last_ns = ts_recv
        records.clear()
        where = f"{identity.path}:{number}"
        try:
            found.messages[codec.decode(data, records)] += 1
        except DecodeError as e:
            found.broken += 1
            note(where, str(e))
            continue
        for index in range(records.n_frames):
            _add_frame(found, codec, records, index, where)
    found.lines = reader.lines
    return found


def _add_frame(found: Survey, codec: Codec, records: Records, index: int, where: str) -> None:
    _, _, first_id, last_id, previous_id, _, _, instrument, kind, n_events, start = records.frames[index].tolist()
    part = found.instruments[instrument]
    if kind == FrameKind.DEPTH:
        part.depth += 1
        if not part.follows(codec.sequence_rule(instrument), first_id, last_id, previous_id):
            part.breaks += 1
            part.first_break = part.first_break or where
    part.snapshots += kind == FrameKind.SNAPSHOT
    part.trades += kind == FrameKind.TRADE
    part.quotes += kind == FrameKind.QUOTE
    events = records.events[start : start + n_events]
    if n_events and events["kind"][0] != EventKind.STATUS:
        part.price_step = int(np.gcd.reduce(events["price"], initial=part.price_step))
        part.quantity_step = int(np.gcd.reduce(events["quantity"], initial=part.quantity_step))
