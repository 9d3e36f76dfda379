"""``vtframe model bench``: how long a model takes in every runtime that is there, and where it had best run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vtframe.api import BundleInfo, Model, ModelBackend, VtframeError, calibrated
from vtframe.cli.model_backends import backend_of
from vtframe.inference.bundle import load_bundle
from vtframe.inference.fused.check import rows_like_training
from vtframe.inference.fused.open import open_fused

BATCHES = (1, 8, 64)
_WINDOWS = 256  # different ones, asked about in turn
_LEAST, _MOST = 30, 20_000  # calls
_INLINE_US = 100.0  # of the slowest of a hundred predictions: what every input behind it waits
_FREE_SHARE = 0.5  # of its own speed that other Python code keeps beside the model


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one batch size, in microseconds a call."""

    batch: int
    calls: int
    p50_us: float
    p99_us: float
    p999_us: float


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run the model. ``problem`` says why it cannot be had; ``settings`` are the backend's."""

    name: str
    settings: dict[str, Any] = {}
    timings: tuple[Timing, ...] = ()
    free: float | None = None  # share of its speed that other Python code keeps while this runs in a thread
    problem: str = ""

    @property
    def one(self) -> Timing:
        return self.timings[0]


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Where the model had best run, and why."""

    where: str
    why: str


@click.command("bench")
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), help="Load the plugins that it names; ./vtframe.toml if there."
)
@click.option("--seconds", type=click.FloatRange(0.05, 60), default=0.5, show_default=True, help="Of every figure.")
@click.option("--json", "as_json", is_flag=True, help="Print for machines.")
def bench_model(path: Path, *, config: Path | None, seconds: float, as_json: bool) -> None:
    """Measure a bundle in every runtime that is there, at batches of 1, 8 and 64, and say where it had best run.

    Rows are like those of the training where the bundle says how they lay, else standard normal. Whatever else this machine
    does shows in the figures: compare them within one run.
    """
    bundle = load_bundle(path)
    backend = backend_of(bundle.backend, config)
    windows = _windows(bundle)
    found = [_measure(name, settings, model, windows, seconds) for name, settings, model in _runtimes(bundle, backend)]
    advice = advise(found)
    if as_json:
        told = {
            "bundle": str(path),
            "name": bundle.name,
            "hash": bundle.hash,
            "window": bundle.window,
            "columns": len(bundle.columns),
            "runtimes": msgspec.to_builtins(found),
            "recommended": msgspec.to_builtins(advice),
        }
        click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        _print(bundle, found, advice)


def advise(runtimes: list[Runtime]) -> Advice:
    """From measured timings to a place. A runtime with a problem is left out; the backend's own comes first and has none."""
    usable = [runtime for runtime in runtimes if not runtime.problem]
    own = usable[0]
    fused = next((runtime for runtime in usable if runtime.name == "fused"), None)
    if fused is not None and fused.one.p50_us <= own.one.p50_us:
        why = (
            f"one compiled call takes {fused.one.p50_us:.1f} us with the copy from Python, its backend {own.one.p50_us:.1f} us"
        )
        return Advice(where="fused", why=why)
    slowest = f"one prediction in a hundred takes {own.one.p99_us:.0f} us or more"
    if own.one.p99_us <= _INLINE_US:
        return Advice(where="inline", why=f"{slowest}: less than what a hop to a thread or a process may cost")
    if own.free is not None and own.free >= _FREE_SHARE:
        why = f"{slowest}, for which no input should wait; other Python code keeps {own.free:.0%} of its speed beside it"
        return Advice(where="thread", why=why)
    kept = "" if own.free is None else f", and leaves other Python code {own.free:.0%} of its speed in a thread"
    return Advice(where="process", why=f"{slowest}, for which no input should wait{kept}")


def _windows(bundle: BundleInfo) -> NDArray[Any]:
    like = rows_like_training(bundle, rows=_WINDOWS)
    if like is not None:
        return like
    shape = (_WINDOWS, bundle.window, len(bundle.columns))
    return np.random.default_rng(0).standard_normal(shape).astype(bundle.dtype)


def _runtimes(bundle: BundleInfo, backend: ModelBackend) -> Iterator[tuple[str, dict[str, Any], Model | str]]:
    """Every runtime by name, with its settings and the opened model, or why it cannot be opened; the backend's own first."""
    own = backend.open(bundle)
    yield backend.name, {}, own
    for name, settings in backend.runtimes().items():
        yield f"{backend.name} {name}", dict(settings), _try(lambda settings=settings: type(backend)(**settings).open(bundle))
    yield "fused", {}, _try(lambda: calibrated(open_fused(bundle, backend), bundle))


def _try(make: Any) -> Model | str:
    try:
        model: Model = make()
    except VtframeError as e:
        return str(e)
    return model


def _measure(name: str, settings: dict[str, Any], model: Model | str, windows: NDArray[Any], seconds: float) -> Runtime:
    if isinstance(model, str):
        return Runtime(name=name, settings=settings, problem=model)
    try:
        timings = tuple(_time(model, windows, batch, seconds) for batch in BATCHES)
        return Runtime(name=name, settings=settings, timings=timings, free=_free_share(model, windows[:1], seconds))
    finally:
        model.close()


def _time(model: Model, windows: NDArray[Any], batch: int, seconds: float) -> Timing:
    starts = range(0, len(windows) - batch + 1, batch)
    batches = [windows[start : start + batch] for start in starts]
    now = time.perf_counter_ns
    for some in batches[:10]:
        model.predict(some)
    times: list[int] = []
    until = now() + round(seconds * 1e9)
    while len(times) < _MOST and (len(times) < _LEAST or now() < until):
        given = batches[len(times) % len(batches)]
        before = now()
        model.predict(given)
        times.append(now() - before)
    p50, p99, p999 = (float(value) / 1e3 for value in np.percentile(times, [50, 99, 99.9]))
    return Timing(batch=batch, calls=len(times), p50_us=round(p50, 2), p99_us=round(p99, 2), p999_us=round(p999, 2))


def _free_share(model: Model, window: NDArray[Any], seconds: float) -> float:
    """How fast a Python loop runs beside the model in another thread, as a share of its speed alone."""
    alone = _loops(seconds / 2)
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            model.predict(window)

    beside = threading.Thread(target=ask, daemon=True)
    beside.start()
    try:
        found = _loops(seconds / 2)
    finally:
        stopped.set()
        beside.join()
    return round(min(1.0, found / max(alone, 1)), 3)


def _loops(seconds: float) -> int:
    until = time.perf_counter() + seconds
    count = 0
    while time.perf_counter() < until:
        count += 1
    return count


def _print(bundle: BundleInfo, found: list[Runtime], advice: Advice) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("runtime", "batch", "p50 us", "p99 us", "p99.9 us", "us a row"):
        table.add_column(column, justify="left" if column == "runtime" else "right")
    for runtime in found:
        for timing in runtime.timings:
            figures = (timing.p50_us, timing.p99_us, timing.p999_us, timing.p50_us / timing.batch)
            name = runtime.name if timing is runtime.one else ""
            table.add_row(name, str(timing.batch), *(f"{value:,.1f}" for value in figures))
    console.print(f"[bold]{escape(bundle.name)}[/bold] {bundle.window} row(s) of {len(bundle.columns)} columns")
    console.print(table)
    for runtime in found:
        if runtime.problem:
            console.print(f"[dim]{runtime.name}: {escape(runtime.problem)}[/dim]")
    console.print(f'where = [bold]"{advice.where}"[/bold]: {advice.why}')
