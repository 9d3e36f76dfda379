"""Bench of start-up: how long a process that has imported vtframe waits for the kernel of 24 features."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from vtframe.cli.bench.rows import Row, time_row
from vtframe.errors import InputError

_COLD, _WARM = 1, 7
_CHILD = """
import json, time
from vtframe.cli.bench.feature_sets import twenty_four_features
from vtframe.domain import Instrument, InstrumentKind, SequenceRule
from vtframe.features.pipeline import Pipeline
told = []
units = dict(price_decimals=1, quantity_decimals=3, tick_size=1, lot_size=1)
instrument = Instrument(venue="bench", symbol="X", kind=InstrumentKind.LINEAR, base="X", quote="Y", settlement="Y", **units)
before, spent = time.perf_counter(), time.process_time()
Pipeline(twenty_four_features(), [instrument], [SequenceRule.NONE], on_compile=told.append)
print(json.dumps({"seconds": time.perf_counter() - before, "spent": time.process_time() - spent, "told": told}))
"""


def start_row(say: Callable[[str], None]) -> Iterator[Row]:
    """One row: processes of their own, first with empty caches, then with what the first left there."""
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder:
        for name, repeats in (("cold", _COLD), ("warm", _WARM)):
            for repeat in range(repeats):
                cache = Path(folder) / str(repeat if name == "cold" else 0)
                found, spent, told = _start(cache)
                times[name].append(found)
                if bool(told) != (name == "cold"):
                    raise InputError("vtframe bench", f"a {name} start said {told!r}; the kernel cache does not work here")
                said = f"; said before: {told[0].partition('(')[0].strip()}" if told else ""
                say(f"{name} kernel {repeat + 1}: {found:.2f} s, {spent:.2f} s of the processor{said}")
    yield time_row("start: kernel of 24 features, warm cache", "s", times["warm"], "cold cache", times["cold"])


def _start(cache: Path) -> tuple[float, float, list[str]]:
    """Seconds from the features to the pipeline, the processor's share of them, and what it said meanwhile."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _CHILD],
        env={**os.environ, "VTFRAME_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InputError("vtframe bench", f"the kernel's start failed: {done.stderr.strip()[-300:]}")
    answer = json.loads(done.stdout)
    return float(answer["seconds"]), float(answer["spent"]), list(answer["told"])
