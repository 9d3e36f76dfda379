"""A session's own venue: a process beside it that speaks the exchange's protocols, started and stopped with it."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from vtframe.assemble.feed_table import AT_VENUES
from vtframe.config import read_document
from vtframe.errors import SessionError

EMBEDDED: Final = "embedded"
"""What ``url`` is in [feed], and in a lane's execution, where the session brings its venue."""
_READY_S: Final = 120.0  # a first start compiles the market
_STOP_S: Final = 5.0


def wants_own_venue(data: Mapping[str, Any], *, trades: bool = True) -> bool:
    """Whether the configuration ``data`` has a feed at the embedded venue, or a lane where it ``trades``."""
    lanes = data.get("lanes") if trades else None
    executions = [lane.get("execution") for lane in lanes if isinstance(lane, dict)] if isinstance(lanes, list) else []
    return any(_is_embedded(table) for table in (data.get("feed"), *executions))


@contextmanager
def venue_for(config: Path, url: str | None, announce: Callable[[str], None], *, trades: bool = True) -> Iterator[str | None]:
    """``url``, or that of a venue that runs for as long as this is entered, where the file at ``config`` asks for one and none
    is named. ``trades``: its lanes are looked at, too."""
    data = read_document(config).data
    if url is not None or not wants_own_venue(data, trades=trades):
        yield url
        return
    announce("starting the embedded venue")
    with own_venue(data) as own:
        yield own


@contextmanager
def own_venue(data: Mapping[str, Any]) -> Iterator[str]:
    """The base URL of a venue that lists what the configuration's feed names. Raises SessionError where it does not start."""
    feed = data.get("feed")
    feed = feed if isinstance(feed, dict) and _is_embedded(feed) else {}
    settings: dict[str, Any] = {"port": 0, "parent": os.getpid()}
    names = feed.get("instruments")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        settings["instruments"] = [f"{feed.get('market', 'spot')}:{name}" for name in names]
    if isinstance(feed.get("seed"), int):
        settings["seed"] = feed["seed"]
    command = [sys.executable, "-m", "vtframe.venue", msgspec.json.encode(settings).decode()]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
        try:
            yield _url(process, said)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _is_embedded(table: Any) -> bool:
    return isinstance(table, dict) and table.get("use") in AT_VENUES and table.get("url") == EMBEDDED


def _url(process: subprocess.Popen[bytes], said: Any) -> str:
    """What its first line says."""
    line = b""
    if process.stdout is not None:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            limit = time.monotonic() + _READY_S
            while not line and process.poll() is None and time.monotonic() < limit:
                if selector.select(0.1):
                    line = process.stdout.readline()
                    break
    if line:
        url: str = msgspec.json.decode(line)["url"]
        return url
    process.kill()
    process.wait()
    said.seek(0)
    words = said.read().decode(errors="replace").strip() or f"it was not ready within {_READY_S:.0f} s"
    raise SessionError("the embedded venue", f"did not start: {words.removeprefix('vtframe venue: ')}")
