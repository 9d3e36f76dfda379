"""Bench of hot swaps: the longest time without a prediction while a model is swapped in a session in real time, beside the
longest without a swap. The market itself is silent now and then."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import tomli_w

from vtframe.api import BundleInfo
from vtframe.assemble.check import Examined
from vtframe.assemble.session import Wishes, assemble
from vtframe.cli.bench.rows import Row, time_row
from vtframe.domain import Prediction
from vtframe.engine.commands import Swap
from vtframe.engine.session import Session
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import DESCRIPTION, read_description

_SWAPS: Final = 4
_STRETCH_S: Final = 1.0  # before each swap, and from its beginning on at least


def swap_rows(examined: Examined, say: Callable[[str], None]) -> Iterator[Row]:
    """One row for each place where the configuration's model can run; none where its feed is not the embedded market."""
    config = examined.config
    if config.feed is None or config.feed.use != "market" or not config.models:
        return
    table = config.models[0]
    bundle = examined.bundles[table.name]
    for where in ("inline", "fused", "thread", "process"):
        with tempfile.TemporaryDirectory(prefix="vtframe-swap-") as folder:
            home = Path(folder)
            versions = [bundle.path.resolve(), _copy(bundle, home / "other")]
            data = msgspec.to_builtins(config.document.data)
            data["models"] = [{"bundle": str(versions[0]), "name": table.name, "where": where, "deadline_us": 200_000}]
            data["lanes"] = [lane for lane in data["lanes"] if lane["model"] == table.name]
            (home / "swap.toml").write_text(tomli_w.dumps(data))
            session = assemble(home / "swap.toml", Wishes(folder=home / "session", speed=1.0)).session
            during, without = _gaps(session, table.name, versions[::-1])
        say(f"swap, {where}: {_SWAPS} swaps while the embedded market runs in real time")
        name = f"inference: {where} model swapped, longest time without a prediction"
        yield time_row(name, "ms", during, "without a swap", without)


def _copy(bundle: BundleInfo, folder: Path) -> Path:
    """The same model under another name: another version, as far as a session can tell."""
    described = msgspec.structs.replace(read_description(bundle.path / DESCRIPTION), name=folder.name, files={})
    return write_bundle(folder, described, {name: (bundle.path / name).read_bytes() for name in bundle.files}).path


def _gaps(session: Session, model: str, versions: list[Path]) -> tuple[list[float], list[float]]:
    """The longest gap, ms, of each stretch with a swap and of each without."""
    at: list[float] = []
    during: list[float] = []
    without: list[float] = []
    problems: list[BaseException] = []

    def watch() -> None:
        (served,) = (one for one in session.engine.models if one.name == model)
        add = served.log.add

        def note(prediction: Prediction, batch: int, batch_size: int) -> None:
            at.append(time.perf_counter())
            add(prediction, batch, batch_size)

        served.log.add = note  # type: ignore[method-assign]  # the bench looks on
        while len(at) < 100:
            time.sleep(0.05)
        for turn in range(_SWAPS):
            without.append(_longest(at, lambda: time.sleep(_STRETCH_S)))
            command = Swap(model=model, bundle=str(versions[turn % 2]))
            during.append(_longest(at, lambda command=command: _swap(session, command)))  # type: ignore[misc]

    def give() -> None:
        try:
            watch()
        except BaseException as e:  # noqa: BLE001 - raised below, once the session has ended
            problems.append(e)
        session.engine.stop("measured")

    thread = threading.Thread(target=give)
    thread.start()
    session.run()
    thread.join()
    if problems:
        raise problems[0]
    return during, without


def _swap(session: Session, command: Swap) -> None:
    until = time.perf_counter() + _STRETCH_S
    told: dict[str, Any] = session.lifecycle.ask(command).result(timeout=120)
    if told["failed_lanes"]:
        raise RuntimeError(f"a lane failed: {told['failed_lanes']}")
    time.sleep(max(0.2, until - time.perf_counter()))


def _longest(at: list[float], stretch: Callable[[], None]) -> float:
    first = len(at) - 1
    stretch()
    times = at[first:]
    return 1e3 * max(later - earlier for earlier, later in itertools.pairwise(times))
