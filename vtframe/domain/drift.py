"""What was found about a model's inputs or scores, and what is to be done: it enters the engine as a numbered input."""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Answer(IntEnum):
    """What is done about drift, mildest first. None of them holds up an order that reduces exposure."""

    NONE = 0
    WARN = 1  # it is told, and nothing changes
    SHRINK = 2  # positions are opened with a part of the size
    REDUCE_ONLY = 3  # what would open is canceled and denied
    HALT = 4  # the session ends in order

    @property
    def word(self) -> str:
        """As a configuration names it."""
        return self.name.lower()


class DriftVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """From here on, ``answer`` is what rule number ``rule`` (from 0) wants for what ``model`` trades in ``instrument``."""

    rule: int
    model: str
    instrument: int
    instrument_id: str
    answer: Answer
    factor: float = 1.0  # of the size, where the answer is SHRINK
    measure: str  # psi, ks, adwin or log_loss
    subject: str  # the column, or "scores"
    value: float
    threshold: float  # that was reached, or (where the answer became milder) that is no longer
    row: int  # number of the row that was judged, per instrument
    input: int  # number of the input that made it

    @property
    def text(self) -> str:
        """``psi of spread 0.31, threshold 0.25, model m, row 5000``."""
        return (
            f"{self.measure} of {self.subject} {self.value:.4g}, threshold {self.threshold:g}, "
            f"model {self.model}, {self.instrument_id} row {self.row}"
        )
