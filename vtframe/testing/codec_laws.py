"""The laws of a codec, one function each, tried on a CodecCase. Each raises LawBroken with what it saw."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from vtframe.api import Codec, DecodeError
from vtframe.domain import EventFlag, EventKind, FrameKind, Records, SequenceRule
from vtframe.testing.codec_case import CodecCase, decoded, same, shown
from vtframe.testing.mutations import mutations
from vtframe.testing.verdict import LawBroken

CodecCheck = Callable[[CodecCase], None]
_GROWTH = 16 << 10  # bytes that a round over all messages may leave behind: the machinery's own noise
_MUTATIONS = 500
_NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_SIDED = {EventKind.BOOK_DELTA, EventKind.TRADE}


def check_records_are_well_formed(case: CodecCase) -> None:
    """Every frame owns the events after those of the frame before it, of one instrument, whole and within their bounds."""
    _, records = case.decode()
    if not records.n_frames:
        raise LawBroken(f"no frame came of {len(case.messages)} messages")
    owned = 0
    for index, frame in enumerate(records.frames[: records.n_frames]):
        begin, count = int(frame["first_event"]), int(frame["n_events"])
        if begin != owned or count < 0:
            raise LawBroken(f"frame {index} owns {count} events from {begin}; the frames before it own {owned}")
        owned += count
        events = records.events[begin : begin + count]
        for place, event in enumerate(events):
            problem = _event_problem(frame, event, place, count)
            if problem:
                raise LawBroken(f"frame {index}, event {place} of {count}: {problem}; the event is {event}")
        if not 0 <= frame["instrument"] < len(case.instruments) or frame["kind"] not in list(FrameKind):
            raise LawBroken(f"frame {index} is of instrument {frame['instrument']} and kind {frame['kind']}")
        if frame["kind"] == FrameKind.SNAPSHOT and (not count or events[0]["kind"] != EventKind.BOOK_CLEAR):
            raise LawBroken(f"frame {index} is a snapshot that does not begin with BOOK_CLEAR")
    if owned != records.n_events:
        raise LawBroken(f"{records.n_events} events were written, the frames own {owned}")


def _event_problem(frame: Any, event: Any, place: int, count: int) -> str:
    kind = int(event["kind"])
    if kind not in list(EventKind):
        return f"there is no event kind {kind}"
    if event["instrument"] != frame["instrument"]:
        return f"it is of instrument {event['instrument']}, its frame of {frame['instrument']}"
    if event["ts_event"] < 0 or event["quantity"] < 0:
        return "a time or a quantity is negative"
    if kind in _SIDED and (event["side"] not in {1, -1} or event["price"] <= 0):
        return "a level or a trade needs a side and a price"
    if kind == EventKind.TRADE and event["quantity"] == 0:
        return "a trade of nothing"
    if bool(event["flags"] & EventFlag.LAST) != (place == count - 1):
        return "the flag LAST is on the last event of a frame and on no other"
    return ""


def check_same_bytes_same_records(case: CodecCase) -> None:
    """Two new codecs make the same records of the same messages."""
    (names, first), (again, second) = case.decode(), case.decode()
    same(first, second, "the same bytes gave different records")
    if names != again:
        raise LawBroken("the same bytes gave different names")


def check_codec_leaves_bytes(case: CodecCase) -> None:
    """A message is as it was when it has been decoded: a recorder has the same bytes."""
    codec, records = case.opened(), Records()
    for message in case.messages:
        own = bytes(bytearray(message))  # a copy that nobody else holds
        decoded(codec, own, records)
        if own != message:
            raise LawBroken(f"it wrote into the message that it was shown: {shown(message)} became {shown(own)}")


def check_broken_messages_are_refused(case: CodecCase) -> None:
    """Half a message raises DecodeError and appends nothing; nothing else is ever raised, whatever the bytes are."""
    codec, records = case.opened(), Records()
    for message in case.messages:
        decoded(codec, message, records)
        whole = message.rstrip()
        for cut in sorted({0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1}):
            if not _refused(codec, whole[:cut], records):
                raise LawBroken(f"it accepts the first {cut} of {len(whole)} bytes of {shown(message)}")
    for broken in _mutated(case):
        _refused(codec, broken, records)


def _mutated(case: CodecCase) -> Iterator[bytes]:
    return islice(mutations(case.messages, 1), _MUTATIONS)


def _refused(codec: Codec, message: bytes, records: Records) -> bool:
    """Whether DecodeError was raised; LawBroken for anything else, and for what a refused message appended."""
    before = records.n_frames, records.n_events
    try:
        codec.decode(message, records)
    except DecodeError:
        if (records.n_frames, records.n_events) != before:
            raise LawBroken(f"a message that it refused left frames or events behind: {shown(message)}") from None
        return True
    except Exception as error:
        raise LawBroken(f"it raises {type(error).__name__} ({error}), not DecodeError, for {shown(message)}") from error
    return False


def check_messages_do_not_leak(case: CodecCase) -> None:
    """What a message makes depends on no broken one before it, nor on what lies in the records' spare room."""
    codec, records = case.opened(), Records()
    records.frames.view("u1")[:] = records.events.view("u1")[:] = 0xA5
    broken = [message.rstrip()[: max(len(message.rstrip()) // 2, 1)] for message in case.messages]
    for k, message in enumerate(case.messages):
        _refused(codec, broken[k - 1], records)
        _refused(codec, broken[k], records)
        decoded(codec, message, records)
    _, alone = case.decode()
    same(records, alone, "broken messages in between, or old bytes in the records, change what the others make")


def check_other_messages_append_nothing(case: CodecCase) -> None:
    """What carries no market data of the session's instruments is named and appends nothing."""
    codec, records = case.opened(), Records()
    for message in case.others:
        name = _named(codec, message, records)
        if records.n_frames or records.n_events:
            raise LawBroken(f"{name!r} carries no market data, and it appended {records.n_frames} frames of {shown(message)}")
    strangers = [msgspec.structs.replace(instrument, symbol=f"NO{instrument.symbol}") for instrument in case.instruments]
    codec = case.opened(strangers)
    symbols = [_plain(instrument.symbol.encode()) for instrument in case.instruments]
    for message in case.messages:
        if not any(symbol in _plain(message) for symbol in symbols):
            continue  # it does not say whose it is
        name = _named(codec, message, records)
        if records.n_frames or records.n_events:
            raise LawBroken(f"it appended frames of an instrument that the session does not have: {shown(message)}")


def _plain(text: bytes) -> bytes:
    """Letters and digits: BTC-USD is BTCUSD here."""
    return re.sub(rb"[^A-Z0-9]", b"", text.upper())


def _named(codec: Codec, message: bytes, records: Records) -> str:
    name: object = decoded(codec, message, records)
    if not isinstance(name, str) or not name:
        raise LawBroken(f"it names {shown(message)} {name!r}; a type's name is a text that is not empty")
    return name


def check_codec_bounded_memory(case: CodecCase) -> None:
    """Decoding the same messages again and again leaves nothing behind."""
    codec, records = case.opened(), Records()
    rounds = max(1, 400 // len(case.messages))

    def decode() -> None:
        for _ in range(rounds):
            for message in case.messages:
                records.clear()
                decoded(codec, bytes(bytearray(message)), records)

    decode()
    tracemalloc.start()
    try:
        decode()
        before, _ = tracemalloc.get_traced_memory()
        decode()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if after - before > _GROWTH:
        raise LawBroken(f"{rounds * len(case.messages)} messages left {after - before:,} bytes behind")


def check_numbers_are_exact(case: CodecCase) -> None:
    """Every price and quantity is a number that stands in the message, digit by digit. For messages that are text."""
    codec = case.opened()
    for message in case.messages:
        records = Records()
        decoded(codec, message, records)
        if not records.n_frames:
            continue
        stated = {Decimal(text.decode()).normalize() for text in _NUMBER.findall(message)}
        for event in records.events[: records.n_events]:
            if event["kind"] == EventKind.BOOK_CLEAR or event["kind"] == EventKind.STATUS:
                continue
            instrument = case.instruments[int(event["instrument"])]
            for what, value in (
                ("price", instrument.price(int(event["price"]))),
                ("quantity", instrument.quantity(int(event["quantity"]))),
            ):
                if value.normalize() not in stated and value:
                    raise LawBroken(f"the {what} {value} does not stand in the message {shown(message)}")


def check_update_ids_are_carried(case: CodecCase) -> None:
    """Depth frames carry the ids that their instrument's sequence rule compares, each as it stands in the message."""
    codec = case.opened()
    rules = [codec.sequence_rule(index) for index in range(len(case.instruments))]
    for message in case.messages:
        records = Records()
        decoded(codec, message, records)
        stated = {int(text) for text in re.findall(rb"[0-9]+", message)}
        for frame in records.frames[: records.n_frames]:
            rule = rules[int(frame["instrument"])]
            if frame["kind"] != FrameKind.DEPTH:
                continue
            needed = _NEEDED[rule]
            missing = [name for name in needed if frame[name] < 0]
            if missing:
                raise LawBroken(f"a depth frame of rule {rule.name} has no {', '.join(missing)}: {shown(message)}")
            wrong = [name for name in _IDS if frame[name] >= 0 and not _stands(int(frame[name]), stated)]
            if wrong:
                raise LawBroken(f"{wrong[0]} {frame[wrong[0]]} does not stand in the message {shown(message)}")


_IDS = ("first_id", "last_id", "previous_id")
_NEEDED: dict[SequenceRule, tuple[str, ...]] = {
    SequenceRule.NONE: (),
    SequenceRule.NEXT: ("first_id", "last_id"),
    SequenceRule.PREVIOUS: ("last_id", "previous_id"),  # first_id finds the place behind a picture that came another way
    SequenceRule.INCREMENT: ("last_id",),
}


def _stands(value: int, stated: set[int]) -> bool:
    """An id, or one more or less: a venue may state the first or the one before it."""
    return not stated.isdisjoint({value - 1, value, value + 1})


CODEC_CHECKS: tuple[CodecCheck, ...] = (
    check_records_are_well_formed,
    check_same_bytes_same_records,
    check_codec_leaves_bytes,
    check_broken_messages_are_refused,
    check_messages_do_not_leak,
    check_other_messages_append_nothing,
    check_codec_bounded_memory,
    check_numbers_are_exact,
    check_update_ids_are_carried,
)
"""Every law; ``@pytest.mark.parametrize("check", CODEC_CHECKS)`` applies them all to a case."""
