"""Golden digests: a recorded session decides today what it decided yesterday. A change of a digest is explained in its commit.

The strategy reads one feature whose arithmetic is exact everywhere, so that no runtime's rounding moves the digest.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from vtframe.assemble.session import Wishes, assemble

DIGESTS = {
    "usdm_btcusdt_20240808.gz": "7c1b1430d5d481c23da628370a7823ae46be7913179f79cd318ddfbb1a6ea353",
    "spot_btcusdt_20240808.gz": "7563b6cc50a0ae50a237b70a5b6858ead69c98fb2cfb6f12f225c62a0cd69f3d",
    "cm_btcusd_perp_20240808.gz": "a15a921db0e8c34c9e48f18af81880fb9c72bf216340405196166527f329f62d",
}


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    text = (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/")
    text = text.replace('plugins = ["onnx"]', f'plugins = ["onnx"]\nlocal = ["{root}/strategies/imbalance_follower.py"]')
    head, _, rest = text.partition("strategy = {")
    path = tmp_path / "golden.toml"
    path.write_text(head + 'strategy = { use = "imbalance_follower", enter = 0.9 }' + rest[rest.index("}") + 1 :])
    return path


@pytest.mark.parametrize("name", DIGESTS)
def test_a_recorded_session_decides_as_it_always_did(name: str, config: Path, data: Path, tmp_path: Path) -> None:
    wishes = Wishes(recordings=(data / "binance" / name,), folder=tmp_path / "session", deterministic=True)
    report = assemble(config, wishes).session.run().report
    assert report["counts"]["fills"] > 50
    assert report["hashes"]["decisions"] == DIGESTS[name]
