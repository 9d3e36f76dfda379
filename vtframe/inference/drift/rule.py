"""A rule: what is watched, how it is measured, and from which value on what is to be done."""

from __future__ import annotations

from typing import Literal

import msgspec

from vtframe.domain import Answer

Watch = Literal["inputs", "scores"]
Measure = Literal["psi", "ks", "adwin", "log_loss"]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """The value from which on each answer is given; None: it is not given."""

    warn: float | None = None
    shrink: float | None = None
    reduce_only: float | None = None
    halt: float | None = None

    def answer(self, value: float) -> Answer:
        """The strictest answer whose threshold ``value`` has reached."""
        return max((answer for answer, least in self.given() if value >= least), default=Answer.NONE)

    def of(self, answer: Answer) -> float:
        """The threshold of one answer; raises KeyError where it has none."""
        return dict(self.given())[answer]

    def given(self) -> list[tuple[Answer, float]]:
        """The answers that have a threshold, mildest first."""
        pairs = (
            (Answer.WARN, self.warn),
            (Answer.SHRINK, self.shrink),
            (Answer.REDUCE_ONLY, self.reduce_only),
            (Answer.HALT, self.halt),
        )
        return [(answer, least) for answer, least in pairs if least is not None]


class DriftRule(msgspec.Struct, frozen=True, kw_only=True):
    """One ``[[drift]]`` of the configuration, for one model. A window is ``window`` valid rows (or scored predictions) of one
    instrument; it is judged after every ``every`` of them, once it is full."""

    number: int  # its place in the configuration, from 0
    model: str
    watch: Watch
    measure: Measure
    columns: tuple[str, ...] = ()  # that are watched; empty: all that the model reads
    window: int
    every: int
    delta: float = 0.002  # of ADWIN: how likely a change is told where there is none
    factor: float = 0.5  # of the size, where the answer is SHRINK
    thresholds: Thresholds


class Level:
    """Which answer a rule gives for one instrument. It becomes stricter at once, and milder when nothing has called for it over
    a whole window; a halt stays.

    ``before`` is what was said of the version before: it stands until this one is judged for the first time.
    """

    def __init__(self, rule: DriftRule, before: Answer = Answer.NONE) -> None:
        self.answer = before
        self._inherited = True
        self._thresholds = rule.thresholds
        self._patience = rule.window
        self._calm = 0  # rows since the answer was last called for
        self._most = Answer.NONE  # that was called for meanwhile

    def judge(self, value: float, rows: int) -> float | None:
        """Take the value of ``rows`` more rows. The threshold that was reached, or left behind, where the answer changes."""
        wanted = self._thresholds.answer(value)
        inherited, self._inherited = self._inherited, False
        if wanted >= self.answer:
            changed = wanted > self.answer
            self.answer, self._calm, self._most = wanted, 0, Answer.NONE
            return self._thresholds.of(wanted) if changed else None
        self._calm += rows
        self._most = max(self._most, wanted)
        if self.answer is Answer.HALT or (self._calm < self._patience and not inherited):
            return None
        left = self._thresholds.of(self.answer)
        self.answer, self._calm, self._most = self._most, 0, Answer.NONE
        return left
