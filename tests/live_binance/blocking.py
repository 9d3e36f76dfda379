"""A local plugin: a strategy that goes in and out at every prediction it may, and once blocks the session's event loop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from vtframe.api import LaneView, Strategy, hookimpl
from vtframe.clock import LiveClock
from vtframe.domain import Intent, Prediction

LENGTH_NS = 400_000_000
PAST_SECOND_NS = 10_000_000  # it ends so long after a whole second, as a clock's boundary is


class Blocking(Strategy):
    """Writes when it began and ended, ns UTC, into ``path``. ``within``: in a timer of the loop, or in a message's turn."""

    name: ClassVar[str] = "blocking"
    path: str
    within: str = "timer"
    after_s: int = 2

    def start(self, view: LaneView) -> None:
        self._clock = LiveClock()
        self._at = 0

    def on_prediction(self, prediction: Prediction, view: LaneView) -> Intent | None:
        now = self._clock.now_ns()
        if not self._at:
            self._at = (now // 10**9 + self.after_s) * 10**9 + PAST_SECOND_NS - LENGTH_NS
            if self.within == "timer":
                asyncio.get_running_loop().call_later((self._at - now) / 1e9, self._block)
        elif self.within == "message" and now >= self._at and not Path(self.path).exists():
            self._block()
        if view.working(prediction.instrument):  # an intent that waited for an order would be pursued at a later input
            return None
        held = view.position(prediction.instrument).quantity
        return Intent(instrument=prediction.instrument, target=0 if held else 10 ** view.instrument(0).quantity_decimals // 100)

    def _block(self) -> None:
        began = self._clock.now_ns()
        time.sleep((self._at + LENGTH_NS - began) / 1e9 if began < self._at + LENGTH_NS // 4 else LENGTH_NS / 1e9)
        Path(self.path).write_text(json.dumps([began, self._clock.now_ns()]))


@hookimpl
def register_strategies() -> Sequence[type[Strategy]]:
    return (Blocking,)
