"""The session's models where the configuration puts them: compiled into the features' kernel, in the engine's thread, in
threads, in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from vtframe.api import BundleInfo, Clock, Model, ModelBackend
from vtframe.assemble.model_backend import make_backend
from vtframe.buffers.entry import Entry
from vtframe.buffers.ring import RowType
from vtframe.buffers.segment import SegmentFolder
from vtframe.config import ModelTable
from vtframe.features.pipeline import Pipeline, RowMemory
from vtframe.inference.age import Arrivals
from vtframe.inference.executor import Executor
from vtframe.inference.fused import FusedExecutor, FusedModel, open_fused
from vtframe.inference.inline import InlineExecutor
from vtframe.inference.pool.bell import Bell
from vtframe.inference.pool.board import SharedRows
from vtframe.inference.pool.executor import PoolExecutor
from vtframe.inference.pool.settings import PoolSettings
from vtframe.inference.pool.site import Site
from vtframe.inference.warm import warm
from vtframe.plugins import Registry


class NextVersion(NamedTuple):
    """A version of a model that is ready to take over. ``switch`` is quick and called between two inputs; from there on
    ``executor`` is asked. ``retire`` lets go of the version before, ``discard`` of this one where it is not wanted after all.
    """

    executor: Executor
    switch: Callable[[], None]
    retire: Callable[[], None]
    discard: Callable[[], None]


class ServedModels:
    """Opens models in three steps, as a session needs them: what can be refused first, then the ring's memory, then the
    executors. ``release`` lets go of everything, whatever was opened; it may be called twice."""

    def __init__(
        self,
        tables: Mapping[str, ModelTable],
        bundles: Mapping[str, BundleInfo],
        backends: Registry[ModelBackend],
        *,
        waits: bool,
    ) -> None:
        """``waits``: the market waits for its session, so that a model elsewhere is waited for unless its table says otherwise.
        Raises ConfigError or BundleError for what does not open here."""
        self._tables = {name: tables[name] for name in bundles}
        self._bundles = bundles
        self._backends = backends
        self._waits = waits
        self._folder: SegmentFolder | None = None
        self._rows: SharedRows | None = None
        self._sites = 0  # so far: their names differ
        self._released = False
        self._arrivals: Arrivals | None = None
        self._release: list[Callable[[], None]] = []
        self._opened: dict[str, Model] = {}
        self._fused: dict[str, FusedModel] = {}
        self._joined: dict[str, Entry] = {}  # of fused models, to the pipeline
        for name, table in self._tables.items():
            if table.where == "fused":
                self._fused[name] = open_fused(bundles[name], make_backend(bundles[name], table, backends))
            elif table.where != "process":
                self._opened[name] = self._open(name, bundles[name])

    @property
    def row_memory(self) -> RowMemory | None:
        """What makes the ring's arrays where worker processes read them."""
        return self._shared if any(table.where == "process" for table in self._tables.values()) else None

    def executor(self, name: str, pipeline: Pipeline, clock: Clock, log: Path, arrivals: Arrivals) -> Executor:
        """The executor of one model; workers print to files in ``log``. Waits until one has opened the model. ``arrivals`` are
        the same for all of a session.

        Raises BundleError or SessionError.
        """
        table, bundle = self._tables[name], self._bundles[name]
        self._arrivals = arrivals
        common = self._common(name, pipeline, clock)
        if table.where == "inline":
            return InlineExecutor(self._opened[name], bundle, **common)
        if table.where == "fused":
            fused = FusedExecutor(self._fused[name], bundle, **common)
            self._joined[name] = fused.entry
            pipeline.join(tuple(self._joined.values()))
            return fused
        bell = Bell()
        self._release.append(bell.close)
        site = self.site(name, bundle, pipeline, log, bell)
        site.wait_ready()
        executor = PoolExecutor(site, **common)
        self._release.insert(0, executor.close)
        return executor

    def site(self, name: str, bundle: BundleInfo, pipeline: Pipeline, log: Path, bell: Bell) -> Site:
        """A version of a model elsewhere, its workers starting."""
        table = self._tables[name]
        self._sites += 1
        columns = tuple(pipeline.columns.index(column) for column in bundle.columns)
        model = None
        if table.where == "thread":
            model = self._opened.pop(name, None)
            if model is None:
                model = self._open(name, bundle)
                warm(model, bundle)
        log.mkdir(parents=True, exist_ok=True)
        site = Site(
            bundle,
            make_backend(bundle, table, self._backends),
            _settings(table, waits=self._waits),
            ring=pipeline.ring,
            columns=columns,
            number=self._sites,
            model=model,
            rows=self._rows.path if self._rows is not None and model is None else None,
            folder=self._folder if model is None else None,
            log=log / f"model-{name}.log",
            done=bell,
        )
        self._release.insert(0, site.close)
        if self._released:  # while a thread made the site
            site.close()
        return site

    def next_version(
        self, name: str, bundle: BundleInfo, executor: Executor, *, pipeline: Pipeline, clock: Clock, log: Path
    ) -> NextVersion:
        """``bundle`` beside the version that ``executor`` asks, open and warm. May run in a thread of its own; the version that
        runs notices nothing of it.

        Raises BundleError, ConfigError or SessionError where it does not open, and whatever its backend raises.
        """
        table = self._tables[name]
        if isinstance(executor, PoolExecutor):
            site = self.site(name, bundle, pipeline, log, executor.done)
            try:
                site.wait_ready()
            except BaseException:
                site.close()
                raise
            return NextVersion(executor, switch=partial(executor.swap, site), retire=_nothing, discard=site.close)
        common = self._common(name, pipeline, clock)
        if table.where == "fused":
            compiled = open_fused(bundle, make_backend(bundle, table, self._backends))
            fused = FusedExecutor(compiled, bundle, **common)
            return NextVersion(
                fused,
                switch=partial(self._join, name, compiled, fused, executor, pipeline),
                retire=self._fused[name].close,
                discard=compiled.close,
            )
        model = self._open(name, bundle)
        try:
            warm(model, bundle)
            inline = InlineExecutor(model, bundle, **common)
        except BaseException:
            model.close()
            raise
        switch = partial(self._replace, name, model, inline, executor)
        return NextVersion(inline, switch=switch, retire=self._opened[name].close, discard=model.close)

    def _join(self, name: str, model: FusedModel, fused: FusedExecutor, old: Executor, pipeline: Pipeline) -> None:
        fused.adopt(old)
        self._fused[name] = model
        self._joined[name] = fused.entry
        pipeline.join(tuple(self._joined.values()))

    def _replace(self, name: str, model: Model, executor: Executor, old: Executor) -> None:
        executor.adopt(old)
        self._opened[name] = model

    def _common(self, name: str, pipeline: Pipeline, clock: Clock) -> dict[str, Any]:
        table = self._tables[name]
        return {
            "ring": pipeline.ring,
            "columns": pipeline.columns,
            "clock": clock,
            "deadline_ns": table.deadline_us * 1_000,
            "max_age_ns": table.stale_ms * 1_000_000,
            "name": name,
            "arrivals": self._arrivals,
        }

    def release(self) -> None:
        self._released = True
        while self._release:
            self._release.pop(0)()
        for model in (*self._opened.values(), *self._fused.values()):
            model.close()
        if self._folder is not None:
            self._folder.close()

    def _open(self, name: str, bundle: BundleInfo) -> Model:
        return make_backend(bundle, self._tables[name], self._backends).open(bundle)

    def _shared(self, instruments: int, capacity: int, columns: int, dtype: RowType) -> tuple[NDArray[Any], NDArray[Any]]:
        self._folder = SegmentFolder()
        self._rows = SharedRows(self._folder, instruments, capacity, columns, dtype)
        return self._rows.values, self._rows.meta


def _nothing() -> None:
    """The executor lets go of the version before by itself, once it has answered."""


def answers_later(table: ModelTable, *, waits: bool) -> bool:
    """Whether the engine asks and goes on; ``waits`` as of ServedModels."""
    return table.where in {"thread", "process"} and _settings(table, waits=waits).overload != "block"


def _settings(table: ModelTable, *, waits: bool) -> PoolSettings:
    return PoolSettings(
        where="thread" if table.where == "thread" else "process",
        workers=table.workers if table.where == "process" else 1,
        wait=table.wait if table.where == "process" else "sleep",
        spin_us=table.spin_us,
        overload=table.overload or ("block" if waits else "latest"),
        queue=table.queue,
        max_batch=table.max_batch,
        hang_ms=table.hang_ms,
        memory_mb=table.memory_mb,
        cpus=table.cpus,
        keep_warm=table.keep_warm,
    )
