"""Turns SIGINT and SIGTERM into an orderly stop; a second signal insists."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class StopSignal:
    """While entered, the first signal calls ``stop(reason)``; the second raises KeyboardInterrupt where the program stands."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, stop: Callable[[str], None]) -> None:
        self._stop = stop
        self._received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in self._SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def received(self) -> bool:
        return self._received > 0

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._received += 1
        if self._received > 1:
            raise KeyboardInterrupt
        self._stop(f"interrupted by {signal.Signals(number).name}")
