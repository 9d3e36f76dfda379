"""Live progress of a run: a panel that is redrawn four times a second on a terminal, a line every five seconds elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from vtframe.engine.session import Snapshot

_LINE_S = 5.0


class RunProgress:
    """Shows ``look()`` until it is left. It only reads; the session never waits for it."""

    def __init__(self, look: Callable[[], Snapshot], console: Console, *, total: int | None) -> None:
        self._began = time.monotonic()
        self._look = look
        self._console = console
        self._total = total
        self._done = threading.Event()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("session", total=total)
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=True)
        self._thread = threading.Thread(target=self._lines, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        if self._console.is_terminal:
            self._live.stop()
        else:
            self._thread.join()

    def _render(self) -> Group:
        now = self._look()
        self._bar.update(self._task, completed=now.inputs)
        seconds = max(time.monotonic() - self._began, 1e-9)
        table = Table.grid(padding=(0, 3))
        table.add_row(
            f"[dim]inputs[/] {now.inputs:,} ({now.inputs / seconds:,.0f}/s)",
            f"[dim]rows[/] {now.rows:,}",
            f"[dim]predictions[/] {now.predictions:,}",
            f"[dim]late or stale[/] {now.late:,}",
        )
        table.add_row(
            f"[dim]market time[/] {now.market_time}",
            f"[dim]orders[/] {now.orders:,}",
            f"[dim]fills[/] {now.fills:,}",
            f"[dim]denied[/] {now.denied:,}",
        )
        return Group(self._bar, table)

    def _lines(self) -> None:
        while not self._done.wait(_LINE_S):
            now = self._look()
            share = f" of {self._total:,}" if self._total else ""
            self._console.print(
                f"{now.inputs:,}{share} inputs, {now.rows:,} rows, {now.predictions:,} predictions, "
                f"{now.late:,} late or stale, {now.orders:,} orders, {now.fills:,} fills, {now.denied:,} denied",
                highlight=False,
            )
