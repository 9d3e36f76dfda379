"""One venue for each test file that asks for none of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from venue_process import VenueProcess, running_venue


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    """Spot and USD-M BTCUSDT, ETHUSDT and COIN-M BTCUSD_PERP in real time."""
    with running_venue() as process:
        yield process


@pytest.fixture(scope="module")
def still() -> Iterator[VenueProcess]:
    """The same with a virtual clock: nothing moves by itself."""
    with running_venue("--clock", "virtual") as process:
        yield process
