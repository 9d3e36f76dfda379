"""The table of the adjusted microprice: a chain whose answer is known, and recorded books."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from library_cases import recording, table

from vtframe.assemble.check import examine
from vtframe.builtin.features import fit_adjusted_microprice


def chain(seed: int, *, flip: float, move: float, up: float) -> float:
    """G* fitted to books at a spread of one tick that are bid-heavy or ask-heavy and change sides with probability ``flip`` a
    step; the mid moves with probability ``move``, and up with ``up`` after a bid-heavy book, down with it after the other."""
    rng = np.random.default_rng(seed)
    steps = 400_000
    heavy = np.cumsum(rng.random(steps) < flip) % 2 == 0
    moves = (rng.random(steps) < move) * np.where(rng.random(steps) < np.where(heavy, up, 1 - up), 1, -1)
    bid = 1000 + np.concatenate([[0], np.cumsum(moves)[:-1]])
    fitted = fit_adjusted_microprice(bid, bid + 1, np.where(heavy, 3, 1), np.where(heavy, 1, 3), shares=2, spreads=1)
    assert fitted[0][0] == -fitted[0][1]
    return fitted[0][1]


@pytest.mark.parametrize("flip", [0.5, 0.2, 0.8])
def test_the_fit_finds_the_sum_of_all_moves_to_come(flip: float) -> None:
    """A step is worth ``move (2 up - 1)``, and ``1 - 2 flip`` of it is left after each: the sum of a geometric series. With
    flip = 0.5 the next book says nothing, with 0.2 the series has many terms, with 0.8 it alternates."""
    assert chain(3, flip=flip, move=0.3, up=0.7) == pytest.approx(0.3 * 0.4 / (2 * flip), abs=0.01)


def test_recorded_books_give_an_odd_table_that_grows_with_imbalance(data: Path) -> None:
    recorded = recording(data / "binance" / "usdm_btcusdt_20240808.gz", 22_000)
    t = table(recorded)
    fitted = np.array(
        fit_adjusted_microprice(t.bp[:, 0], t.ap[:, 0], t.bq[:, 0], t.aq[:, 0], tick_size=t.tick, shares=4, spreads=1)
    )
    assert fitted.shape == (1, 4)
    np.testing.assert_array_equal(fitted, -fitted[:, ::-1])
    assert fitted[0, 3] > 0.5 * fitted[0, 2] > 0


def test_books_that_do_not_follow_each_other_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="no two successive books with both sides and a spread of 1 to 2 ticks among 3"):
        fit_adjusted_microprice([1, 1, 1], [2, 9, 2], [1, 1, 1], [1, 1, 1])


def fit(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(root / "models" / "fit_microprice.py"), *arguments]
    return subprocess.run(script, capture_output=True, text=True, check=False)


def test_the_script_prints_a_table_that_a_configuration_takes(root: Path, data: Path, tmp_path: Path) -> None:
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        (tmp_path / "part.gz").write_bytes(gzip.compress(b"".join(itertools.islice(file, 22_000))))
    done = fit(root, str(tmp_path / "part.gz"), "--spreads", "1", "--shares", "4")
    assert done.returncode == 0, done.stderr
    (feature,) = tomllib.loads(done.stdout)["features"]
    recorded = recording(tmp_path / "part.gz", 22_000)
    t = table(recorded)
    ours = fit_adjusted_microprice(t.bp[:, 0], t.ap[:, 0], t.bq[:, 0], t.aq[:, 0], tick_size=t.tick, shares=4, spreads=1)
    np.testing.assert_allclose(feature["table"], ours, atol=1e-6)
    (tmp_path / "session.toml").write_text(f'[feed]\nuse = "recording"\npaths = ["part.gz"]\n{done.stdout}')
    examined = examine(tmp_path / "session.toml")
    assert [one.feature.name for one, _ in examined.features] == ["adjusted_microprice"]


def test_the_script_says_what_is_wrong_with_its_files(root: Path, tmp_path: Path) -> None:
    missing = fit(root, str(tmp_path / "none.gz"))
    assert missing.returncode != 0
    assert "none.gz" in missing.stderr
    assert "Traceback" not in missing.stderr
