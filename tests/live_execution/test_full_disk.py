"""A disk that is full takes neither recording nor journal: the session ends, and the venue has no order that is not there."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from embedded import KEY, SECRET, Embedded, embedded_venue

from vtframe.journal import JournalReader
from vtframe.journal.records import OrderApproved

FEED = """[feed]
use = "binance"
market = "usdm"
instruments = ["BTCUSDT"]
url = "embedded"
seed = 7
duration_s = 90

"""
EXECUTION = 'execution = { use = "binance", market = "usdm", url = "embedded" }'
INJECTED = """
import errno, os, runpy, sys
full, folder = sys.argv[1:3]
write = os.write
def refuse(fd, data):
    if os.path.exists(full) and os.readlink(f"/proc/self/fd/{fd}").startswith(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return write(fd, data)
os.write = refuse
sys.argv = sys.argv[2:]
runpy.run_module("vtframe.cli.main", run_name="__main__")
"""
PATIENCE_S = 60.0
DISK_MIB = 24
ORDERS = 3  # before it is full


class Disk:
    """A folder for a session, and a way to make its disk full."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder = folder
        self.mounted = mounted
        self._full = folder.parent / "full"

    @property
    def command(self) -> list[str]:
        """What starts ``vtframe``."""
        if self.mounted:
            return [sys.executable, "-m", "vtframe.cli.main"]
        return [sys.executable, "-c", INJECTED, str(self._full), str(self.folder)]

    def fill(self) -> None:
        if not self.mounted:
            self._full.touch()
            return
        with contextlib.suppress(OSError), (self.folder / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def empty(self) -> None:
        """So that what is there can be read and unmounted."""
        (self.folder / "filler").unlink(missing_ok=True)


@pytest.fixture(params=["disk", "injected"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A small disk of its own where this user may mount one, else the operating system's answer in its place."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    mounted = request.param == "disk" and sys.platform == "linux" and os.geteuid() == 0
    mounted = mounted and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    yield Disk(folder, mounted=mounted)
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def venue() -> Iterator[Embedded]:
    """One for each session: a session that dies leaves its position, and the next one's exits are not to meet it."""
    with embedded_venue() as running:
        yield running


@pytest.fixture(autouse=True)
def embedded_keys(planted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)


def configure(root: Path, folder: Path, choice: str) -> Path:
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    text = re.sub(r"\[feed\].*?(?=\[sampling\])", FEED, text, flags=re.DOTALL)
    text = re.sub(r"execution = \{.*?\}", EXECUTION, text).replace("enter = 0.5", "enter = 0.36").replace("0.34 }", "0 }")
    text = text.replace("min_edge_bps = 0.34", "min_edge_bps = -100").replace("max_age_ms = 250", "max_age_ms = 60_000")
    text = text.replace("deadline_us = 5_000", "deadline_us = 30_000_000\nstale_ms = 60_000")
    path = folder / "vtframe.toml"
    path.write_text(f'{text}\n[recorder]\non_disk_full = "{choice}"\n')
    return path


def accepted(venue: Embedded) -> int:
    """How many orders the venue has taken; it weighs nothing to ask."""
    return int(venue.ask("/venue/counters")["orders"]["usdm"])


def orders_at(venue: Embedded) -> set[str]:
    return {one["clientOrderId"] for one in venue.ask("/fapi/v1/allOrders", signed=True, symbol="BTCUSDT", limit=1000)}


def play(disk: Disk, config: Path, venue: Embedded, until: Callable[[], bool]) -> tuple[int, str, set[str]]:
    """Fill the disk under a session once it has come so far: exit code, what it said, and the orders that it journalled."""
    session = disk.folder / "session"
    command = [*disk.command, "run", str(config), "--session", str(session), "--venue-url", venue.url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not until():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        disk.fill()
        _, said = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.communicate()
    disk.empty()
    approved = {one.order.client_order_id for one in JournalReader(session / "journal") if isinstance(one, OrderApproved)}
    return process.returncode, said, approved


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["stop_recording", "stop_trading"])
def test_no_order_is_sent_that_a_full_disk_kept_out_of_the_journal(
    root: Path, tmp_path: Path, venue: Embedded, disk: Disk, choice: str
) -> None:
    config = configure(root, tmp_path, choice)
    code, said, approved = play(disk, config, venue, lambda: accepted(venue) >= ORDERS)
    theirs = orders_at(venue)
    assert code == 1  # whatever is declared for the recording: the journal has no choice
    assert len(theirs) >= ORDERS
    assert theirs <= approved
    assert venue.open_orders("usdm") == []
    assert "cannot be written: No space left on device; free the disk; no order is sent that is not in the journal" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_an_order_that_rests_is_canceled_though_the_disk_takes_no_word_of_it(
    root: Path, tmp_path: Path, venue: Embedded, disk: Disk
) -> None:
    config = configure(root, tmp_path, "stop_recording")
    text = re.sub(r"strategy = \{.*?\}", 'strategy = { use = "resting" }', config.read_text())
    local = f'plugins = ["onnx"]\nlocal = ["{Path(__file__).parent}/resting.py"]'
    config.write_text(text.replace('plugins = ["onnx"]', local))
    code, said, approved = play(disk, config, venue, lambda: accepted(venue) > 0)
    assert code == 1, said
    assert len(approved) == 1
    (mine,) = [
        one for one in venue.ask("/fapi/v1/allOrders", signed=True, symbol="BTCUSDT") if one["clientOrderId"] in approved
    ]
    assert (mine["status"], mine["executedQty"]) == ("CANCELED", "0.000")
