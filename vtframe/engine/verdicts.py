"""Verdicts on their way from the row log's thread into the engine: taken between two inputs, in an order of their own.

A verdict is found whenever the thread comes to it, so the moment of its arrival is an input and goes into the journal. Where
two runs must decide alike, the engine waits for the thread at its turns of housekeeping, and arrivals are the same as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from vtframe.domain import DriftVerdict
from vtframe.journal.records import DriftJudged

NEVER = 1 << 62


class Taker(Protocol):
    """The engine, as far as verdicts go."""

    number: int
    verdict_at: int  # the number from which on ``take_verdicts`` is to be called
    take_verdicts: Callable[[], None]

    def on_drift(self, verdict: DriftVerdict) -> None: ...


class FoundVerdicts:
    """Those that the thread finds. ``put`` is called there, everything else in the engine's thread."""

    def __init__(self, taker: Taker, *, wait: Callable[[], None] | None = None) -> None:
        """``wait`` returns once the thread has come to the end of all that was handed on; None: nobody waits."""
        self._taker = taker
        self._wait = wait
        self._found: deque[DriftVerdict] = deque()
        taker.take_verdicts = self.take
        self.put = self._found.append

    def poll(self) -> None:
        """The engine's turn of housekeeping, which may be in the middle of an input: what was found is for the next one."""
        if self._wait is not None:
            self._wait()
        if self._found:
            self._taker.verdict_at = 0

    def rest(self) -> None:
        """A quiet moment between two inputs, by the machine's clock. Where somebody waits for the thread it is nothing: the
        machine's clock decides nothing then."""
        if self._wait is None and self._found:
            self.take()

    def take(self) -> None:
        """Hand the engine what was found so far."""
        taker = self._taker
        taker.verdict_at = NEVER
        found = [self._found.popleft() for _ in range(len(self._found))]
        for verdict in sorted(found, key=lambda one: (one.input, one.rule, one.instrument)):
            taker.on_drift(verdict)


class RecordedVerdicts:
    """Those of an earlier run, each before the input that it preceded; what is found anew is left aside."""

    def __init__(self, taker: Taker, records: Sequence[DriftJudged]) -> None:
        self._taker = taker
        self._records = deque(records)
        taker.take_verdicts = self.take
        taker.verdict_at = records[0].number if records else NEVER

    def put(self, verdict: DriftVerdict) -> None:
        """Found again, and not an input of this run."""

    def poll(self) -> None:
        """Nothing arrives but what is recorded."""

    def rest(self) -> None:
        """As ``poll``."""

    def take(self) -> None:
        taker, records = self._taker, self._records
        while records and records[0].number <= taker.number:
            taker.on_drift(records.popleft().verdict)
        taker.verdict_at = records[0].number if records else NEVER
