"""`vtframe run` on the embedded venue, both real processes: rows, predictions, faults, and the same rows once more."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from market_keeper import kept

from vtframe.api import ReceivedConnection, ReceivedDamage, ReceivedMessage
from vtframe.assemble.market import make_pipeline
from vtframe.assemble.parts import decode_features, load_registries
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.known import USDM, known_instrument
from vtframe.clock import EventClock
from vtframe.config import read_config
from vtframe.dataset.collector import Collector
from vtframe.domain import BookState, Instrument
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import RowBatch

BOTH = ("BTCUSDT", "ETHUSDT")


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    """The base URL of an embedded venue."""
    command = [sys.executable, "-m", "vtframe.cli.main", "venue", "--port", "0", "--print-url", "--speed", "3"]
    command += ["--instrument", "usdm:BTCUSDT", "--instrument", "usdm:ETHUSDT"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def configuration(root: Path, folder: Path, **feed: Any) -> Path:
    """The demo's configuration on a live feed, its market inputs kept in ``market.bin``."""
    head, _, rest = (root / "btcusdt.toml").read_text().partition("[feed]")
    rest = "[sampling]" + rest.partition("[sampling]")[2].replace("models/", f"{root}/models/")
    settings = {"use": "binance", "market": "usdm", "instruments": list(BOTH), "silence_s": 1.0, "reconnect_s": 0.05, **feed}
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    local = f'local = ["{root}/tests/live_binance/market_keeper.py"]\n'
    sink = f'\n[[sinks]]\nuse = "market_keeper"\npath = "{folder}/market.bin"\n'
    path = folder / "live.toml"
    path.write_text(head + local + f"\n[feed]\n{table}\n\n" + rest.replace("5_000", "1_000_000", 1) + sink)
    return path


def run(config: Path, url: str, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "vtframe.cli.main", "run", str(config), "--venue-url", url),
        *("--session", str(folder), "--quiet"),
    ]


