"""The contract of executors whose answers come later: the engine asks, goes on, and takes the answers as they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from vtframe.domain import Prediction
from vtframe.inference.executor import Executor
from vtframe.inference.pool.bell import Bell


class Answered(msgspec.Struct, frozen=True, gc=False):
    """A prediction with the model's call that it came from (-1: none), how many rows were in it, and when its row's input
    arrived (monotonic)."""

    prediction: Prediction
    batch: int
    batch_size: int
    started: int


class DistantExecutor(Executor):
    """What the engine needs of one; ``PoolExecutor`` says what each means."""

    @property
    def blocks(self) -> bool:
        """Whether the engine waits for each answer."""
        return False

    @property
    def rings(self) -> bool:
        """Whether answers ring ``done`` for an engine that sleeps."""
        return False

    @property
    def done(self) -> Bell:
        raise NotImplementedError

    @property
    def pending(self) -> int:
        return 0

    @property
    def dropped(self) -> int:
        return 0

    @property
    def deaths(self) -> Mapping[str, int]:
        return {}

    def submit(self, instrument: int, *, started: int) -> Sequence[Answered]:
        """Ask about the newest row; what is settled at once."""
        raise NotImplementedError

    def collect(self, number: int = -1) -> list[Answered]:
        """What was answered since; ``number`` is that of the next input."""
        raise NotImplementedError

    def arm(self) -> bool:
        return False

    def drain(self, seconds: float, number: int = -1) -> list[Answered]:
        """What is still answered within that time."""
        return []
