"""The simulated market beside what it was calibrated on: seeded, so that each figure is the same on every run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtframe.domain import FrameKind, Records
from vtframe.sim import SimulatedMarket, read_calibration, tables

SECONDS = 600


@pytest.fixture(scope="module", params=["busy", "calm"])
def pair(request: pytest.FixtureRequest, root: Path) -> Iterator[tuple[Any, Any]]:
    """A regime's calibration, and ten minutes of its market through the script's own eyes."""
    folder = str(root / "models" / "embedded_market")
    sys.path.insert(0, folder)
    try:
        import series

        yield read_calibration().regimes[request.param], series.simulated(request.param, seconds=SECONDS, seed=11)
    finally:
        sys.path.remove(folder)


def test_the_spread_is_one_tick_in_nearly_every_frame(pair: tuple[Any, Any]) -> None:
    _, market = pair
    assert np.mean(market.spread == 1) >= 0.99


def test_best_queues_are_as_large_as_recorded(pair: tuple[Any, Any]) -> None:
    regime, market = pair
    recorded, found = np.array(regime.queue_lots[0]), market.depth[:, 0]
    assert 0.7 < np.median(found) / np.median(recorded) < 1.4
    assert 0.7 < np.mean(found) / np.mean(recorded) < 1.4


def test_levels_behind_hold_orders_as_often_as_recorded(pair: tuple[Any, Any]) -> None:
    regime, market = pair
    for level, row in ((2, 1), (3, 2), (5, 3), (8, 4), (15, 5)):
        recorded = np.mean(np.array(regime.queue_lots[row]) > 0)
        assert abs(np.mean(market.depth[:, level - 1] > 0) - recorded) < 0.15


def test_a_full_best_queue_tells_where_the_mid_goes(pair: tuple[Any, Any]) -> None:
    _, market = pair
    times = np.arange(market.ts[0], market.ts[-1] - 1000, 50.0)
    now, later = market.at(times), market.at(times + 1000)
    mid = market.bid + market.ask
    change = np.sign(mid[later] - mid[now])
    imbalance = (market.bid_lots - market.ask_lots)[now] / (market.bid_lots + market.ask_lots)[now]
    assert np.corrcoef(imbalance, change)[0, 1] > 0.15
    strong = np.abs(imbalance) > 0.75
    moved = change != 0
    assert np.mean(np.sign(imbalance[strong & moved]) == change[strong & moved]) > 0.6


def test_prices_diffuse(pair: tuple[Any, Any]) -> None:
    """The variance of mid changes grows in proportion to time, and is that of independent measured jumps, roughly."""
    regime, market = pair
    mid = (market.bid + market.ask) / 2
    sigma = {}
    for horizon in (200, 1000, 5000):
        change = np.diff(mid[market.at(np.arange(market.ts[0], market.ts[-1], horizon))])
        sigma[horizon] = np.sqrt(np.mean(change**2) / (horizon / 1000))
    assert 0.75 < sigma[5000] / sigma[200] < 1.35
    moves = regime.emptied * regime.theta / regime.seconds
    squares = regime.theta_reinit * np.mean(np.array(regime.jump_ticks) ** 2) + 1 - regime.theta_reinit
    assert 0.75 < sigma[1000] / np.sqrt(moves * squares) < 1.35


@pytest.mark.parametrize("name", ["busy", "calm"])
def test_what_happens_is_as_frequent_as_calibrated(name: str) -> None:
    regime = read_calibration().regimes[name]
    market = SimulatedMarket(tables(read_calibration(), name), seed=3, start_price=618_000, start_ns=0)
    records = Records()
    trades = 0
    while True:
        records.clear()
        done = market.generate(records, frames=4096, until_ns=3_000_000_000_000)
        trades += int(np.sum(records.frames["kind"][: records.n_frames] == FrameKind.TRADE))
        if done:
            break
    activity = market.activity
    assert activity.moves / 3000 == pytest.approx(regime.emptied * regime.theta / regime.seconds, rel=0.1)
    assert activity.redraws / activity.moves == pytest.approx(regime.theta_reinit, rel=0.05)
    expected = 2 * np.dot(regime.market, regime.exposure_s) / np.sum(regime.exposure_s)
    assert activity.markets / 3000 == pytest.approx(expected, rel=0.15)
    assert activity.markets <= trades <= activity.markets + activity.pulls
    assert activity.refused == 0
