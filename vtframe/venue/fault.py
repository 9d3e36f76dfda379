"""One fault as it is asked for: its kind, whom it hits, how often; and the same while it is active, with its own dice."""

from __future__ import annotations

import shlex
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from vtframe.errors import InputError, nearest
from vtframe.venue.damage import FrameDamage

FRAMES = frozenset({"drop", "duplicate", "reorder", "delay", "corrupt", "oversize", "mutate", "nest", "bad_frame"})
"""On stream messages, for each connection by itself."""
ANSWERS = frozenset({"mutate", "nest", "bad_frame"})
"""With an ``operation`` they strike its answers instead."""
USER_DATA = "user_data"
"""The stream of an account's events, whatever its name or key is."""
TAPE = frozenset({"gap"})
"""On a depth message, for everybody."""
SOCKETS = frozenset({"silence", "disconnect", "half_open", "expire"})
"""On connections, once or every ``every_s``."""
REQUESTS = frozenset({"refuse", "slow", "status", "reject", "lost_ack"})
"""On requests, REST and WebSocket API."""
OTHERS = frozenset({"stale_snapshot", "clock_skew", "duplicate_fill", "late_fill", "lost_fill"})
KINDS = sorted(FRAMES | TAPE | SOCKETS | REQUESTS | OTHERS)

_OPERATIONS = {"reject": "place_*", "lost_ack": "place_*"}  # what is hit where ``operation`` is not given

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[faults]]. Patterns are those of file names: ``*@depth*``."""

    kind: str
    share: Share = 1.0  # of what it could hit
    count: Annotated[int, Meta(ge=1)] | None = None  # it ends after so many hits
    skip: Annotated[int, Meta(ge=0)] = 0  # hits that it lets pass first
    seed: Annotated[int, Meta(ge=0)] = 0
    market: str = "*"
    stream: str = "*"
    path: str = "*"  # of a connection, as it asked for it
    operation: str = ""  # place_order, cancel_order, query_order, depth, info, server_time, ...
    every_s: Annotated[float, Meta(ge=0.0)] = 0.0  # 0: once, now
    seconds: Annotated[float, Meta(ge=0.0)] = 5.0  # of silence; 0 on half_open: for ever
    delay_ms: Annotated[float, Meta(ge=0.0)] = 250.0
    size: Annotated[int, Meta(ge=1, le=256 * 1024 * 1024)] = 16 * 1024 * 1024  # of an oversize frame
    depth: Annotated[int, Meta(ge=1, le=16 * 1024 * 1024)] = 100_000  # of nested brackets
    damage: FrameDamage = "any"  # of a bad frame
    lies: bool = True  # whether a mutated message may be one that can be read and is not true
    changes: Annotated[int, Meta(ge=1)] = 200  # how old a stale snapshot is
    skew_ms: int = 5000
    status: Annotated[int, Meta(ge=400, le=599)] = 503
    retry_after_s: Annotated[int, Meta(ge=0, le=86_400)] = 5  # of status 429 and 418
    code: int | None = None  # of status and reject; the venue's most frequent where none is given
    message: str = ""  # the venue's own words where none are given
    how: Literal["silence", "timeout"] = "silence"  # lost_ack: no answer at all, or 408 and -1007

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            hint = nearest(self.kind, KINDS)
            raise ValueError(f"no fault {self.kind!r}" + (f"; {hint}" if hint else f": there are {', '.join(KINDS)}"))


class ActiveFault:
    """A fault with its dice and its count."""

    def __init__(self, number: int, fault: Fault, seed: int) -> None:
        self.number = number
        self.fault = fault
        self.hits = 0
        self.last_s = 0.0  # when it was due last
        self._seen = 0
        self._dice = np.random.default_rng((seed, fault.seed, number))
        self._operation = fault.operation or _OPERATIONS.get(fault.kind, "*")

    @property
    def is_over(self) -> bool:
        return self.fault.count is not None and self.hits >= self.fault.count

    def hears(self, market: str, stream: str) -> bool:
        fault = self.fault
        if fault.kind in ANSWERS and fault.operation:
            return False
        return fnmatchcase(market, fault.market) and fnmatchcase(stream, fault.stream)

    def hears_answer(self, market: str, operation: str) -> bool:
        return self.fault.kind in ANSWERS and bool(self.fault.operation) and self.hears_request(market, operation)

    def hears_connection(self, market: str, path: str) -> bool:
        return fnmatchcase(market, self.fault.market) and fnmatchcase(path, self.fault.path)

    def hears_request(self, market: str, operation: str) -> bool:
        return fnmatchcase(market, self.fault.market) and fnmatchcase(operation, self._operation)

    def strikes(self) -> bool:
        """Throw the dice; counts a hit."""
        if self.is_over or (self.fault.share < 1.0 and self._dice.random() >= self.fault.share):
            return False
        self._seen += 1
        if self._seen <= self.fault.skip:
            return False
        self.hits += 1
        return True

    def pick(self, below: int) -> int:
        """A whole number from 0 to ``below`` - 1."""
        return int(self._dice.integers(below))

    def describe(self) -> dict[str, Any]:
        return {"id": self.number, "hits": self.hits, **msgspec.structs.asdict(self.fault)}


def fault_table(words: str) -> dict[str, str]:
    """A fault from the command line, ``kind=drop share=0.01 message='as a shell reads it'``, as a table; raises InputError."""
    table: dict[str, str] = {}
    try:
        parts = shlex.split(words)
    except ValueError as e:
        raise InputError(f"fault {words!r}", f"cannot be read: {e}", "write message='with its quotes closed'") from None
    for word in parts:
        key, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"fault {words!r}", f"expected key=value, found {word!r}", "write kind=drop share=0.01")
        table[key] = value
    return table
