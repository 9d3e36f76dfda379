"""Changes of models while a session runs. Each is one numbered input, taken between two others: before it every row was asked
of the version before, after it of the next, and no row goes without an answer."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from vtframe.api import BundleInfo
from vtframe.clock import Clock
from vtframe.engine.commands import Command, Promote, RollBack, Status, Swap
from vtframe.engine.engine import Engine
from vtframe.engine.lane import Lane
from vtframe.engine.lane_view import Journal
from vtframe.engine.served_model import ServedModel
from vtframe.errors import BundleError, SessionError, VtframeError, nearest
from vtframe.inference.executor import Executor
from vtframe.journal.records import LanesExchanged, ModelChanged

T = TypeVar("T")
_log = logging.getLogger("vtframe.lifecycle")
_TURN_S: Final = 0.0005  # for which the thread beside the session may keep the interpreter while the session waits for it


class Ready(Protocol):
    """A version of a model that is open and warm, beside the one that answers."""

    @property
    def bundle(self) -> BundleInfo: ...
    @property
    def executor(self) -> Executor:
        """Who is asked after ``switch``."""
        ...

    def switch(self) -> None:
        """Take over. Quick, and between two inputs."""
        ...

    def retire(self) -> None:
        """Let go of the version before."""
        ...

    def discard(self) -> None:
        """Let go of this one, which is not wanted after all."""
        ...


Prepare = Callable[[ServedModel, Path], Ready]
"""Load, check, open and warm a bundle for a model; called in a thread of its own. Raises VtframeError where it will not do."""


Follow = Callable[[str, BundleInfo, int], None]
"""(model, bundle, number): the bundle answers for the model from the rows of inputs after ``number`` on."""


class _Version(NamedTuple):
    folder: Path
    hash: str


class _Promotion(NamedTuple):
    lane: Lane
    shadow: Lane


class Lifecycle:
    """Carries out an operator's commands, one at a time, in the session's event loop.

    ``carry_out`` is for the loop, ``ask`` for any other thread. A command that fails changes nothing.
    """

    def __init__(
        self,
        engine: Engine,
        bundles: Mapping[str, BundleInfo],
        prepare: Prepare,
        *,
        lanes: Sequence[Lane],
        columns: Sequence[str],
        journal: Journal,
        clock: Clock,
        followers: Sequence[Follow] = (),
    ) -> None:
        """``followers`` are told of a version just before it answers."""
        self._engine = engine
        self._models = {model.name: model for model in engine.models}
        self._bundles = dict(bundles)
        self._prepare = prepare
        self._lanes = {lane.lane_id: lane for lane in lanes}
        self._columns = tuple(columns)
        self._journal = journal
        self._clock = clock
        self._followers = tuple(followers)
        self._before: dict[str, list[_Version | _Promotion]] = {name: [] for name in bundles}
        self._busy = ""  # the command that is being carried out
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The session's loop runs, or (None) has ended."""
        self._loop = loop

    def close(self) -> None:
        """The session's models are released: nothing is to be done aside any more."""
        if self._thread is not None:
            self._work.put(None)

    def _aside(self, work: Callable[[], None]) -> None:
        """Do it in one thread that lives as long as the session: Linux puts workers down with the thread that started them."""
        self._work.put(work)
        if self._thread is None:
            self._thread = threading.Thread(target=self._do_work, name="lifecycle", daemon=True)
            self._thread.start()

    def _do_work(self) -> None:
        while (work := self._work.get()) is not None:
            usual = sys.getswitchinterval()  # 5 ms: reading a bundle's description is 4 ms of Python
            sys.setswitchinterval(min(usual, _TURN_S))
            try:
                work()
            except Exception as e:  # noqa: BLE001 - whatever a backend raises here, the version is not used any more
                _log.error("a version of a model could not be closed", exc_info=e)
            finally:
                sys.setswitchinterval(usual)

    def repeat(self, change: ModelChanged | LanesExchanged, ready: Ready | None) -> None:
        """Do again what a journal says was done here; ``ready`` is the version that takes over. Between two inputs."""
        if isinstance(change, LanesExchanged):
            self._exchange(self._lanes[change.lane], self._lanes[change.shadow], change.cause, "")
        elif ready is not None:
            self._switch(self._model(change.model), ready, change.cause, "")

    def ask(self, command: Command) -> Future[dict[str, Any]]:
        """``carry_out`` from another thread. Raises SessionError where the session does not run (yet, or any more)."""
        if self._loop is None:
            raise SessionError("the session", "does not run", "commands are for a session that runs")
        return asyncio.run_coroutine_threadsafe(self.carry_out(command), self._loop)

    async def carry_out(self, command: Command) -> dict[str, Any]:
        """Do it; what came of it, as plain data. Raises VtframeError where it cannot be done, and then nothing has changed."""
        match command:
            case Status():
                return self._status()
            case Swap(model=name, bundle=folder):
                return await self._alone(f"swap {name} {folder}", partial(self._swap, self._model(name), Path(folder)))
            case Promote(shadow=shadow, lane=lane):
                return await self._alone(f"promote {shadow}", partial(self._promote, shadow, lane))
            case RollBack(model=name):
                return await self._alone(f"rollback {name}", partial(self._roll_back, self._model(name)))

    async def _alone(self, text: str, work: Callable[[], Awaitable[T]]) -> T:
        if self._busy:
            raise SessionError("the session", f"is busy with another command: {self._busy}", "wait until that one is done")
        self._busy = text
        try:
            return await work()
        finally:
            self._busy = ""

    def _model(self, name: str) -> ServedModel:
        model = self._models.get(name)
        if model is None:
            hint = nearest(name, self._models) or f"models: {', '.join(self._models)}"
            raise SessionError("the session", f"has no model {name!r}", hint)
        return model

    async def _swap(self, model: ServedModel, folder: Path) -> dict[str, Any]:
        before = self._bundles[model.name]
        ready = await self._get_ready(model, folder)
        told = self._switch(model, ready, "swap", f"swap {model.name} {folder}")
        self._before[model.name].append(_Version(before.path, before.hash))
        return told

    async def _roll_back(self, model: ServedModel) -> dict[str, Any]:
        versions = self._before[model.name]
        if not versions:
            raise SessionError("the session", f"has no earlier version of model {model.name!r}", "there is nothing to undo")
        wanted = versions[-1]
        if isinstance(wanted, _Promotion):
            return self._undo(model, wanted)
        ready = await self._get_ready(model, wanted.folder)
        if ready.bundle.hash != wanted.hash:
            ready.discard()
            problem = f"is not the bundle that ran before: its hash is {ready.bundle.hash}, it was {wanted.hash}"
            raise BundleError(str(wanted.folder), problem, "put it back, or swap to a copy of it")
        told = self._switch(model, ready, "rollback", f"rollback {model.name}")
        versions.pop()
        return told

    async def _promote(self, shadow_id: str, lane_id: str) -> dict[str, Any]:
        shadow = self._lane(shadow_id, shadow=True)
        if not lane_id:
            trading = [name for name, lane in self._lanes.items() if not lane.shadow]
            if len(trading) > 1:
                raise SessionError("the session", f"has {len(trading)} lanes that trade", f"name one: {', '.join(trading)}")
            lane_id = trading[0]
        lane = self._lane(lane_id, shadow=False)
        one, other = self._model_of(lane), self._model_of(shadow)
        if one is other:
            raise SessionError("the session", f"has one model for both lanes, {one.name!r}", "there is nothing to exchange")
        problems = [
            f"model {model.name!r} does not suit the strategy of lane {taker.lane_id}: {fault.key}: {fault.problem}"
            for model, taker in ((other, lane), (one, shadow))
            for fault in taker.strategy.check(self._bundles[model.name], self._columns)
        ]
        if problems:
            raise SessionError("the session", "; and ".join(problems), "nothing has changed")
        told = self._exchange(lane, shadow, "promote", f"promote {shadow_id} {lane_id}")
        for model in (one, other):
            self._before[model.name].append(_Promotion(lane, shadow))
        return told

    def _undo(self, model: ServedModel, promotion: _Promotion) -> dict[str, Any]:
        both = [self._model_of(lane) for lane in promotion]
        for one in both:
            if self._before[one.name][-1] != promotion:
                hint = f"`vtframe model rollback SESSION {one.name}` undoes it first"
                raise SessionError("the session", f"has changed model {one.name!r} since that promotion", hint)
        told = self._exchange(promotion.lane, promotion.shadow, "rollback", f"rollback {model.name}")
        for one in both:
            self._before[one.name].pop()
        return told

    def _exchange(self, lane: Lane, shadow: Lane, cause: str, text: str) -> dict[str, Any]:
        one, other = self._model_of(lane), self._model_of(shadow)
        number = self._engine.on_command(text)
        self._journal.write(
            LanesExchanged(
                number=number,
                ts=self._clock.now_ns(),
                lane=lane.lane_id,
                shadow=shadow.lane_id,
                lane_model=other.name,
                shadow_model=one.name,
                cause=cause,
            )
        )
        one.replace(lane, shadow)
        other.replace(shadow, lane)
        lane.exchange_restraint(shadow)
        lane.on_model(self._bundles[other.name], number)
        shadow.on_model(self._bundles[one.name], number)
        return {
            "lane": lane.lane_id,
            "shadow": shadow.lane_id,
            "input": number,
            "lane_model": other.name,
            "shadow_model": one.name,
            "failed_lanes": {one.lane_id: one.failed for one in (lane, shadow) if one.failed},
        }

    def _lane(self, name: str, *, shadow: bool) -> Lane:
        lane = self._lanes.get(name)
        fitting = [lane_id for lane_id, one in self._lanes.items() if one.shadow is shadow]
        kind = "shadow lane" if shadow else "lane that trades"
        if lane is None or lane.shadow is not shadow:
            hint = nearest(name, fitting) or (f"it has {', '.join(fitting)}" if fitting else f"it has no {kind} at all")
            raise SessionError("the session", f"has no {kind} {name!r}", hint)
        return lane

    def _model_of(self, lane: Lane) -> ServedModel:
        return next(model for model in self._models.values() if lane in model.lanes)

    async def _get_ready(self, model: ServedModel, folder: Path) -> Ready:
        """The version before answers meanwhile."""
        ready: Future[Ready] = Future()

        def work() -> None:
            try:
                ready.set_result(self._prepare(model, folder))
            except VtframeError as e:
                ready.set_exception(e)
            except Exception as e:  # noqa: BLE001 - a backend's library may raise anything; it is told to who asked
                ready.set_exception(BundleError(str(folder), f"cannot be opened: {type(e).__name__}: {e}"))

        ready.set_running_or_notify_cancel()  # from here on nobody but the thread ends it
        self._aside(work)
        try:
            return await asyncio.wrap_future(ready)
        except asyncio.CancelledError:  # the session ends
            ready.add_done_callback(_discard)
            raise

    def _switch(self, model: ServedModel, ready: Ready, cause: str, text: str) -> dict[str, Any]:
        bundle, before = ready.bundle, self._bundles[model.name]
        number = self._engine.on_command(text)
        self._journal.write(
            ModelChanged(
                number=number,
                ts=self._clock.now_ns(),
                model=model.name,
                before=before.hash,
                after=bundle.hash,
                bundle=str(bundle.path),
                cause=cause,
            )
        )
        for follow in self._followers:
            follow(model.name, bundle, number)
        ready.switch()
        model.executor = ready.executor
        self._bundles[model.name] = bundle
        for lane in model.lanes:
            lane.on_model(bundle, number)
        self._aside(ready.retire)
        failed = {lane.lane_id: lane.failed for lane in model.lanes if lane.failed}
        return {
            "model": model.name,
            "input": number,
            "before": before.hash,
            "after": bundle.hash,
            "bundle": str(bundle.path),
            "failed_lanes": failed,
        }

    def _status(self) -> dict[str, Any]:
        return {
            "inputs": self._engine.number,
            "busy": self._busy,
            "models": {
                name: {
                    "bundle": str(bundle.path),
                    "hash": bundle.hash,
                    "available": self._models[name].is_available(),
                    "lanes": [_told(lane) for lane in self._models[name].lanes],
                    "changes": [_said(change) for change in self._before[name]],
                }
                for name, bundle in self._bundles.items()
            },
        }


def _told(lane: Lane) -> dict[str, Any]:
    return {"id": lane.lane_id, "shadow": lane.shadow, "failed": lane.failed}


def _said(change: _Version | _Promotion) -> str:
    """What ``rollback`` would undo, in words."""
    if isinstance(change, _Version):
        return f"swap, before it {change.folder}"
    return f"promote {change.shadow.lane_id}, for {change.lane.lane_id}"


def _discard(ready: Future[Ready]) -> None:
    if ready.exception() is None:
        ready.result().discard()
