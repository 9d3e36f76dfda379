"""The tables of a configuration, typed and frozen. A part's own keys stay raw here: only its class knows them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli_w
from msgspec import Meta

from vtframe.config.document import Document, Place
from vtframe.config.drift import DriftTable
from vtframe.config.lines import KeyPath
from vtframe.sampling import Sampling

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
"""A lane's or model's name: it becomes part of file names and order ids."""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One part asked for: ``use`` names it, ``settings`` are its own keys, ``path`` is where it stands."""

    use: str
    settings: dict[str, Any] = {}
    path: KeyPath = ()


class SessionTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[vtframe]``"""

    plugins: tuple[str, ...] = ()  # installed plugins to load; what is not named is not imported
    local: tuple[str, ...] = ()  # Python files, relative to the configuration
    sessions: str = "sessions"  # the folder that session folders go into, relative to the configuration


class RowsTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[rows]``: what a row is made of, and how many are kept in memory per instrument."""

    dtype: Literal["float32", "float64"] = "float32"
    ring: Annotated[int, Meta(ge=1024, le=1 << 24)] = 4096  # the log and slow models read behind the newest row


class RecorderTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[recorder]``: what the feed delivered goes to files in the session's folder."""

    record: Literal["live", "always", "never"] = "live"  # live: a market that cannot be had again
    on_disk_full: Literal["stop_recording", "stop_trading"] = "stop_recording"
    rotate_mb: Annotated[int, Meta(ge=1, le=1 << 20)] = 256  # packed, after which the next file begins
    rotate_minutes: Annotated[float, Meta(gt=0)] = 60  # after which it begins, too
    buffer_mb: Annotated[int, Meta(ge=1, le=1 << 16)] = 64  # of memory, for what the disk has not taken yet
    level: Annotated[int, Meta(ge=1, le=19)] = 3  # of zstd


class ModelTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[[models]]``. What was missing or wrong is empty, beside a fault."""

    bundle: Annotated[str, Meta(min_length=1)] = ""  # a folder, relative to the configuration; required
    name: Name = ""  # the bundle folder's name where none is given
    where: Literal["fused", "inline", "thread", "process"] = "inline"
    deadline_us: Annotated[int, Meta(ge=1)] = 50_000
    stale_ms: Annotated[int, Meta(ge=1)] = 1_000
    workers: Annotated[int, Meta(ge=1, le=64)] = 1  # processes
    wait: Literal["sleep", "busy"] = "sleep"  # busy: the engine and each worker keep a core for themselves
    spin_us: Annotated[int, Meta(ge=0, le=1_000_000)] = 50  # that a worker looks for work before it sleeps
    overload: Literal["latest", "queue", "block"] | None = None  # None: latest, or block where the market waits for us
    queue: Annotated[int, Meta(ge=2, le=4096)] = 64  # rows of one instrument that may wait, for "queue"
    max_batch: Annotated[int, Meta(ge=1, le=1024)] = 64  # rows that wait together and are answered by one call
    hang_ms: Annotated[int, Meta(ge=10)] = 2_000  # then a worker is put down
    memory_mb: Annotated[int, Meta(ge=1)] | None = None  # beyond it a worker is put down
    cpus: tuple[Annotated[int, Meta(ge=0)], ...] = ()  # one worker each, in order
    keep_warm: bool = False  # spend idle time on calls whose answers nobody sees, so that a real one finds the caches hot
    backend: dict[str, Any] = {}  # settings of the bundle's backend: threads, device, ...


class LaneTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[[lanes]]``, without its parts' tables."""

    id: Name = ""  # lane1, lane2, ... where none is given
    model: str = ""  # a model's name; required
    when_late: Literal["hold", "cancel", "flatten"] = "hold"
    capital: Decimal = Decimal(10_000)  # quote currency
    keep_warm: bool = True  # at venues: spend idle time on orders that are not sent, so that a real one finds the caches hot
    shadow: bool = False  # on paper beside the account: it neither sees what the others hold nor counts with them
    instruments: tuple[Annotated[str, Meta(min_length=1)], ...] = ()  # SYMBOL@venue: act on these alone; empty: on all


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One lane: its own settings and the parts that it uses. ``strategy`` is None only beside a fault."""

    id: str
    table: LaneTable
    strategy: Use | None
    execution: Use | None
    limits: tuple[Use, ...] = ()
    path: KeyPath = ()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration as read. Beside faults it holds what could be read, for finding more of them, and is not to be run."""

    document: Document
    session: SessionTable
    feed: Use | None
    sampling: Sampling
    rows: RowsTable
    features: tuple[Use, ...]
    models: tuple[ModelTable, ...]
    lanes: tuple[Lane, ...]
    risk: tuple[Use, ...]
    sinks: tuple[Use, ...]
    recorder: RecorderTable = RecorderTable()
    drift: tuple[DriftTable, ...] = ()

    @property
    def path(self) -> Path:
        return self.document.path

    @property
    def folder(self) -> Path:
        """The folder that relative paths start from: the file's own, but for a file that is read away from its home."""
        return self.document.folder

    def resolve(self, text: str) -> Path:
        """``text`` as a path, relative to the configuration's folder."""
        return self.folder / Path(text).expanduser()

    def place(self, *path: str | int) -> Place:
        """Where a key stands, for faults."""
        return Place(self.document, path)

    @property
    def as_run(self) -> str:
        """The configuration as TOML with what the command line changed; the file's own text where it changed nothing."""
        return tomli_w.dumps(self.document.data) if self.document.overridden else self.document.text
