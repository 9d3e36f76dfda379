"""Compiled kernels on disk: found again, never stale, never mixed up, and never needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vtframe.features.fuse import SIGNATURE
from vtframe.kernels.cache import Generated, KernelCache, _hashes

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


def test_a_second_process_loads_what_the_first_compiled_and_an_edited_helper_runs_its_new_code(workplace: Workplace) -> None:
    first = workplace.run("feature:Scaled")
    assert (first["found"][0]["hits"], first["found"][0]["misses"]) == (0, 1)
    assert [message.partition(" (")[0] for message in first["said"]] == ["compiling the book and 1 features"]

    workplace.write(inner=3.0)  # a helper's helper, in a module of its own
    edited = workplace.run("feature:Scaled")
    assert edited["found"][0]["misses"] == 1
    assert edited["found"][0]["value"] == pytest.approx(3.0 * first["found"][0]["value"])

    workplace.write(inner=1.0)
    source = workplace.folder / "helper.py"
    source.write_text("# a remark compiles nothing\n" + source.read_text())
    back = workplace.run("feature:Scaled")
    assert (back["found"][0]["hits"], back["found"][0]["misses"]) == (1, 0)
    assert back["said"] == []
    assert back["found"][0]["state"] == first["found"][0]["state"]


SMALL = Generated(
    digest=64 * "5",
    source="def run(handles, first, last):\n    return first + last\n",
    link=dict,  # nothing to complete
    signature=SIGNATURE,
    what="a sum",
)
HANDLES = np.zeros((1, 5), np.int64)


@pytest.fixture
def forget() -> Iterator[Callable[[], None]]:
    """Lets this process load the small kernel as if it were a new one."""

    def forgotten() -> None:
        sys.modules.pop(SMALL.name, None)

    forgotten()
    yield forgotten
    forgotten()


def loaded(cache: KernelCache) -> tuple[int, int]:
    """Load and run; cache hits and misses."""
    run = cache.load(SMALL)
    assert run(HANDLES, 20, 22) == 42
    return sum(run.stats.cache_hits.values()), sum(run.stats.cache_misses.values())


@pytest.mark.parametrize("suffix", [".nbc", ".nbi", "kernel.py", "manifest.json"])
@pytest.mark.parametrize("damage", ["one bit", "cut short", "removed"])
def test_a_damaged_kernel_is_compiled_afresh(tmp_path: Path, forget: Callable[[], None], suffix: str, damage: str) -> None:
    said: list[str] = []
    cache = KernelCache(tmp_path, said.append)
    assert loaded(cache) == (0, 1)
    damaged = next(path for path in cache.folder.rglob("*") if path.name.endswith(suffix))
    content = bytearray(damaged.read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
    elif damage == "cut short":
        damaged.write_bytes(content[: len(content) // 2])
    else:
        damaged.unlink()
    forget()
    assert loaded(cache) == (0, 1)
    forget()
    assert loaded(cache) == (1, 0)
    assert said == ["compiling a sum"] * 2
    assert len(list(cache.folder.iterdir())) == 1


def test_a_whole_kernel_that_numba_cannot_load_is_reported_and_compiled_afresh(
    tmp_path: Path, forget: Callable[[], None]
) -> None:
    said: list[str] = []
    cache = KernelCache(tmp_path, said.append)
    loaded(cache)
    folder = next(cache.folder.iterdir())
    index = next(folder.rglob("*.nbi"))
    index.write_bytes(b"of another make")
    (folder / "manifest.json").write_text(json.dumps(_hashes(folder)))
    forget()
    assert loaded(cache) == (0, 1)
    assert "cannot be read" in said[1]
    forget()
    assert loaded(cache) == (1, 0)


def test_a_cache_that_cannot_be_written_is_reported_and_not_needed(tmp_path: Path, forget: Callable[[], None]) -> None:
    (tmp_path / "file").write_text("not a folder")
    said: list[str] = []
    cache = KernelCache(tmp_path / "file", said.append)
    assert loaded(cache) == (0, 1)
    assert loaded(cache) == (0, 1)  # the same process has it
    assert ["cannot be written" in message for message in said] == [False, True]


def test_a_cache_that_can_only_be_read_is_used(
    tmp_path: Path, forget: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = KernelCache(tmp_path)
    loaded(cache)
    forget()
    monkeypatch.setattr("vtframe.kernels.cache._is_writable", lambda _: False)
    assert loaded(cache) == (1, 0)


def test_a_copied_cache_and_numbas_own_settings_change_nothing(
    tmp_path: Path, forget: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = KernelCache(tmp_path)
    loaded(cache)
    for path in cache.folder.rglob("*"):
        os.utime(path, (5, 5))
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "elsewhere"))
    forget()
    assert loaded(cache) == (1, 0)
    assert not (tmp_path / "elsewhere").exists()


def test_the_second_of_two_processes_that_compile_at_once_keeps_the_first_ones_kernel(
    tmp_path: Path, forget: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = KernelCache(tmp_path)
    loaded(cache)
    forget()
    first = next(cache.folder.rglob("*.nbc")).stat().st_ino
    monkeypatch.setattr(KernelCache, "_from_disk", lambda *_: None)  # it looked before the first was done
    assert loaded(cache) == (0, 1)
    monkeypatch.undo()
    forget()
    assert loaded(cache) == (1, 0)
    assert [path.stat().st_ino for path in cache.folder.rglob("*.nbc")] == [first]
    assert len(list(cache.folder.iterdir())) == 1


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTFRAME_CACHE", str(tmp_path / "here"))
    assert KernelCache().folder == tmp_path / "here" / "kernels"
    assert KernelCache(tmp_path / "there").folder == tmp_path / "there" / "kernels"
