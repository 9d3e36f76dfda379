"""The session's models where the configuration puts them: compiled into the features' kernel, in the engine's thread, in
threads, in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vtframe.api import BundleInfo, Clock, Model, ModelBackend
from vtframe.assemble.model_backend import make_backend
from vtframe.buffers.entry import Entry
from vtframe.buffers.ring import RowType
from vtframe.buffers.segment import SegmentFolder
from vtframe.config import ModelTable
from vtframe.features.pipeline import Pipeline, RowMemory
from vtframe.inference.executor import Executor
from vtframe.inference.fused import FusedExecutor, FusedModel, open_fused
from vtframe.inference.inline import InlineExecutor
from vtframe.inference.pool.bell import Bell
from vtframe.inference.pool.board import SharedRows
from vtframe.inference.pool.executor import PoolExecutor
from vtframe.inference.pool.settings import PoolSettings
from vtframe.inference.pool.site import Site
from vtframe.plugins import Registry


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
        self._versions = dict.fromkeys(bundles, 0)
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

    def executor(self, name: str, pipeline: Pipeline, clock: Clock, log: Path) -> Executor:
        """The executor of one model; workers print to files in ``log``. Waits until one has opened the model.

        Raises BundleError or SessionError.
        """
        table, bundle = self._tables[name], self._bundles[name]
        common: dict[str, Any] = {
            "ring": pipeline.ring,
            "columns": pipeline.columns,
            "clock": clock,
            "deadline_ns": table.deadline_us * 1_000,
            "max_age_ns": table.stale_ms * 1_000_000,
            "name": name,
        }
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
        self._versions[name] += 1
        columns = tuple(pipeline.columns.index(column) for column in bundle.columns)
        model = None
        if table.where == "thread":
            model = self._opened.pop(name, None) or self._open(name, bundle)
        log.mkdir(parents=True, exist_ok=True)
        site = Site(
            bundle,
            make_backend(bundle, table, self._backends),
            _settings(table, waits=self._waits),
            ring=pipeline.ring,
            columns=columns,
            number=self._versions[name],
            model=model,
            rows=self._rows.path if self._rows is not None and model is None else None,
            folder=self._folder if model is None else None,
            log=log / f"model-{name}.log",
            done=bell,
        )
        self._release.insert(0, site.close)
        return site

    def release(self) -> None:
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
