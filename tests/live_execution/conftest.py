"""Fixtures of the tests that trade over sockets."""

from __future__ import annotations

import pytest
from order_venue import KEY, SECRET


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted venue's key and secret, where configurations refer to."""
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)
