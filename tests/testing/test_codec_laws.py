"""The skeleton codec and Binance's keep the laws, and each law catches a codec that breaks it."""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import sys
from importlib import resources
from pathlib import Path
from string import Template
from types import ModuleType
from typing import Any

import pytest

from vtframe.api import Codec, DecodeError
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.reference import BinanceReferenceCodec
from vtframe.domain import EventFlag, Records
from vtframe.testing import (
    CODEC_CHECKS,
    CodecCase,
    CodecCheck,
    LawBroken,
    check_broken_messages_are_refused,
    check_codec_bounded_memory,
    check_codec_leaves_bytes,
    check_messages_do_not_leak,
    check_numbers_are_exact,
    check_other_messages_append_nothing,
    check_records_are_well_formed,
    check_same_bytes_same_records,
    check_update_ids_are_carried,
)
from vtframe.testing.plugin_check import MESSAGES


def skeleton() -> ModuleType:
    """The codec that ``vtframe new codec`` writes, as a module."""
    text = resources.files("vtframe.cli").joinpath("templates", "codec.txt").read_text()
    spec = importlib.util.spec_from_loader("skeleton_codec", None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["skeleton_codec"] = module
    exec(Template(text).substitute(name="skeleton", cls="Skeleton"), module.__dict__)  # noqa: S102
    return module


SKELETON = skeleton()
Good: Any = SKELETON.Skeleton
OTHERS = (b'{"type":"heartbeat"}', b'{"type":"of_tomorrow","symbol":"BTC-USD","members":[1,2]}')


def case(make: Any) -> CodecCase:
    return CodecCase(make=make, instruments=(SKELETON.EXAMPLE,), messages=SKELETON.MESSAGES, others=OTHERS)


@pytest.mark.parametrize("check", CODEC_CHECKS)
def test_the_skeleton_keeps_the_laws(check: CodecCheck) -> None:
    check(case(Good))


@pytest.fixture(scope="module")
def recorded(data: Path) -> list[CodecCase]:
    from vtframe.builtin.recorded.identity import identify

    cases = []
    for file in ("spot_btcusdt_20240808.gz", "usdm_btcusdt_20240808.gz", "cm_btcusd_perp_20240808.gz"):
        for cls in (BinanceCodec, BinanceReferenceCodec):
            found = identify(data / "binance" / file, {cls.name: cls}, codec=cls.name, lines=MESSAGES)
            messages = (*found.sample.messages[:40], *found.sample.messages[1000:1040])
            others = (b'{"result":null,"id":1}', b'{"e":"of_tomorrow","E":1,"s":"BTCUSDT"}')
            cases.append(CodecCase(make=cls, instruments=found.instruments, messages=messages, others=others))
    return cases


@pytest.mark.parametrize("check", CODEC_CHECKS)
def test_binances_codecs_keep_the_laws_on_recorded_messages(recorded: list[CodecCase], check: CodecCheck) -> None:
    for one in recorded:
        check(one)


class Unflagged(Good):
    """Forgets the flag on the last event."""

    name = "unflagged"

    def decode(self, data: bytes, records: Records) -> str:
        told = super().decode(data, records)
        records.events["flags"][: records.n_events] &= 0xFFFF ^ int(EventFlag.LAST)
        return told


NUMBERS = itertools.count()


class Counting(Good):
    """Numbers frames across all codecs."""

    name = "counting"

    def decode(self, data: bytes, records: Records) -> str:
        told = super().decode(data, records)
        records.frames["checksum"][: records.n_frames] = next(NUMBERS)
        return told


class Scribbling(Good):
    """Blanks the first byte when it has read it, as a scanner that writes terminators would."""

    name = "scribbling"

    def decode(self, data: bytes, records: Records) -> str:
        told = super().decode(data, records)
        ctypes.memset(id(data) + bytes.__basicsize__ - 1, 32, 1)
        return told


class Lenient(Good):
    """Takes half a message for a quiet one."""

    name = "lenient"

    def decode(self, data: bytes, records: Records) -> str:
        try:
            return super().decode(data, records)
        except DecodeError:
            return "broken"


class Crashing(Good):
    """Lets the decoder's own error through."""

    name = "crashing"

    def decode(self, data: bytes, records: Records) -> str:
        if not data.endswith(b"}"):
            raise ValueError("no brace")
        return super().decode(data, records)


class Halfway(Good):
    """Appends first and looks for faults afterwards."""

    name = "halfway"

    def decode(self, data: bytes, records: Records) -> str:
        if data.startswith(b'{"type":"book"'):
            super().decode(SKELETON.MESSAGES[1], records)
        return super().decode(data, records)


class Remembering(Good):
    """The length of the newest message, whole or not, finds its way into the next one's frames."""

    name = "remembering"

    def decode(self, data: bytes, records: Records) -> str:
        before, self.length = getattr(self, "length", 0), len(data)
        first = records.n_frames
        told = super().decode(data, records)
        records.frames["checksum"][first : records.n_frames] = before
        return told


class Careless(Good):
    """Leaves what was in the records' spare room in a field that it does not know."""

    name = "careless"

    def decode(self, data: bytes, records: Records) -> str:
        first = records.n_frames
        stale = records.frames["checksum"][first] if first < len(records.frames) else 0
        told = super().decode(data, records)
        records.frames["checksum"][first : records.n_frames] = stale
        return told


class Nameless(Good):
    """Says nothing of what it does not know."""

    name = "nameless"

    def decode(self, data: bytes, records: Records) -> str:
        return super().decode(data, records) if b"tomorrow" not in data else ""


class Adopting(Good):
    """Takes every instrument for its first."""

    name = "adopting"

    def open(self, instruments: Any) -> None:
        super().open(instruments)
        self._known = {"BTC-USD": (0, instruments[0])}


class Hoarding(Good):
    """Keeps every message."""

    name = "hoarding"

    def open(self, instruments: Any) -> None:
        super().open(instruments)
        self.kept: list[bytes] = []

    def decode(self, data: bytes, records: Records) -> str:
        self.kept.append(data)
        return super().decode(data, records)


class Rounding(Good):
    """Reads prices through a float32."""

    name = "rounding"

    def decode(self, data: bytes, records: Records) -> str:
        import numpy as np

        first = records.n_events
        told = super().decode(data, records)
        prices = records.events["price"][first : records.n_events]
        prices[:] = (prices.astype(np.float32) * np.float32(1.001)).astype(np.int64)
        return told


class Idless(Good):
    """Drops the sequence numbers."""

    name = "idless"

    def decode(self, data: bytes, records: Records) -> str:
        told = super().decode(data, records)
        records.frames["last_id"][: records.n_frames] = -1
        return told


class Renumbering(Good):
    """Numbers frames itself."""

    name = "renumbering"

    def decode(self, data: bytes, records: Records) -> str:
        told = super().decode(data, records)
        records.frames["last_id"][: records.n_frames] += 5000
        return told


@pytest.mark.parametrize(
    ("check", "mutant", "words"),
    [
        (check_records_are_well_formed, Unflagged, "the flag LAST"),
        (check_same_bytes_same_records, Counting, "the same bytes gave different records; first in frame 0"),
        (check_codec_leaves_bytes, Scribbling, "it wrote into the message"),
        (check_broken_messages_are_refused, Lenient, "it accepts the first 0 of"),
        (check_broken_messages_are_refused, Crashing, "it raises ValueError"),
        (check_broken_messages_are_refused, Halfway, "left frames or events behind"),
        (check_messages_do_not_leak, Remembering, "broken messages in between"),
        (check_messages_do_not_leak, Careless, "old bytes in the records"),
        (check_other_messages_append_nothing, Nameless, "a type's name is a text that is not empty"),
        (check_other_messages_append_nothing, Adopting, "an instrument that the session does not have"),
        (check_codec_bounded_memory, Hoarding, "left .* bytes behind"),
        (check_numbers_are_exact, Rounding, "does not stand in the message"),
        (check_update_ids_are_carried, Idless, "has no last_id"),
        (check_update_ids_are_carried, Renumbering, "does not stand in the message"),
    ],
)
def test_each_law_catches_a_codec_that_breaks_it(check: CodecCheck, mutant: type[Codec], words: str) -> None:
    with pytest.raises(LawBroken, match=words):
        check(case(mutant))


def test_every_law_has_a_mutant() -> None:
    marks = test_each_law_catches_a_codec_that_breaks_it.pytestmark  # type: ignore[attr-defined]
    assert {one[0] for one in marks[0].args[1]} == set(CODEC_CHECKS)


def test_a_case_of_no_frames_proves_nothing_and_is_refused() -> None:
    with pytest.raises(LawBroken, match="no frame came of 1 messages"):
        check_records_are_well_formed(
            CodecCase(make=Good, instruments=(SKELETON.EXAMPLE,), messages=(b'{"type":"heartbeat"}',))
        )
