"""Fixtures of the tests that trade over sockets."""

from __future__ import annotations

from pathlib import Path

import pytest
from order_venue import KEY, SECRET


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted venue's key and secret, where configurations refer to; locks in a folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)
