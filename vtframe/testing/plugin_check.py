"""Applies the laws to every part of a plugin that has laws; what ``vtframe plugins check`` prints."""

from __future__ import annotations

import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from vtframe.api import Codec, Feature, Feed, ModelBackend, VtframeError
from vtframe.builtin.recorded.identity import identify
from vtframe.domain import Instrument
from vtframe.plugins import Entry
from vtframe.testing.backend_case import BackendCase
from vtframe.testing.backend_laws import BACKEND_CHECKS
from vtframe.testing.codec_case import CodecCase
from vtframe.testing.codec_laws import CODEC_CHECKS
from vtframe.testing.feature_laws import FEATURE_CHECKS
from vtframe.testing.feed_case import FeedCase
from vtframe.testing.feed_laws import FEED_CHECKS
from vtframe.testing.verdict import LawBroken

MESSAGES = 2000  # of a recording; enough to hold every type of a busy venue
_EACH = 12  # of a type and size class are tried
Outcome = Literal["kept", "broken", "not tried"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one law for one part."""

    kind: str
    part: str
    law: str
    outcome: Outcome
    problem: str = ""


def check_part(entry: Entry, *, recording: Path | None = None) -> Iterator[Verdict]:
    """Apply every law of its kind to a part, in order; one verdict that it was not tried where there is nothing to try.

    Raises RecordingError where ``recording`` cannot be read.
    """
    if issubclass(entry.cls, Feature):
        yield from _check_feature(entry)
    elif issubclass(entry.cls, Codec):
        yield from _check_codec(entry, recording)
    elif issubclass(entry.cls, ModelBackend):
        yield from _check_backend(entry)
    elif issubclass(entry.cls, Feed):
        yield from _check_feed(entry)
    else:
        yield _not_tried(entry, f"a {entry.kind} has no laws yet")


def _check_feature(entry: Entry) -> Iterator[Verdict]:
    make = entry.cls.example
    try:
        make()
    except TypeError:
        supplied = _with_columns(entry.cls)
        if supplied is None:
            yield _not_tried(entry, "it has settings without a default: define example(), which returns one to try")
            return
        make = supplied
    for law in FEATURE_CHECKS:
        yield _apply(entry, law, make)


def _with_columns(cls: type[Feature]) -> Callable[[], Feature] | None:
    """A maker that gives every text without a default a column's name: a transform needs no more. None where that fails."""
    texts: dict[str, str] = {}
    for field in msgspec.structs.fields(cls):
        if field.required:
            texts[field.name] = f"column_{len(texts) + 1}"

    def make() -> Feature:
        return msgspec.convert(texts, cls)

    try:
        make()
    except (msgspec.ValidationError, TypeError, ValueError):
        return None
    return make


def _check_codec(entry: Entry, recording: Path | None) -> Iterator[Verdict]:
    if recording is None:
        instruments, messages = entry.cls.examples()
    else:
        instruments, messages = _recorded(entry, recording)
    if not messages or not instruments:
        yield _not_tried(entry, "it has no examples(): name a recording of its venue with --recording FILE")
        return
    case = CodecCase(make=entry.cls, instruments=tuple(instruments), messages=tuple(messages))
    for law in CODEC_CHECKS:
        yield _apply(entry, law, case)


def _check_backend(entry: Entry) -> Iterator[Verdict]:
    with tempfile.TemporaryDirectory(prefix="vtframe-law-") as folder:
        path = entry.cls.example(Path(folder), window=1, columns=2)
    if path is None:
        yield _not_tried(entry, "it has no example(), which writes a small model to try")
        return
    case = BackendCase(make=entry.cls)
    for law in BACKEND_CHECKS:
        yield _apply(entry, law, case)


def _check_feed(entry: Entry) -> Iterator[Verdict]:
    if entry.cls.example() is None:
        yield _not_tried(entry, "it has no example(), a venue on loopback to try it against")
        return
    case = FeedCase(venue=entry.cls.example)
    for law in FEED_CHECKS:
        yield _apply(entry, law, case)


def _recorded(entry: Entry, recording: Path) -> tuple[Sequence[Instrument], Sequence[bytes]]:
    """Instruments and messages of a recording: some of every length, which is some of every type."""
    found = identify(recording, {entry.name: entry.cls}, codec=entry.name, lines=MESSAGES)
    counts: Counter[tuple[bytes, int]] = Counter()
    messages = []
    for message in found.sample.messages:
        sort = message[:24], len(message).bit_length()
        counts[sort] += 1
        if counts[sort] <= _EACH:
            messages.append(message)
    return found.instruments, messages


def _apply(entry: Entry, law: Callable[[Any], None], on: Any) -> Verdict:
    outcome: Outcome = "kept"
    problem = ""
    try:
        law(on)
    except (LawBroken, VtframeError) as e:
        outcome, problem = "broken", str(e)
    except Exception as e:  # noqa: BLE001 - a stranger's code may raise anything; that breaks the law, and is told
        place = traceback.extract_tb(e.__traceback__)[-1]
        outcome, problem = "broken", f"{type(e).__name__}: {e} ({place.filename}:{place.lineno})"
    return Verdict(kind=entry.kind, part=entry.name, law=law.__name__, outcome=outcome, problem=problem)


def _not_tried(entry: Entry, why: str) -> Verdict:
    return Verdict(kind=entry.kind, part=entry.name, law="", outcome="not tried", problem=why)
