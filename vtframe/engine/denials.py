"""Denials on their way to the journal: the first of a run of equal ones is written whole, those after it are counted."""

from __future__ import annotations

import msgspec

from vtframe.domain import Denied, Side, SubmitOrder
from vtframe.engine.lane_view import Journal
from vtframe.journal.records import DenialsRepeated

_MOST = 64  # runs at a time: a strategy may give every order a cause of its own


class _Run(msgspec.Struct):
    first_input: int  # of the repetitions; -1 before the first
    last_input: int
    unwritten: int = 0
    written: bool = False  # some of them


class DenialRuns:
    """One lane's runs. Denials are equal where instrument, policy, side and cause are; the numbers in their reasons may differ.
    A run ends with an approved order of its instrument, or with the lane."""

    def __init__(self, lane: str, journal: Journal) -> None:
        self._lane = lane
        self._journal = journal
        self._runs: dict[tuple[str, str, Side, str], _Run] = {}

    def repeats(self, order: SubmitOrder, instrument: str, denied: Denied) -> bool:
        """Count the denial if it repeats another; False where it begins a run, and is to be written whole."""
        key = (instrument, denied.policy, order.side, order.cause)
        run = self._runs.get(key)
        if run is None:
            if len(self._runs) == _MOST:
                self.end()
            self._runs[key] = _Run(first_input=-1, last_input=-1)
            return False
        if run.first_input < 0:
            run.first_input = order.input
        run.last_input = order.input
        run.unwritten += 1
        return True

    def note(self) -> None:
        """Write what was counted since the last time; the runs go on."""
        for key, run in self._runs.items():
            if run.unwritten:
                self._write(key, run, ended=False)

    def end(self, instrument: str | None = None) -> None:
        """The runs of ``instrument`` (None: all) are over: write what is missing of them."""
        for key in [key for key in self._runs if instrument is None or key[0] == instrument]:
            run = self._runs.pop(key)
            if run.unwritten or run.written:
                self._write(key, run, ended=True)

    def _write(self, key: tuple[str, str, Side, str], run: _Run, *, ended: bool) -> None:
        instrument, policy, side, cause = key
        self._journal.write(
            DenialsRepeated(
                lane=self._lane,
                instrument=instrument,
                policy=policy,
                side=side,
                cause=cause,
                count=run.unwritten,
                first_input=run.first_input,
                last_input=run.last_input,
                ended=ended,
            )
        )
        run.unwritten = 0
        run.written = True
