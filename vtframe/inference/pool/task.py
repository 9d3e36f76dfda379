"""What a worker is told: which board, which model, how to wait. A file in the segments' folder; nothing is pickled."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from vtframe.api import BundleInfo, ModelBackend
from vtframe.inference.bundle import load_bundle
from vtframe.inference.pool.board import BoardShape
from vtframe.plugins.local import PACKAGE, load_local

Wait = Literal["busy", "sleep"]


class BackendRef(msgspec.Struct, frozen=True, kw_only=True):
    """A backend's class as another process finds it, and its settings."""

    module: str
    name: str
    file: str = ""  # of a local plugin
    settings: dict[str, Any] = {}

    @classmethod
    def of(cls, backend: ModelBackend) -> BackendRef:
        kind = type(backend)
        module = sys.modules[kind.__module__]
        file = str(module.__file__) if kind.__module__.startswith(f"{PACKAGE}.") else ""
        return cls(module=kind.__module__, name=kind.__qualname__, file=file, settings=msgspec.to_builtins(backend))

    def make(self) -> ModelBackend:
        module = load_local(Path(self.file), self.file) if self.file else importlib.import_module(self.module)
        kind: Any = module
        for part in self.name.split("."):
            kind = getattr(kind, part)
        made: ModelBackend = msgspec.convert(self.settings, kind)
        return made


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's."""

    rows: str
    board: str
    shape: BoardShape
    worker: int
    launch: int  # how many workers this model had before: batches are numbered from it
    bundle: str
    hash: str  # of the bundle: a folder that has changed since is refused
    backend: BackendRef
    columns: tuple[int, ...]  # places of the bundle's columns in a row
    wait: Wait
    spin_us: int
    keep_warm: bool
    cpu: int | None
    work: tuple[int, int]  # descriptors of the bell for workers
    done: tuple[int, int]  # and of the engine's
    parent: int

    def open_bundle(self) -> BundleInfo:
        """Raises BundleError; ValueError where it is not the bundle that the session opened."""
        bundle = load_bundle(Path(self.bundle))
        if bundle.hash != self.hash:
            raise ValueError(f"{self.bundle} has changed since the session opened it (hash {bundle.hash[:12]})")
        return bundle
