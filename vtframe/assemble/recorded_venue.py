"""The venue of a replayed lane: orders go nowhere, and what it said then comes from the journal, as inputs."""

from __future__ import annotations

from typing import ClassVar, Literal

from vtframe.api import ApprovedOrder, ExecutionAdapter, ExecutionContext
from vtframe.domain import CancelOrder


class RecordedVenue(ExecutionAdapter):
    """Stands for a live adapter of any kind."""

    name = "recorded_venue"
    guarantee: ClassVar[Literal["exactly_once", "at_most_once"]] = "exactly_once"
    live = True

    def start(self, context: ExecutionContext) -> None: ...
    def submit(self, order: ApprovedOrder) -> None: ...
    def cancel(self, command: CancelOrder) -> None: ...
    def stop(self) -> None: ...
