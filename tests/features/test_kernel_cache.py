"""Compiled kernels on disk: found again, never stale, never mixed up, and never needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vtframe.features import Pipeline
from vtframe.testing import small_market
from vtframe.testing.market import INSTRUMENT, RULE

RUN = """
import importlib, json, sys
from vtframe.api import Feature
from vtframe.features import Pipeline
from vtframe.testing import small_market
from vtframe.testing.market import INSTRUMENT, RULE

sys.path.insert(0, sys.argv[1])
said, found = [], []
for name in sys.argv[2:]:
    module, _, attribute = name.partition(":")
    feature = getattr(importlib.import_module(module), attribute)()
    pipeline = Pipeline([feature], [INSTRUMENT], [RULE], on_compile=said.append)
    records = small_market()
    pipeline.process(records)
    stats = pipeline._run.stats
    found.append({
        "state": pipeline.state_digest(),
        "value": float(pipeline.ring.window(0, 1)[0, 0]),
        "hits": sum(stats.cache_hits.values()),
        "misses": sum(stats.cache_misses.values()),
    })
print(json.dumps({"said": said, "found": found}))
"""

FEATURE = """
from vtframe.api import Feature, Kernel
from helper import scaled


class Scaled(Feature, frozen=True):
    name = "scaled"

    def kernel(self):
        def on_frame(moment, book, state, out):
            out[0] = scaled(book.bid_quantity[0])

        return Kernel(on_frame=on_frame)


class Spread(Feature, frozen=True):
    name = "spread"

    def kernel(self):
        def on_frame(moment, book, state, out):
            out[0] = scaled(book.ask_price[1] - book.bid_price[1])

        return Kernel(on_frame=on_frame, depth=2, warmup=3)
"""


def helper(factor: float) -> str:
    return f"import inner\n\n\ndef scaled(x):\n    return inner.times(x) * {factor}\n"


def inner(factor: float) -> str:
    return f"def times(x):\n    return x * {factor}\n"


class Workplace:
    """A folder with a feature, its helpers in two more modules, and a cache; each ``run`` is a new process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        (folder / "feature.py").write_text(FEATURE)
        self.write(helper=1.0, inner=1.0)

    def write(self, **factors: float) -> None:
        for name, factor in factors.items():
            (self.folder / f"{name}.py").write_text({"helper": helper, "inner": inner}[name](factor))

    def start(self, *features: str, **environment: str) -> subprocess.Popen[str]:
        variables = {**os.environ, "VTFRAME_CACHE": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        command = [sys.executable, "-c", RUN, str(self.folder), *features]
        return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *features: str, **environment: str) -> dict:
        return answer_of(self.start(*features, **environment))

    @property
    def kernels(self) -> list[Path]:
        return sorted((self.cache / "kernels").iterdir())


def answer_of(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_kernels_compiled_by_different_processes_do_not_run_each_others_code(workplace: Workplace) -> None:
    """Numba names functions by a counter that starts anew in every process; equal names of two kernels would be linked."""
    scaled, spread = workplace.run("feature:Scaled"), workplace.run("feature:Spread")
    both = workplace.run("feature:Scaled", "feature:Spread")
    assert [found["hits"] for found in both["found"]] == [1, 1]
    assert [found["state"] for found in both["found"]] == [scaled["found"][0]["state"], spread["found"][0]["state"]]
    other_way = workplace.run("feature:Spread", "feature:Scaled")
    assert [found["state"] for found in other_way["found"]] == [found["state"] for found in reversed(both["found"])]
