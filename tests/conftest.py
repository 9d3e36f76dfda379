"""Fixtures that every area uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return _ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """Recorded market data: ``$VTFRAME_DATA``, else ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("VTFRAME_DATA", _ROOT.parent / "shared" / "data"))
    if not (folder / "binance").is_dir():
        pytest.skip(f"no recorded data in {folder}; set VTFRAME_DATA")
    return folder
