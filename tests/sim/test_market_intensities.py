"""The calibration file: what is in it, that the script in the repository made it, and what a broken one says."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtframe.errors import InputError
from vtframe.sim import read_calibration, tables
from vtframe.sim.intensities import FILE, QUEUE
from vtframe.sim.xoshiro import exponential, fill_state, natural_log, next_word, uniform


def test_the_tables_have_a_row_for_every_level_and_a_rate_for_every_bucket() -> None:
    calibration = read_calibration()
    for regime in ("busy", "calm"):
        made = tables(calibration, regime)
        assert made.rates.shape == (2, made.levels + 1, 11)
        assert made.queue_row[1] == QUEUE
        assert made.queue_row.max() == len(made.lots) - 1
        assert (made.rates[1, 1:, 0] == 0).all()  # nothing to cancel in an empty queue
        assert made.rates[0, 1, 0] > 100  # an empty best queue is filled within milliseconds


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", r"<= 1 - at `\$.format`"),
        ("groups = [1, 2,", "groups = [2, 2,", "groups must rise from 1"),
        ("groups = [1, 2, 3,", "groups = [1, 3,", "has 8 rows, expected 7: one for each group"),
        ("theta = 0.", "theta = 7.", r"<= 1.0 - at `\$.regimes"),
        ("[regimes.busy]", "[regimes.busy", "not valid TOML"),
    ],
)
def test_a_broken_calibration_is_refused_with_the_file_and_the_fault(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = FILE.read_text()
    assert old in text
    path = tmp_path / "intensities.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read_calibration(path)
    assert str(path) in str(caught.value)


def test_a_missing_calibration_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file; make it with models/embedded_market/calibrate.py"):
        read_calibration(tmp_path / "none.toml")


def test_the_script_measures_what_is_committed(root: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root / "models" / "embedded_market"))
    import calibrate
    import recording

    measured = calibrate.measure(recording.read(data, recording.REGIMES["busy"]))
    committed = tomllib.loads(FILE.read_text())["regimes"]["busy"]
    scale = committed.pop("pull_scale")
    scaled = committed.pop("pull")
    assert scaled == pytest.approx([rate * scale for rate in measured.pop("pull")], abs=2e-4)
    assert 1.0 <= scale < 1.5
    assert recording.sha256(data / "binance" / recording.REGIMES["busy"][0])[:16] in committed.pop("source")
    assert committed == measured


class PlainXoshiro:
    """xoshiro256++ seeded by splitmix64, in Python's own integers, after the authors' C."""

    def __init__(self, seed: int) -> None:
        self.mask = 2**64 - 1
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & self.mask
            z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & self.mask
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.mask
            self.state.append(z ^ (z >> 31))

    def _rotated(self, x: int, k: int) -> int:
        return ((x << k) | (x >> (64 - k))) & self.mask

    def next(self) -> int:
        s = self.state
        result = (self._rotated((s[0] + s[3]) & self.mask, 23) + s[0]) & self.mask
        t = (s[1] << 17) & self.mask
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = self._rotated(s[3], 45)
        return result


@pytest.fixture(autouse=True)
def wrapping() -> Iterator[None]:
    """The generator's integers wrap by design, and plain Python warns where they do."""
    with np.errstate(over="ignore"):
        yield


@pytest.mark.parametrize("way", [lambda function: function, numba.njit], ids=["plain", "compiled"])
def test_the_stream_is_the_authors(way: Callable[[Any], Any]) -> None:
    fill, following = way(fill_state), way(next_word)
    fill(np.zeros(8, np.uint64), np.uint64(0))  # compiled before anything is timed
    following(np.zeros(8, np.uint64), 0)

    @given(st.integers(0, 2**64 - 1))
    def compare(seed: int) -> None:
        state = np.zeros(8, np.uint64)
        fill(state, np.uint64(seed))
        plain = PlainXoshiro(seed)
        assert [int(following(state, 0)) for _ in range(50)] == [plain.next() for _ in range(50)]

    compare()


def test_splitmix_starts_as_published() -> None:
    state = np.zeros(3, np.uint64)
    fill_state(state, np.uint64(1234567))
    assert [int(word) for word in state] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.floats(1e-300, 1e300))
def test_the_logarithm_agrees_with_the_c_library(x: float) -> None:
    assert natural_log(x) == pytest.approx(math.log(x), rel=1e-13, abs=1e-14)


def test_waiting_times_are_exponential() -> None:
    state = np.zeros(8, np.uint64)
    fill_state(state, np.uint64(5))
    waits = np.sort([exponential(state, 0) for _ in range(20_000)])
    distance = np.abs(1 - np.exp(-waits) - (np.arange(20_000) + 0.5) / 20_000).max()
    assert distance < 1.63 / math.sqrt(20_000)  # Kolmogorov-Smirnov, 1%
    assert all(0 <= uniform(state, 4) < 1 for _ in range(1000))
