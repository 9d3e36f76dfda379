"""A session whose event loop is blocked for a while: what waited in its sockets is as old as it is, and nobody trades on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pandas as pd
import pyarrow.parquet as pq
import pytest
from market_keeper import kept

from vtframe.api import ReceivedMessage
from vtframe.journal import JournalReader
from vtframe.journal.records import IntentFormed

MS = 1_000_000
STALE_MS = 150
MODEL = "btcusdt_direction"
LANE = """strategy = {{ use = "blocking", path = "{path}", within = "{within}" }}
when_late = "hold"
execution = {{ use = "paper" }}
capital = 1_000_000
"""


class Told(NamedTuple):
    """What a session left behind. ``began`` and ``ended``: of the block, ns UTC."""

    began: int
    ended: int
    predictions: pd.DataFrame
    intents: set[int]  # the inputs that led to one
    messages: dict[int, tuple[int, dict[str, Any]]]  # by input: ts_recv, and what came


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    """The base URL of an embedded venue, by the machine's clock."""
    command = [sys.executable, "-m", "vtframe.cli.main", "venue", "--port", "0", "--print-url"]
    command += ["--instrument", "usdm:BTCUSDT", "--instrument", "spot:BTCUSDT"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def blocked(root: Path, home: Path, url: str, *, within: str = "timer", rule: str = "frame", feed: str) -> Told:
    """A session of five seconds, blocked in the middle."""
    source, bundle = root / "models" / MODEL, home / "models" / MODEL
    bundle.mkdir(parents=True)
    (bundle / "model.onnx").write_bytes((source / "model.onnx").read_bytes())
    stated = re.sub(r"window = (100|50|20)\b", "window = 5", (source / "bundle.toml").read_text())
    (bundle / "bundle.toml").write_text(stated.replace('sampling = "frame"', f'sampling = "{rule}"'))
    here, text = Path(__file__).parent, (root / "btcusdt.toml").read_text()
    local = f'local = ["{here}/market_keeper.py", "{here}/blocking.py"]\n'
    text = text.replace('plugins = ["onnx"]', f'{local}plugins = ["onnx"]')
    text = re.sub(r"\[feed\].*?(?=\[sampling\])", f'[feed]\nuse = "binance"\nduration_s = 5\n{feed}\n\n', text, flags=re.DOTALL)
    if rule != "frame":
        text = text.replace('every = "frame"', 'every = "clock"\ninterval_ms = 100')
    for name in ("rolling_volatility", "order_flow_imbalance", "trade_imbalance"):  # warm soon
        text = text.replace(f'use = "{name}"', f'use = "{name}"\nwindow = 5')
    text = text.replace("deadline_us = 5_000", f"deadline_us = 30_000_000\nstale_ms = {STALE_MS}")
    lane = LANE.format(path=home / "block.json", within=within)
    text = re.sub(r"strategy = .*?(?=\[\[risk\]\])", lane + "\n", text, count=1, flags=re.DOTALL).partition("[[risk]]")[0]
    text += '[[risk]]\nuse = "max_position"\nnotional = 100_000_000\n'
    text += f'\n[[sinks]]\nuse = "market_keeper"\npath = "{home}/market.bin"\n'
    config, session = home / "live.toml", home / "session"
    config.write_text(text)
    command = [sys.executable, "-m", "vtframe.cli.main", "run", str(config), "--venue-url", url, "--session", str(session)]
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    began, ended = json.loads((home / "block.json").read_text())
    intents = {record.input for record in JournalReader(session / "journal") if isinstance(record, IntentFormed)}
    messages = {
        number: (one.ts_recv, msgspec.json.decode(one.data))
        for block in kept(home / "market.bin")
        for number, one in enumerate(block.inputs, block.first)
        if isinstance(one, ReceivedMessage)
    }
    predictions = pq.read_table(session / "predictions" / MODEL).to_pandas()
    return Told(began, ended, predictions[~predictions["verdict"].isin(["invalid", "conflated"])], intents, messages)


def check_those_that_waited(told: Told, waited: pd.Series, found: pd.DataFrame) -> None:
    """They are as old as what was read says, stale where that is over the limit, and nobody trades on them."""
    assert (found["age_ns"] >= waited - 15 * MS).all(), (found["age_ns"] - waited).min()
    old = found[waited > (STALE_MS + 20) * MS]
    assert len(old) > 0
    assert set(old["verdict"]) == {"stale"}
    assert not told.intents & set(old["input"])


def check_the_others(told: Told, at_least: int) -> None:
    """Before the block, and well after it, predictions are fresh, and are traded."""
    before = told.predictions[told.predictions["ts_done"] < told.began]
    after = told.predictions[told.predictions["ts_recv"] > told.ended + 100 * MS]
    for found in (before, after):
        assert len(found) >= at_least
        assert (found["verdict"] == "ok").mean() > 0.8  # a machine with other work stops us now and then
        assert told.intents & set(found["input"])


@pytest.mark.parametrize("within", ["timer", "message"])
@pytest.mark.parametrize("market", ["usdm", "spot"])
def test_a_frame_that_waited_makes_a_stale_prediction_and_no_order(
    root: Path, tmp_path: Path, venue: str, market: str, within: str
) -> None:
    feed = f'market = "{market}"\ninstruments = ["BTCUSDT"]'
    told = blocked(root, tmp_path, venue, within=within, feed=feed)
    assert told.ended - told.began > 250 * MS
    found = told.predictions
    found = found[(found["ts_event"] >= told.began) & (found["ts_event"] < told.ended) & (found["ts_recv"] >= told.ended)]
    assert len(found) >= (2 if market == "spot" else 10)
    check_those_that_waited(told, told.ended - found["ts_event"], found)
    check_the_others(told, 10)


@pytest.mark.parametrize("within", ["timer", "message"])
def test_a_row_that_a_message_without_a_time_made_is_as_old_as_that_can_be(
    root: Path, tmp_path: Path, venue: str, within: str
) -> None:
    """Spot's bookTicker has an id and no time; the diff that ends at that id or later was made later."""
    feed = 'market = "spot"\ninstruments = ["BTCUSDT"]\nstreams = ["depth", "bookTicker"]\ndepth_ms = 100'
    told = blocked(root, tmp_path, venue, within=within, rule="clock 100 ms", feed=feed)
    found = told.predictions[told.predictions["ts_recv"] == told.ended // (100 * MS) * 100 * MS]  # the boundary in the block
    assert len(found) == 1
    received, message = told.messages[int(found["input"].iloc[0])]
    assert "bookTicker" in message["stream"]
    assert "E" not in message["data"]
    assert received >= told.ended
    diffs = [body["data"] for _, body in told.messages.values() if body.get("stream", "").endswith("@depth@100ms")]
    made = min(one["E"] * MS for one in diffs if one["u"] >= message["data"]["u"])  # or before
    assert received - made > 150 * MS
    check_those_that_waited(told, received - made + 0 * found["ts_recv"], found)
    check_the_others(told, 5)
