"""Latency histograms without locks. Adding a sample appends eight bytes; the arithmetic is done later, for many at once.

Buckets are logarithmic, 32 to a power of two (as in HdrHistogram), so that a percentile is off by at most 1/64 of itself.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

STAGES = ("decode", "book", "features", "inference", "strategy", "risk", "submit", "tick_to_order")
AGE = "prediction_age"

_SUB_BITS = 5
_SHIFT = 52 - _SUB_BITS  # of the bits of a float64: its exponent and the first 5 bits of its mantissa remain
_FIRST = (1023 << _SUB_BITS) - 1  # bucket 0 is for 0 (and less); 1.0 falls into bucket 1
BUCKETS = 1 + (64 << _SUB_BITS)


def bucket_of(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bucket of each sample: int64 in, int64 of the same shape out."""
    bits = samples.astype(np.float64).view(np.int64)
    bits >>= _SHIFT
    bits -= _FIRST
    return np.maximum(bits, 0, out=bits)


def bucket_value(bucket: int) -> int:
    """The middle of the integers that fall into ``bucket``."""
    if bucket == 0:
        return 0
    exponent, sub = divmod(bucket - 1, 1 << _SUB_BITS)
    numerator = ((1 << _SUB_BITS) + sub) << exponent  # the lower edge, times 32; the width, times 32, is 2**exponent
    first = -(-numerator >> _SUB_BITS)
    last = -(-(numerator + (1 << exponent)) >> _SUB_BITS) - 1
    return (first + max(first, last)) // 2


class Stage:
    """One histogram. ``add(ns)`` is bound once and called on the hot path; it is an append to an array of int64."""

    __slots__ = ("add", "counts", "maximum", "name", "samples")

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples = array("q")
        self.add = self.samples.append
        self.counts = np.zeros(BUCKETS, np.int64)
        self.maximum = 0

    def report(self) -> dict[str, int | None]:
        """p50, p99, p999, max and count, ns; None where there is no sample. A percentile is the smallest value that at least
        that share of the samples does not exceed."""
        cumulative = np.cumsum(self.counts)
        count = int(cumulative[-1])
        if not count:
            return {"p50": None, "p99": None, "p999": None, "max": None, "count": 0}
        found: dict[str, int | None] = {}
        for name, per_mille in (("p50", 500), ("p99", 990), ("p999", 999)):
            rank = -(-count * per_mille // 1000)
            value = bucket_value(int(np.searchsorted(cumulative, rank)))
            found[name] = min(value, self.maximum)
        return {**found, "max": self.maximum, "count": count}


class Meters:
    """The histograms of a session: one for each stage of the hot path, and one for the age of predictions."""

    def __init__(self) -> None:
        self._stages = {name: Stage(name) for name in (*STAGES, AGE)}
        self._all = tuple(self._stages.values())
        self._offsets = np.arange(len(self._all), dtype=np.int64) * BUCKETS

    def stage(self, name: str) -> Stage:
        """The stage of that name; raises KeyError."""
        return self._stages[name]

    def add(self, index: int, ns: int) -> None:
        """Add to the stage at ``index`` of (*STAGES, AGE). A bound ``stage(name).add`` is twice as fast."""
        self._all[index].add(ns)

    def fold(self) -> None:
        """Move what was added into the histograms. Call it every few hundred inputs: samples wait in memory until then."""
        lengths = np.array([len(stage.samples) for stage in self._all])
        if not lengths.any():
            return
        samples = np.empty(lengths.sum(), np.int64)
        at = 0
        for stage in self._all:
            length = len(stage.samples)
            if length:
                with memoryview(stage.samples) as view:
                    samples[at : at + length] = view
                at += length
                del stage.samples[:]
        busy = np.flatnonzero(lengths)
        starts = np.cumsum(lengths) - lengths
        for index, maximum in zip(busy.tolist(), np.maximum.reduceat(samples, starts[busy]).tolist(), strict=True):
            stage = self._all[index]
            stage.maximum = max(stage.maximum, maximum)
        buckets = bucket_of(samples)
        buckets += np.repeat(self._offsets, lengths)
        counts = np.bincount(buckets, minlength=len(self._all) * BUCKETS).reshape(-1, BUCKETS)
        for index in busy.tolist():
            self._all[index].counts += counts[index]

    def merge(self, other: Meters) -> None:
        """Add another's samples to these (another process's, another part of a session's)."""
        self.fold()
        other.fold()
        for mine, theirs in zip(self._all, other._all, strict=True):
            mine.counts += theirs.counts
            mine.maximum = max(mine.maximum, theirs.maximum)

    def report(self) -> dict[str, Any]:
        """``latency_ns`` and ``prediction_age_ns`` in the shape of report.json."""
        self.fold()
        return {
            "latency_ns": {name: self._stages[name].report() for name in STAGES},
            "prediction_age_ns": self._stages[AGE].report(),
        }


class Counters(msgspec.Struct, kw_only=True):
    """What a session has counted so far. The first twelve are report.json's; every one is in it."""

    frames: int = 0
    events: int = 0
    gaps: int = 0
    resyncs: int = 0
    rows: int = 0
    predictions: int = 0
    late: int = 0
    stale: int = 0
    conflated: int = 0
    intents: int = 0
    orders: int = 0
    fills: int = 0
    invalid: int = 0
    failed: int = 0
    overrun: int = 0
    pending: int = 0  # asked and not answered when it ended
    inputs: int = 0
    unknown_frames: Counter[str] = msgspec.field(default_factory=Counter)  # by the name of their type
    damage: Counter[str] = msgspec.field(default_factory=Counter)  # by problem
    codec_fallbacks: Counter[str] = msgspec.field(default_factory=Counter)  # by reason

    def merge(self, other: Counters) -> None:
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, mine + theirs)

    def report(self) -> dict[str, Any]:
        """``counts``, ``unknown_frames``, ``damage`` and ``codec_fallbacks`` in the shape of report.json."""
        fields: Mapping[str, Any] = msgspec.structs.asdict(self)
        return {
            "counts": {name: value for name, value in fields.items() if isinstance(value, int)},
            "unknown_frames": dict(self.unknown_frames),
            "damage": dict(self.damage),
            "codec_fallbacks": dict(self.codec_fallbacks),
        }
