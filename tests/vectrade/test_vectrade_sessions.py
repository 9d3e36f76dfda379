"""Whole sessions on the mock: as processes, with mishaps, and with planted keys that are nowhere to be found afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from left_behind import contents

KEY = "vq_test_planted0123456789abcdef"
WAIT_S = 60.0

FEED = """\
[feed]
use = "{use}"
url = "{url}"
key = "{key}"
symbols = ["BTC-USD", "AAPL"]
upkeep = {{ silence_s = 0.6, first_wait_s = 0.05, longest_wait_s = 0.2 }}

[sampling]
"""
MOCK = ("vectrade", "mock", "--symbol", "BTC-USD", "--symbol", "AAPL")


def configure(root: Path, folder: Path, **feed: str) -> None:
    """The repository's session with another feed."""
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    text = text.replace('plugins = ["onnx"]', 'plugins = ["onnx", "vectrade"]')
    feed = {"key": "env:PLANTED_KEY", **feed}
    text = re.sub(r"\[feed\]\n.*?\[sampling\]\n", lambda _: FEED.format(**feed), text, flags=re.DOTALL)
    (folder / "vtframe.toml").write_text(text)


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """vtframe, with the planted key in its environment."""
    command = [sys.executable, "-W", "error", "-m", "vtframe.cli.main", *arguments]
    environment = {**os.environ, "PLANTED_KEY": KEY}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def served(mock: subprocess.Popen[str]) -> dict[str, Any]:
    assert mock.stdout is not None
    found: dict[str, Any] = json.loads(mock.stdout.readline())
    return found


def run(folder: Path, *, done: Callable[[Path], bool]) -> dict[str, Any]:
    """A session that is stopped in order once ``done`` says so of its folder; its report."""
    with process(folder, "run", "--session", "session", "--json") as session:
        until(lambda: session.poll() is not None or done(folder / "session"))
        session.send_signal(signal.SIGINT)
        out, err = session.communicate(timeout=WAIT_S)
    assert session.returncode == 130, out + err
    assert KEY not in out + err
    report: dict[str, Any] = json.loads((folder / "session" / "report.json").read_text())
    return report


def journal_bytes(session: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((session / "journal").glob("*"))) if session.is_dir() else b""


@pytest.fixture
def plugin_named(tmp_path: Path) -> Path:
    """A folder whose vtframe.toml names the plugin, so that its command is there."""
    (tmp_path / "vtframe.toml").write_text('[vtframe]\nplugins = ["vectrade"]\n')
    return tmp_path


def test_a_session_on_the_mock_survives_gaps_cuts_and_broken_messages_and_counts_each(plugin_named: Path, root: Path) -> None:
    mishaps = ("--rate", "400", "--lose-every", "150", "--babble-every", "170", "--cut-every", "400")
    with process(plugin_named, *MOCK, *mishaps, "--key", "env:PLANTED_KEY") as mock:
        configure(root, plugin_named, use="vectrade_stream", url=served(mock)["stream"])

        def done(session: Path) -> bool:
            return journal_bytes(session).count(b"connection 0 down") >= 3

        report = run(plugin_named, done=done)
        mock.send_signal(signal.SIGTERM)
        assert mock.wait(WAIT_S) == 0
    counts = report["counts"]
    assert counts["gaps"] >= 6, "lost messages, and lost connections, of two books"
    assert counts["resyncs"] >= counts["gaps"] - 2, "but for what was open at the end each was rebuilt"
    assert sum(report["damage"].values()) >= 2
    assert counts["rows"] > 500
    with process(plugin_named, "parity", "session", "--json") as parity:
        out, err = parity.communicate(timeout=WAIT_S)
    assert parity.returncode == 0, out + err
    certificate = json.loads(out)
    assert certificate["identical"] == certificate["rows"] == counts["rows"], "played again, losses and all"
    held = b"".join(contents(plugin_named / "session").values())
    assert len(held) > 10_000
    assert b'"channel"' in held, "messages, which the recording packs"
    assert KEY.encode() not in held
    assert b"PLANTED_KEY" in (plugin_named / "vtframe.toml").read_bytes(), "the reference is what is kept"


def test_a_silent_socket_is_told_and_connected_anew(plugin_named: Path, root: Path) -> None:
    arguments = ("--rate", "200", "--silent-after", "100", "--key", "env:PLANTED_KEY")
    with process(plugin_named, *MOCK, *arguments) as mock:
        configure(root, plugin_named, use="vectrade_quotes", url=served(mock)["quotes"])

        def done(session: Path) -> bool:
            return journal_bytes(session).count(b"silent for 0.6 s") >= 2

        report = run(plugin_named, done=done)
    assert report["counts"]["rows"] == 0, "quotes make no rows"
    assert report["counts"]["frames"] >= 6, "a quote of both symbols on each of three connections"


def test_a_key_that_is_refused_ends_the_run_with_a_word_and_without_the_key(plugin_named: Path, root: Path) -> None:
    with process(plugin_named, *MOCK) as mock:
        configure(root, plugin_named, use="vectrade_stream", url=served(mock)["stream"])
        with process(plugin_named, "run", "--session", "session") as session:
            out, err = session.communicate(timeout=WAIT_S)
        mock.send_signal(signal.SIGTERM)
        assert mock.wait(WAIT_S) == 0
    assert session.returncode == 2
    assert "the key is not accepted (HTTP 401)" in err
    assert "Traceback" not in err
    held = b"".join(contents(plugin_named / "session").values())
    assert KEY not in out + err
    assert KEY.encode() not in held


def test_the_mock_ends_after_its_messages_and_tells_a_port_that_is_taken(plugin_named: Path) -> None:
    with process(plugin_named, "vectrade", "mock", "--messages", "30", "--rate", "1000") as mock:
        urls = served(mock)
        assert mock.wait(WAIT_S) == 0
    assert urls["stream"].endswith("/stream")
    assert urls["quotes"].endswith("/ws/v1/quotes")
    with process(plugin_named, "vectrade", "mock") as first:
        port = served(first)["stream"].split(":")[2].split("/")[0]
        with process(plugin_named, "vectrade", "mock", "--port", port) as second:
            _, err = second.communicate(timeout=WAIT_S)
        first.send_signal(signal.SIGINT)
        assert first.wait(WAIT_S) == 0
    assert second.returncode == 2
    assert "cannot listen" in err


def test_check_tells_a_key_in_the_configuration_without_showing_it(plugin_named: Path, root: Path) -> None:
    configure(root, plugin_named, use="vectrade_quotes", url="wss://ws.vectrade.io/x", key=KEY)
    with process(plugin_named, "check") as check:
        out, err = check.communicate(timeout=WAIT_S)
    assert check.returncode == 2
    assert "[feed] key: is no reference to a key" in out + err
    assert KEY not in out + err
