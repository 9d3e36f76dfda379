"""How a model is served outside the engine's thread; ``[[models]]`` says it."""

from __future__ import annotations

from typing import Literal

import msgspec

from vtframe.inference.pool.task import Wait

Overload = Literal["latest", "queue", "block"]


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``overload``: with ``latest`` the newest row of an instrument takes the place of one that still waits; with ``queue`` up
    to ``queue`` rows of an instrument wait, and what comes beyond is dropped; with ``block`` the engine waits."""

    where: Literal["process", "thread"] = "process"
    workers: int = 1
    wait: Wait = "sleep"
    spin_us: int = 50  # before a worker that waits by sleeping falls asleep
    overload: Overload = "latest"
    queue: int = 64
    max_batch: int = 64  # requests that wait together and are answered by one call
    hang_ms: int = 2_000  # in one call, or without a sign of life: then the worker is put down
    memory_mb: int | None = None  # of a worker; beyond it the worker is put down; None: no limit
    keep_warm: bool = False  # spend idle time on calls for nothing, so that a real one finds the caches hot
    cpus: tuple[int, ...] = ()  # one worker each, in order; empty: anywhere
