"""Sessions on the embedded market that run in real time, or faster, while another thread gives commands."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from vtframe.api import Calibrator
from vtframe.assemble.session import Wishes, assemble
from vtframe.engine.session import Session
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import read_description

MODEL = "embedded_direction"


def make_home(root: Path, home: Path) -> Path:
    """The repository's session, and beside its model a version that answers otherwise: ``models/softer``."""
    shutil.copytree(root / "models" / MODEL, home / "models" / MODEL)
    shutil.copytree(root / "strategies", home / "strategies")
    write_version(home, "softer")
    return home


def write_version(home: Path, name: str, *, temperature: float = 1.5, **changes: Any) -> Path:
    """The same graph, calibrated otherwise; ``changes`` are of its description."""
    described = read_description(home / "models" / MODEL / "bundle.toml")
    calibrator = Calibrator(method="temperature", temperature=temperature)
    output = msgspec.structs.replace(described.output, calibrator=calibrator)
    described = msgspec.structs.replace(described, **{"name": name, "output": output, "files": {}, **changes})
    content = (home / "models" / MODEL / described.file).read_bytes()
    write_bundle(home / "models" / name, described, {described.file: content})
    return home / "models" / name


def configured(root: Path, home: Path, name: str, *changes: tuple[str, str], seconds: float = 900, speed: float = 20) -> Path:
    """The repository's configuration with parts of its text replaced."""
    text = (root / "market.toml").read_text()
    for old, new in (("duration_s = 1200", f"duration_s = {seconds}\nspeed = {speed}"), *changes):
        assert old in text
        text = text.replace(old, new)
    (home / f"{name}.toml").write_text(text)
    return home / f"{name}.toml"


class Running:
    """The session of a configuration, in this thread; ``orders`` are carried out by another one, once ``rows`` were made."""

    def __init__(self, path: Path, orders: Callable[[Session], None], *, rows: int = 200) -> None:
        self.folder = path.parent / path.stem
        session = assemble(path, Wishes(folder=self.folder)).session
        failed: list[BaseException] = []

        def give() -> None:
            try:
                wait_for(lambda: session.pipeline.counts().rows >= rows)
                orders(session)
            except BaseException as e:  # noqa: BLE001 - raised below, in the test
                failed.append(e)

        thread = threading.Thread(target=give)
        thread.start()
        self.report = session.run().report
        thread.join()
        if failed:
            raise failed[0]

    def logged(self, model: str = MODEL) -> pa.Table:
        return pq.read_table(self.folder / "predictions" / model)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def done(answer: Future[dict[str, Any]]) -> dict[str, Any]:
    return answer.result(timeout=60)


def rows_made(session: Session) -> int:
    return session.pipeline.counts().rows


def runs_of(values: list[str]) -> list[str]:
    """Without repetitions that follow each other."""
    return [value for place, value in enumerate(values) if place == 0 or values[place - 1] != value]
