"""The event loop of a session: the feed's coroutine, and beside it what is done while a quiet market sends nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from vtframe.engine.control import Control
from vtframe.engine.engine import Engine
from vtframe.engine.lane import Lane
from vtframe.engine.lifecycle import Lifecycle
from vtframe.engine.venues import Venues
from vtframe.inference.pool.bell import Bell

_QUIET_S: Final = 1.0  # between two turns of housekeeping, at most
_REHEARSE_S: Final = 0.002  # between two rehearsals: a few dozen frames later the caches are somebody else's
_BUSY_S: Final = 0.001  # that a rehearsal comes late where there is no idle time to rehearse in
_WATCH_S: Final = 0.01  # between two looks at models elsewhere: for deadlines that pass, and workers that died


def run_loop(
    main: Coroutine[Any, Any, None],
    engine: Engine,
    housekeeping: Callable[[], None],
    *,
    lifecycle: Lifecycle,
    folder: Path,
    lanes: Sequence[Lane] = (),
    rehearse: Callable[[], None] | None = None,
) -> None:
    """Run ``main``, while the venues of ``lanes`` are open, on uvloop where there is one.

    Answers from elsewhere are taken as they ring; where a model is waited for busily, the loop never sleeps. ``lifecycle``
    takes commands meanwhile, of those who find its socket in the session's ``folder``. ``rehearse`` is called in idle time,
    once the venues are open."""

    async def everything() -> None:
        loop = asyncio.get_running_loop()
        beside = [asyncio.create_task(_keep_house(housekeeping))]
        beside += [asyncio.create_task(task) for task in _watchers(engine)]
        bells: Sequence[Bell] = engine.elsewhere.bells
        for bell in bells:
            loop.add_reader(bell.listening, _hear, bell, engine)
        lifecycle.attach(loop)
        try:
            async with Control(lifecycle, folder), Venues(engine, lanes) as venues:
                if venues.ready:
                    if rehearse is not None:
                        beside.append(asyncio.create_task(_keep_warm(rehearse)))
                    await main
        finally:
            main.close()  # it may not have begun
            lifecycle.attach(None)
            for bell in bells:
                loop.remove_reader(bell.listening)
            for task in beside:
                task.cancel()
            for task in beside:
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    try:
        import uvloop  # noqa: PLC0415 - not installed on every platform
    except ImportError:
        asyncio.run(everything())
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(everything())


def _watchers(engine: Engine) -> list[Coroutine[Any, Any, None]]:
    beat = [] if engine.beat is None else [engine.beat.run()]
    if engine.elsewhere.spins:
        return [*beat, _spin(engine)]
    return [*beat, _watch(engine)] if engine.elsewhere.bells else beat


def _hear(bell: Bell, engine: Engine) -> None:
    bell.hear()
    engine.poll()


async def _spin(engine: Engine) -> None:
    while True:
        engine.poll()
        await asyncio.sleep(0)


async def _watch(engine: Engine) -> None:
    while True:
        await asyncio.sleep(_WATCH_S)
        engine.poll()


async def _keep_house(housekeeping: Callable[[], None]) -> None:
    """A quiet market sends too few frames for the engine to keep house by."""
    while True:
        await asyncio.sleep(_QUIET_S)
        housekeeping()


async def _keep_warm(rehearse: Callable[[], None]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(_REHEARSE_S)
        if time.perf_counter() - before < _REHEARSE_S + _BUSY_S:
            rehearse()
