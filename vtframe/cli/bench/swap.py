"""Bench of hot swaps: rows come at a constant rate, and the longest time between two predictions while a model is swapped
stands beside the longest without a swap, in intervals of rows. No row may go without a prediction."""

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
from vtframe.builtin import PLUGINS
from vtframe.cli.bench.rows import Row, time_row
from vtframe.domain import Prediction
from vtframe.engine.commands import Swap
from vtframe.engine.session import Session
from vtframe.errors import InvariantError
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import DESCRIPTION, read_description

_PARTS: Final = (*PLUGINS, "vtframe.cli.bench.load_parts")
_RATES: Final = (100, 1_000)  # rows a second
_SWAPS: Final = 4
_STRETCH_S: Final = 1.0  # before each swap, and from its beginning on at least


def swap_rows(examined: Examined, say: Callable[[str], None]) -> Iterator[Row]:
    """Rows for each place where the configuration's model can run; none where its feed is not the embedded market."""
    config = examined.config
    if config.feed is None or config.feed.use != "market" or not config.models:
        return
    bundle = examined.bundles[config.models[0].name]
    for where, rate in itertools.product(("inline", "fused", "thread", "process"), _RATES):
        with tempfile.TemporaryDirectory(prefix="vtframe-swap-") as folder:
            home = Path(folder)
            versions = [bundle.path.resolve(), _copy(bundle, home / "other")]
            (home / "swap.toml").write_text(_configured(examined, versions[0], where, rate))
            session = assemble(home / "swap.toml", Wishes(folder=home / "session", builtin=_PARTS)).session
            during, without = _gaps(session, config.models[0].name, versions[::-1])
        say(f"swap, {where}: {_SWAPS} swaps at {rate:,} rows/s, every row was predicted; longest gaps {_told(during, rate)}")
        name = f"inference: {where} model swapped at {rate:,} rows/s, longest time between predictions"
        yield time_row(name, "row intervals", [gap * rate for gap in during], "no swap", [gap * rate for gap in without])


def _told(gaps: list[float], rate: int) -> str:
    return ", ".join(f"{1e3 * gap:.1f} ms ({gap * rate:.1f})" for gap in gaps)


def _configured(examined: Examined, bundle: Path, where: str, rate: int) -> str:
    """The session, its first model alone, on rows that come at a rate; each of them is to be answered, however late."""
    config = examined.config
    table = config.models[0]
    data = msgspec.to_builtins(config.document.data)
    model = {"bundle": str(bundle), "name": table.name, "where": where, "deadline_us": 20_000_000, "stale_ms": 20_000}
    if where in ("thread", "process"):
        model |= {"overload": "queue", "queue": 4_096}
    data["feed"] = {"use": "bench_steady", "rows_per_s": rate, "seed": 7}
    data["models"] = [model]
    data["lanes"] = [lane for lane in data["lanes"] if lane["model"] == table.name]
    return tomli_w.dumps(data)


def _copy(bundle: BundleInfo, folder: Path) -> Path:
    """The same model under another name: another version, as far as a session can tell."""
    described = msgspec.structs.replace(read_description(bundle.path / DESCRIPTION), name=folder.name, files={})
    return write_bundle(folder, described, {name: (bundle.path / name).read_bytes() for name in bundle.files}).path


def _gaps(session: Session, model: str, versions: list[Path]) -> tuple[list[float], list[float]]:
    """The longest gap, s, of each stretch with a swap and of each without. Raises InvariantError for a row without a
    prediction."""
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
    counts = session.run().report["counts"]
    thread.join()
    if problems:
        raise problems[0]
    if counts["rows"] != counts["predictions"] + counts["invalid"]:
        raise InvariantError(f"rows went without a prediction while a model was swapped: {counts}")
    return during, without


def _swap(session: Session, command: Swap) -> None:
    until = time.perf_counter() + _STRETCH_S
    told: dict[str, Any] = session.lifecycle.ask(command).result(timeout=120)
    if told["failed_lanes"]:
        raise InvariantError(f"a lane failed: {told['failed_lanes']}")
    time.sleep(max(0.2, until - time.perf_counter()))


def _longest(at: list[float], stretch: Callable[[], None]) -> float:
    first = len(at) - 1
    stretch()
    times = at[first:]
    return max(later - earlier for earlier, later in itertools.pairwise(times))
