"""Whole sessions as processes of their own, against a scripted venue in a thread of the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

from order_venue import ScriptedVenue

from vtframe.journal import JournalReader

PATIENCE_S = 90.0
EXECUTION = (
    'execution = {{ use = "binance", market = "{market}", url = "{url}", '
    'key = "env:VENUE_KEY", secret = "env:VENUE_SECRET"{more} }}'
)


@contextlib.contextmanager
def serving(venue: ScriptedVenue) -> Iterator[ScriptedVenue]:
    """The venue, served by a thread. What a test reads of it may be a moment old."""
    venue.price = Decimal(61_800)
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with venue:
            ready.set_result((asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="venue", daemon=True)
    thread.start()
    loop, over = ready.result(PATIENCE_S)
    try:
        yield venue
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE_S)


def configure(
    root: Path,
    folder: Path,
    url: str,
    *,
    market: str = "usdm",
    duration_s: float = 30,
    speed: float = 5,
    more: str = "",
) -> Path:
    """The repository's own configuration, on a market that is now, trading at ``url``."""
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    text = text.replace('plugins = ["onnx"]', f'plugins = ["onnx"]\nlocal = ["{Path(__file__).parent}/live_market.py"]')
    feed = f'[feed]\nuse = "live_market"\nvenue = "binance_{market}"\nseed = 7\nduration_s = {duration_s}\nspeed = {speed}\n\n'
    text = re.sub(r"\[feed\].*?(?=\[sampling\])", feed, text, flags=re.DOTALL)
    text = re.sub(r"execution = \{.*?\}", EXECUTION.format(market=market, url=url, more=more), text)
    text = text.replace("max_age_ms = 250", "max_age_ms = 60000").replace("min_edge_bps = 0.34", "min_edge_bps = 0")
    text = text.replace("deadline_us = 5_000", "deadline_us = 30_000_000\nstale_ms = 60_000")
    path = folder / "vtframe.toml"
    path.write_text(text)
    return path


def start(config: Path, session: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vtframe.cli.main", "run", str(config), "--session", str(session), "--json", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def report_in(out: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(out)
    return report


def wait_for(condition: Any, process: subprocess.Popen[str]) -> None:
    """Until it holds; a session that ends before fails the test."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, f"it ended before: {process.communicate()}"
        assert time.monotonic() < give_up, "it did not come"
        time.sleep(0.01)


def records(session: Path) -> list[Any]:
    return list(JournalReader(session / "journal"))
