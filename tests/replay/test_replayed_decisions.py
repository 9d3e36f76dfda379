"""A live session with disconnects, damage, late predictions, drift, a swap and timed exits decides again as it did."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from vtframe.assemble.decisions import DecisionCertificate, DecisionRun
from vtframe.assemble.parity import ParityRun
from vtframe.assemble.recorder import recording_files
from vtframe.assemble.session import Wishes, assemble
from vtframe.engine.commands import Command, Promote, Swap
from vtframe.engine.session import Session
from vtframe.errors import SessionError
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import read_description
from vtframe.journal.reader import JournalReader
from vtframe.journal.records import (
    AnswersArrived,
    CancelSent,
    DriftJudged,
    InputArrived,
    IntentFormed,
    LanesExchanged,
    ModelChanged,
    OrderApproved,
    OrderReported,
)

LANES = """
[[models]]
bundle = "models/here"
where = "inline"
deadline_us = 1_500
backend = { slow_ms = 3 }

[[models]]
bundle = "models/away"
where = "process"
workers = 2
overload = "latest"
deadline_us = 2_500
backend = { slow_ms = 6 }

[[lanes]]
id = "near"
model = "here"
strategy = { use = "probability", enter = 0.42, exit = 0.3, min_edge_bps = -9, assume_fees_bps = 0, order = "make" }
when_late = "cancel"
execution = { use = "paper", latency_us = 3_000 }

[[lanes]]
id = "far"
model = "away"
strategy = { use = "probability", enter = 0.42, exit = 0.3, min_edge_bps = -9, assume_fees_bps = 0 }
when_late = "flatten"
execution = { use = "paper", latency_us = 3_000 }

[[lanes]]
id = "beside"
model = "away"
shadow = true
strategy = { use = "imbalance_follower" }

[[drift]]
model = "here"
window = 100
every = 20
warn = 0.001
shrink = 0.002

"""


def make_home(root: Path, data: Path, home: Path) -> Path:
    here = Path(__file__).parent
    shutil.copy(here / "unsteady_feed.py", home / "unsteady_feed.py")
    shutil.copy(root / "strategies" / "imbalance_follower.py", home / "imbalance_follower.py")
    described = read_description(root / "models" / "btcusdt_direction" / "bundle.toml")
    for name in ("here", "away", "other"):
        scale = 1.1 if name == "other" else 1.0
        moves = tuple(move * scale for move in described.output.expected_move_bps)
        output = msgspec.structs.replace(described.output, expected_move_bps=moves)
        changed = {"name": name, "backend": "moody", "file": "model.txt", "files": {}, "output": output}
        bundle = msgspec.structs.replace(described, **changed)
        write_bundle(home / "models" / name, bundle, {"model.txt": b"whole"})
    text = (root / "btcusdt.toml").read_text()
    text = text.replace(
        'plugins = ["onnx"]                          # what is not named is not imported',
        'local = ["unsteady_feed.py", "imbalance_follower.py"]',
    )
    head, _, rest = text.partition("[[models]]")
    recording = data / "binance" / "usdm_btcusdt_20240808.gz"
    head = (
        head[: head.index("[feed]")] + f'[feed]\nuse = "unsteady"\npath = "{recording}"\n\n' + head[head.index("[sampling]") :]
    )
    text = head + LANES + rest[rest.index("[[risk]]") :]
    (home / "live.toml").write_text(text)
    return home


@pytest.fixture(scope="module")
def home(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that ran: with two models, three lanes, a rule on drift, and a swap while it ran."""
    home = make_home(root, data, tmp_path_factory.mktemp("replay"))
    session = assemble(home / "live.toml", Wishes(folder=home / "session")).session
    ordered = in_a_thread(
        session, Swap(model="here", bundle=str(home / "models" / "other")), Promote(shadow="beside", lane="near")
    )
    session.run()
    ordered.join()
    return home


def in_a_thread(session: Session, *orders: Command) -> threading.Thread:
    """They are carried out one after the other, from the third part of the session on."""

    def give() -> None:
        wait_for(lambda: session.engine.number > 2_000)
        for order in orders:
            session.lifecycle.ask(order).result(timeout=60)

    thread = threading.Thread(target=give)
    thread.start()
    return thread


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


@pytest.fixture(scope="module")
def certificate(home: Path) -> DecisionCertificate:
    return DecisionRun(home / "session").run()


def journal(folder: Path) -> list[Any]:
    return list(JournalReader(folder / "journal"))


def test_the_session_had_in_it_what_time_decides(home: Path) -> None:
    records = journal(home / "session")
    report = json.loads((home / "session" / "report.json").read_text())
    counts = report["counts"]
    assert counts["late"] > 20
    assert counts["conflated"] > 0
    assert sum(isinstance(one, InputArrived) and "down cut by" in one.text for one in records) == 12
    assert report["damage"]
    assert counts["gaps"] >= 1
    kinds = {type(one) for one in records}
    assert {
        AnswersArrived,
        DriftJudged,
        ModelChanged,
        LanesExchanged,
        IntentFormed,
        OrderApproved,
        OrderReported,
        CancelSent,
    } <= kinds
    assert counts["fills"] > 10
    causes = {one.cause for one in records if isinstance(one, IntentFormed)}
    assert "horizon" in causes
    assert report["recorder"]["lost"] == 0
    assert report["recorder"]["inputs"] == report["recorder"]["recorded"]


