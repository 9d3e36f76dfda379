"""Lanes that trade at venues: opened before the first frame, wound down after the last, and their way into the engine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Self

from vtframe.clock import LiveClock
from vtframe.domain import OrderEvent, OrderLost
from vtframe.engine.engine import Engine
from vtframe.engine.lane import Lane
from vtframe.engine.venue_events import take_entries, take_order_event
from vtframe.errors import PluginError, VtframeError

_INSISTED_S: Final = 0.5  # that adapters have to close where somebody insists
NO_END: Final = "no end was reported before the session stopped"
_LOOK_S: Final = 0.1  # between two looks at whether the session is to stop while venues are opened
_log = logging.getLogger("vtframe.execution")


class VenuePort:
    """An ``api.ExecutionSink``: what a live adapter reports becomes an input of the engine."""

    def __init__(self, engine: Engine, lane: Lane) -> None:
        self._engine = engine
        self._lane = lane

    def on_order_event(self, event: OrderEvent) -> None:
        with self._stopping_at_errors():
            take_order_event(self._engine, self._lane, event)

    def on_entries(self, *, allowed: bool, reason: str = "") -> None:
        if self._lane.closed_for == ("" if allowed else reason):
            return
        with self._stopping_at_errors():
            take_entries(self._engine, self._lane, allowed=allowed, reason=reason)

    @contextlib.contextmanager
    def _stopping_at_errors(self) -> Iterator[None]:
        """Whatever the engine raises here (a journal that cannot be written) stops the session: the adapter, whose call this
        is, can do nothing about it, and an event loop would swallow it."""
        try:
            yield
        except Exception as e:  # noqa: BLE001 - raised again by whoever ends the session
            if self._engine.failure is None:
                self._engine.failure = e
                _log.error("lane %s: an event of its venue could not be taken", self._lane.lane_id, exc_info=e)
            self._engine.stop(f"failed: {e}")


class Venues:
    """While entered, the live adapters of ``lanes`` are open (``ready``). Raises what the first of them says that cannot be.

    At the end every order is canceled, and each adapter has its bounded time to hear what became of them; what it did not hear
    is reported as lost. Where the session was interrupted twice nobody waits.
    """

    def __init__(self, engine: Engine, lanes: Sequence[Lane]) -> None:
        self._engine = engine
        self._lanes = [lane for lane in lanes if lane.adapter.live]
        self.ready = not self._lanes  # False where the session was stopped before they were open

    async def __aenter__(self) -> Self:
        opening = [asyncio.ensure_future(_open(lane)) for lane in self._lanes]
        try:
            left = set(opening)
            while left and not self._engine.stopping:
                done, left = await asyncio.wait(left, timeout=_LOOK_S, return_when=asyncio.FIRST_EXCEPTION)
                for one in done:
                    await one
            self.ready = not left
        except BaseException:
            await _cancel(opening)
            await self._close()
            raise
        await _cancel(opening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._lanes:
            return
        patient = kind is None or issubclass(kind, Exception)
        try:
            self._engine.wind_down(self._engine.stop_reason or "stop")
        except Exception as e:  # noqa: BLE001 - the journal's trouble is raised by the session's own stop; the others go on
            _log.error("the lanes could not be wound down in order", exc_info=e)
        await self._close(None if patient else _INSISTED_S)
        now = LiveClock().now_ns()
        for lane in self._lanes:
            for name in lane.working_orders():
                take_order_event(self._engine, lane, OrderLost(client_order_id=name, ts_event=now, reason=NO_END))
        if self._engine.failure is not None and error is None:
            raise self._engine.failure

    async def _close(self, seconds: float | None = None) -> None:
        closing = (asyncio.wait_for(lane.adapter.close(), seconds) for lane in self._lanes)
        closed = await asyncio.gather(*closing, return_exceptions=True)
        for lane, outcome in zip(self._lanes, closed, strict=True):
            if isinstance(outcome, BaseException):
                _log.error("lane %s: the adapter did not close in order", lane.lane_id, exc_info=outcome)


async def _cancel(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _open(lane: Lane) -> None:
    try:
        await lane.adapter.open()
    except VtframeError:
        raise
    except Exception as e:
        raise PluginError(type(lane.adapter).name, f"lane {lane.lane_id}: it cannot open: {e!r}") from e
