"""Servers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_server import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A durable server."""
    folder = tmp_path / "redis"
    folder.mkdir()
    started = RedisServer(folder).start()
    yield started
    started.kill()


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that is empty after a restart."""
    folder = tmp_path / "forgetful"
    folder.mkdir()
    started = RedisServer(folder, durable=False).start()
    yield started
    started.kill()