def add_fault(url: str, **fault: Any) -> None:
    data = json.dumps({"market": "usdm", **fault}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/venue/faults", data, method="POST"), timeout=20) as answer:  # noqa: S310
        assert answer.status == 200


def made_again(config: Path, market: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The rows that the kept inputs make: (input, instrument, valid, state) and values."""
    instruments = [one for symbol in BOTH if (one := known_instrument(USDM, symbol)) is not None]
    codec = BinanceCodec()
    codec.open(SessionInstruments(instruments))
    batches: list[RowBatch] = []
    pipeline = _pipeline(config, codec, instruments)
    collector = Collector(pipeline, codec, batches.append)
    for block in kept(market):
        for received in block.inputs:
            if isinstance(received, ReceivedMessage):
                collector.on_message(received.data, received.ts_recv, connection=received.connection)
            elif isinstance(received, ReceivedConnection):
                collector.on_connection(received.connection, up=received.up, reason=received.reason)
            else:
                assert isinstance(received, ReceivedDamage)
                collector.on_damage(received.where, received.problem)
    collector.flush()
    meta = np.concatenate([batch.meta for batch in batches])
    return meta, np.concatenate([batch.values for batch in batches])


def _pipeline(config: Path, codec: BinanceCodec, instruments: list[Instrument]) -> Any:
    read, faults = read_config(config)
    plugins = load_registries(read, faults)
    features = [feature for feature, _ in decode_features(read, plugins.registries, faults)]
    assert not faults

    class Market:
        """What make_pipeline looks at."""

        def __init__(self) -> None:
            self.instruments = SessionInstruments(instruments)
            self.rules = [codec.sequence_rule(index) for index in range(len(instruments))]
            self.clock = EventClock()

        def checksums(self) -> tuple[()]:
            return ()

    return make_pipeline(read, features, Market())  # type: ignore[arg-type]


def test_a_session_on_the_venue_makes_rows_through_faults_and_its_inputs_make_them_again(
    root: Path, tmp_path: Path, venue: str
) -> None:
    config = configuration(root, tmp_path, duration_s=6.0)
    process = subprocess.Popen(run(config, venue, tmp_path / "session"), stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "market.bin"
    until = time.monotonic() + 40
    while not journal.exists() or journal.stat().st_size < 100_000:
        assert process.poll() is None, process.stderr
        assert time.monotonic() < until
        time.sleep(0.05)
    add_fault(venue, kind="gap", stream="btcusdt@depth*", count=2, share=0.5)
    add_fault(venue, kind="corrupt", stream="*@trade", count=1)
    add_fault(venue, kind="disconnect", count=1, path="*public*", skip=0)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    report = json.loads((tmp_path / "session" / "report.json").read_text())
    counts, feed = report["counts"], report["feed"]
    assert counts["gaps"] > 0
    assert counts["resyncs"] >= 4
    assert counts["predictions"] > 200
    assert counts["rows"] == sum(counts[name] for name in ("predictions", "conflated", "invalid", "failed"))
    assert feed["snapshots"]["synced"] == counts["resyncs"]
    assert feed["reconnects"] >= 1
    assert report["damage"]
    assert 0 < report["headroom"]["busy"] < 1
    rows = pq.read_table(tmp_path / "session" / "rows")
    meta, values = made_again(config, journal)
    assert rows.num_rows == counts["rows"] == len(meta)
    assert rows.column("input").to_numpy().tolist() == meta["input"].tolist()
    assert rows.column("valid").to_numpy(zero_copy_only=False).tolist() == (meta["valid"] == 1).tolist()
    for index, name in enumerate(report["session"]["columns"]):
        assert rows.column(name).to_numpy().tobytes() == values[:, index].tobytes(), name
    live = meta["state"] == int(BookState.LIVE)
    assert 0 < live.sum() < len(meta)
    assert not meta["valid"][~live].any()


def test_no_prediction_was_ok_on_a_book_that_was_not_live(root: Path, tmp_path: Path, venue: str) -> None:
    config = configuration(root, tmp_path, duration_s=3.0)
    add_fault(venue, kind="drop", stream="*@depth*", share=0.02, count=20)
    done = subprocess.run(run(config, venue, tmp_path / "session"), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    predictions = pq.read_table(tmp_path / "session" / "predictions" / "btcusdt_direction").to_pandas()
    rows = pq.read_table(tmp_path / "session" / "rows").to_pandas()
    joined = predictions.merge(rows, left_on=["instrument", "row"], right_on=["instrument", "number"], suffixes=("", "_row"))
    assert len(joined) == len(predictions) > 100
    ok = joined["verdict"].astype(str).str.lower() == "ok"
    assert ok.sum() > 50
    assert joined.loc[ok, "valid"].all()
    assert (~joined.loc[~joined["valid"], "verdict"].astype(str).str.lower().eq("ok")).all()
    assert json.loads((tmp_path / "session" / "report.json").read_text())["counts"]["gaps"] > 3


def test_an_interrupt_stops_a_live_session_in_order(root: Path, tmp_path: Path, venue: str) -> None:
    config = configuration(root, tmp_path)
    process = subprocess.Popen(run(config, venue, tmp_path / "session"), stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 40
    while not (tmp_path / "market.bin").exists() or (tmp_path / "market.bin").stat().st_size < 20_000:
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    report = json.loads((tmp_path / "session" / "report.json").read_text())
    assert report["session"]["orderly"]
    assert report["feed"]["losses"] == {}


def test_a_venue_that_is_not_there_is_one_message_and_exit_code_2(root: Path, tmp_path: Path) -> None:
    config = configuration(root, tmp_path)
    done = subprocess.run(
        run(config, "http://127.0.0.1:9", tmp_path / "session"), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "no instruments: http://127.0.0.1:9/fapi/v1/exchangeInfo: no answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "session").exists()
