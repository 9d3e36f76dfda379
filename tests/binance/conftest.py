"""Where the recorded Binance files are."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def recorded(data: Path) -> Path:
    return data / "binance"
