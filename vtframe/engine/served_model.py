"""A model of a session with the log of its predictions and the lanes that trade it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtframe.engine.lane import Lane
from vtframe.engine.prediction_log import PredictionLog
from vtframe.inference.distant import DistantExecutor
from vtframe.inference.executor import Executor


class ServedModel:
    """One model, the log of its predictions, and the lanes that trade it."""

    __slots__ = ("executor", "lanes", "log", "name")

    def __init__(self, name: str, executor: Executor, log: PredictionLog, lanes: Sequence[Lane]) -> None:
        self.name = name
        self.executor = executor
        self.log = log
        self.lanes = tuple(lanes)
        for lane in self.lanes:
            lane.view.available = self.is_available

    def replace(self, lane: Lane, other: Lane) -> None:
        """From here on ``other`` trades the model in the place of ``lane``."""
        self.lanes = tuple(other if one is lane else one for one in self.lanes)
        other.view.available = self.is_available

    def is_available(self) -> bool:
        """Whether the model can be asked now, as far as is known."""
        return self.executor.available


class Elsewhere:
    """A model that is asked, and answers later: in a thread or process of its own."""

    __slots__ = ("executor", "model")

    def __init__(self, model: ServedModel, executor: DistantExecutor) -> None:
        self.model = model
        self.executor = executor

    def report(self) -> dict[str, Any]:
        """What became of its workers."""
        executor = self.executor
        deaths, too_late = executor.deaths, executor.dropped
        return {"deaths": deaths, "answers_too_late": too_late, "first_failure": executor.first_failure}


def is_here(model: ServedModel) -> bool:
    """Whether an answer is there when the call returns."""
    return not isinstance(model.executor, DistantExecutor) or model.executor.blocks
