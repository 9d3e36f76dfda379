"""The features that both demo models read: those of market.toml, in its order."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import Feature, InputFeature
from vtframe.builtin.features.hooks import register_features

CONFIG = Path(__file__).resolve().parent.parent / "market.toml"
SIGNS = {
    "book_imbalance": -1,
    "micro_spread": 1,
    "microprice": -1,
    "rolling_volatility": 1,
    "order_flow_imbalance": -1,
    "trade_imbalance": -1,
}
"""What becomes of a feature where bids and asks change places."""


def mirror_signs(schema: Sequence[InputFeature]) -> NDArray[np.float32]:
    """SIGNS for every column."""
    return np.array([SIGNS[feature.use] for feature in schema for _ in feature.columns], np.float32)


def configured_features(path: Path = CONFIG) -> list[Feature]:
    """The features of a configuration, as a session makes them."""
    classes = {cls.name: cls for cls in register_features()}
    tables = tomllib.loads(path.read_text("utf-8"))["features"]
    return [msgspec.convert({k: v for k, v in table.items() if k != "use"}, classes[table["use"]]) for table in tables]