def test_every_decision_is_made_again(home: Path, certificate: DecisionCertificate) -> None:
    assert certificate.first_difference is None
    assert certificate.problems == ()
    assert certificate.passed
    assert certificate.decisions == certificate.compared == certificate.identical > 100
    report = json.loads((home / "session" / "report.json").read_text())
    assert certificate.hash == certificate.hash_here == report["hashes"]["decisions"]


def test_its_rows_and_predictions_are_made_again_from_its_recording(home: Path) -> None:
    found = ParityRun(home / "session", predictions=True).run()
    assert found.problems == ()
    assert found.passed
    assert set(found.models) == {"here", "away"}


def test_the_command_says_so_and_names_the_first_difference_where_there_is_one(home: Path, tmp_path: Path) -> None:
    done = command("parity", home / "session", "--decisions", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["decisions"]["passed"]
    session = Path(shutil.copytree(home / "session", tmp_path / "session"))
    config = session / "config.toml"
    config.write_text(config.read_text().replace("enter = 0.42", "enter = 0.47"))
    done = command("parity", session, "--decisions")
    assert done.returncode == 1
    assert "decisions are not the same" in done.stdout
    assert "first difference: decision" in done.stderr


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vtframe.cli.main", *map(str, words), "--quiet"], capture_output=True, text=True, check=False
    )


def test_lateness_is_what_was_logged_and_never_computed_again(home: Path, tmp_path: Path) -> None:
    """A prediction that was traded is said to have been late: the decision that it caused is missing."""
    session = Path(shutil.copytree(home / "session", tmp_path / "session"))
    traded = [one.prediction for one in journal(session) if isinstance(one, IntentFormed) and one.prediction is not None]
    prediction = next(one for one in traded if one.model == "here")
    segment = next((session / "predictions" / "here").glob("*.parquet"))
    table = pq.read_table(segment)
    rows = table.column("row").to_pylist()
    verdicts = [
        "late" if row == prediction.row else verdict
        for row, verdict in zip(rows, table.column("verdict").to_pylist(), strict=True)
    ]
    field = table.schema.field("verdict")
    column = pa.array(verdicts, pa.string()).dictionary_encode().cast(field.type)
    pq.write_table(table.set_column(table.schema.get_field_index("verdict"), field, column), segment)
    found = DecisionRun(session).run()
    assert not found.passed
    assert found.first_difference is not None
    assert found.hash != found.hash_here


def test_a_missing_input_is_found(home: Path, tmp_path: Path) -> None:
    """A recording with a hole cannot give the same numbers."""
    session = Path(shutil.copytree(home / "session", tmp_path / "session"))
    (file,) = recording_files(session / "recording")
    with file.open("rb") as packed:
        lines = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read().splitlines(keepends=True)
    del lines[len(lines) // 2]
    file.write_bytes(zstandard.compress(b"".join(lines)))
    found = DecisionRun(session).run()
    assert not found.passed
    assert found.first_difference is not None or found.problems


def test_a_session_without_its_recording_says_so(home: Path, tmp_path: Path) -> None:
    session = Path(shutil.copytree(home / "session", tmp_path / "session"))
    shutil.rmtree(session / "recording")
    with pytest.raises(SessionError, match="holds no recording"):
        DecisionRun(session)


def test_a_killed_session_is_decided_again_as_far_as_its_log_goes(home: Path) -> None:
    text = (home / "live.toml").read_text()
    (home / "killed.toml").write_text(
        text.replace("path = ", "forever = true\npath = ") + '\n[[sinks]]\nuse = "parquet"\nsegment_rows = 100\n'
    )
    folder = home / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "vtframe.cli.main", "run", home / "killed.toml", "--session", folder, "--quiet"],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: len(list((folder / "predictions" / "here").glob("0*.parquet"))) > 3, 120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = DecisionRun(folder).run()
    assert found.first_difference is None
    assert found.passed
    assert 0 < found.compared == found.identical <= found.decisions
    assert found.decisions == found.compared + found.left


def test_a_session_stopped_by_hand_decides_again_up_to_its_stop(home: Path) -> None:
    text = (home / "live.toml").read_text()
    (home / "stopped.toml").write_text(text.replace("path = ", "forever = true\nframes = 2_000\ngap = false\npath = "))
    session = assemble(home / "stopped.toml", Wishes(folder=home / "stopped")).session
    thread = threading.Thread(target=lambda: (wait_for(lambda: session.engine.number >= 1_500), session.engine.stop("by hand")))
    thread.start()
    session.run()
    thread.join()
    found = DecisionRun(home / "stopped").run()
    assert found.problems == ()
    assert found.passed
    assert found.decisions == found.identical > 0
