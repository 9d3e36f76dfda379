"""Real frames and the rows that the direct path makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from foreign_files import Frame, recorded_frames, rows_of

from vtframe.domain import BookState
from vtframe.features.pipeline import RowBatch

RECORDING = "usdm_btcusdt_20230404.dat.gz"


@pytest.fixture(scope="session")
def rows_config(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """btcusdt.toml without models and lanes."""
    text = (root / "btcusdt.toml").read_text()
    path = tmp_path_factory.mktemp("config") / "rows.toml"
    path.write_text(text[: text.index("[[models]]")])
    return path


@pytest.fixture(scope="session")
def frames(rows_config: Path, data: Path) -> list[Frame]:
    return recorded_frames(rows_config, data / "binance" / RECORDING)


@pytest.fixture(scope="session")
def direct(rows_config: Path, data: Path) -> RowBatch:
    """Rows of the direct path from the moment at which the book is live."""
    rows, _, _ = rows_of(rows_config, {"use": "recording", "paths": [str(data / "binance" / RECORDING)]})
    first = int(np.flatnonzero(rows.meta["state"] == BookState.LIVE)[0])
    return RowBatch(rows.meta[first:], rows.values[first:])
