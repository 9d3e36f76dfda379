"""Progress of work in bulk: a bar on a terminal, a line every five seconds elsewhere. The work itself never waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_BAR_S = 0.25
_LINE_S = 5.0


class BulkProgress:
    """Shows ``done()`` of ``total`` (None where nobody knows) until it is left."""

    def __init__(
        self, what: str, done: Callable[[], int], console: Console, *, total: int | None, unit: str = "inputs"
    ) -> None:
        self._what = what
        self._done = done
        self._console = console
        self._total = total
        self._unit = unit
        self._ended = threading.Event()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task(what, total=total)
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if self._console.is_terminal:
            self._bar.stop()

    def _show(self) -> None:
        terminal = self._console.is_terminal
        while not self._ended.wait(_BAR_S if terminal else _LINE_S):
            done = self._done()
            if terminal:
                self._bar.update(self._task, completed=done)
            else:
                share = f" of {self._total:,}" if self._total else ""
                self._console.print(f"{self._what}: {done:,}{share} {self._unit}", highlight=False)
