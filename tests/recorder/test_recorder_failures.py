"""What a kill, a full disk, a slow disk and a torn file leave of a recording, with real processes and files."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import zstandard
from hypothesis import given, settings
from recorder_lab import START, message, play, record, recorder, recording_files, replayed

from vtframe.config import RecorderTable
from vtframe.engine.market_log import MarketTap
from vtframe.errors import RecordingError
from vtframe.wire import Damage, Lost, RecordingReader, load_sidecar, sidecar_path
from vtframe.wire.recording_writer import BlockFile

NUMBER = re.compile(rb'"n":(\d+)')
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
HERE = Path(__file__).parent


def configuration(folder: Path, feed: str = "", recorder_table: str = "") -> Path:
    shutil.copy(HERE / "flood_feed.py", folder / "flood_feed.py")
    path = folder / "flood.toml"
    path.write_text(f'[vtframe]\nlocal = ["flood_feed.py"]\n[feed]\nuse = "flood"\n{feed}\n[recorder]\n{recorder_table}\n')
    return path


def vtframe(*words: object, limit: int | None = None) -> subprocess.Popen[str]:
    """The command in a process of its own, whose files may have ``limit`` bytes."""
    started = [sys.executable, "-m", "vtframe.cli.main", *map(str, words)]
    if limit is not None:
        started = [sys.executable, "-c", LIMITED, str(limit), *started]
    return subprocess.Popen(
        started,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def numbers(inputs: list[tuple[Any, ...]]) -> list[int]:
    found = [NUMBER.search(one[1]) for one in inputs if one[0] == "message"]
    return [int(match[1]) for match in found if match is not None]


def test_a_kill_at_a_high_rate_costs_the_block_in_hand_and_nothing_before_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = vtframe("record", configuration(tmp_path, recorder_table="rotate_mb = 1"), "--out", out)
    try:
        wait_for(lambda: len(recording_files(out)) >= 3)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    files = recording_files(out)
    assert all(sidecar_path(file).is_file() for file in files)
    assert load_sidecar(sidecar_path(files[0])).lines > 0  # a whole file's sidecar counts them
    inputs = play(files)
    found = numbers(inputs)
    assert found == list(range(len(found)))
    assert len(found) > 5_000
    assert [one for one in inputs if one[0] == "damage"] == []  # blocks are written whole: not even the last one is torn


def test_a_full_disk_ends_the_recording_with_a_whole_block_and_exit_code_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = vtframe("record", configuration(tmp_path), "--out", out, "--quiet", limit=1_500_000)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "recording stopped: File too large" in said
    assert "Traceback" not in said
    (file,) = recording_files(out)
    assert 0 < file.stat().st_size <= 1_500_000
    found = numbers(play([file]))
    assert found == list(range(len(found)))
    assert len(found) > 0


@pytest.fixture
def session(root: Path, data: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Configurations of sessions on a live feed, with hardly a file but the recording."""
    shutil.copy(HERE / "flood_feed.py", tmp_path / "flood_feed.py")
    text = (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/")
    head, _, rest = text.partition("[sampling]")
    head = head[: head.index("[feed]")].replace('plugins = ["onnx"]', 'plugins = ["onnx"]\nlocal = ["flood_feed.py"]')

    def write(table: str) -> Path:
        path = tmp_path / "session.toml"
        feed = '[feed]\nuse = "flood"\nframes = 20_000\nsize = 600\n\n'
        path.write_text(f"{head}{feed}[sampling]{rest}\n[recorder]\n{table}\n")
        return path

    return write


def test_a_full_disk_stops_the_recording_alone_where_that_is_declared(session: Callable[[str], Path], tmp_path: Path) -> None:
    path = session('on_disk_full = "stop_recording"')
    process = vtframe("run", path, "--session", tmp_path / "ran", "--json", limit=1_500_000)
    out, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    told = json.loads(out)["recorder"]
    assert told["failed"] == "File too large"
    assert f"recorder stopped: File too large; {told['lost']:,} of 20,000 inputs are not in the recording" in said
    assert told["inputs"] == 20_000
    assert told["lost"] == 20_000 - told["recorded"] > 0
    found = numbers(replayed(tmp_path / "ran" / "recording"))
    assert found == list(range(told["recorded"]))


def test_a_full_disk_stops_the_session_where_that_is_declared(session: Callable[[str], Path], tmp_path: Path) -> None:
    path = session('on_disk_full = "stop_trading"')
    path.write_text(path.read_text().replace("frames = 20_000", "frames = 1_000_000"))
    process = vtframe("run", path, "--session", tmp_path / "ran", "--quiet", limit=1_500_000)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 3, said
    report = json.loads((tmp_path / "ran" / "report.json").read_text())
    assert report["session"]["reason"] == "halted: the recorder stopped: File too large"
    assert report["session"]["orderly"]
    assert report["recorder"]["inputs"] < 1_000_000


def test_a_slow_disk_costs_inputs_that_are_counted_and_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    append = BlockFile.append

    def slow(file: BlockFile, block: bytes) -> None:
        assert free.wait(60)
        append(file, block)

    monkeypatch.setattr(BlockFile, "append", slow)
    table = RecorderTable(buffer_mb=1)
    made = recorder(tmp_path, table)

    class Nowhere:
        stopping = False

        def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None: ...

    tap = MarketTap(Nowhere(), made)  # type: ignore[arg-type]
    made.start()
    frame = b'{"x":"%s"}' % (b"y" * 10_000)
    for number in range(1_000):  # ten megabytes
        tap.on_message(frame, START + number)
    free.set()
    wait_for(lambda: not made._queue)
    tap.on_message(b"{}", START + 1_000)
    made.close()
    told = made.report()
    assert told["failed"] == ""
    assert told["lost"] > 500
    assert told["recorded"] + told["lost"] == told["inputs"] == 1_001
    assert told["largest_buffer"] <= 1 << 20
    (file,) = recording_files(tmp_path)
    items = [item for _, _, item in RecordingReader(file, "ns", print).inputs()]
    assert sum(item.inputs for item in items if isinstance(item, Lost)) == told["lost"]
    damage = [one for one in replayed(tmp_path) if one[0] == "damage"]
    assert [problem for _, _, problem in damage] == [f"lost by the recorder: {told['lost']} inputs are missing here"]


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A recording of three blocks: the file, and where its blocks end."""
    folder = tmp_path_factory.mktemp("blocks")
    frames = [b'{"n":%d,"x":"%s"}' % (n, b"z" * (600_000 if n % 10 == 5 else 10)) for n in range(40)]
    record(folder, [message(data, START + n) for n, data in enumerate(frames)])
    (file,) = recording_files(folder)
    content, ends = file.read_bytes(), []
    while content:
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        unpacker.decompress(content)
        content = unpacker.unused_data
        ends.append(file.stat().st_size - len(content))
    assert len(ends) >= 4  # the last one holds the end
    return file, ends


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_file_torn_at_any_byte_loses_at_most_its_last_block(blocks: tuple[Path, list[int]], data: st.DataObject) -> None:
    file, ends = blocks
    at = data.draw(st.integers(1, file.stat().st_size - 1))
    whole = [end for end in ends if end <= at]
    with tempfile.TemporaryDirectory() as folder:
        torn, cut = Path(folder) / file.name, Path(folder) / "whole.zst"
        torn.write_bytes(file.read_bytes()[:at])
        damage: list[Damage] = []
        read = [(ts, item) for _, ts, item in inputs_of(torn, damage)]
        if whole:
            cut.write_bytes(file.read_bytes()[: whole[-1]])
            before = [(ts, item) for _, ts, item in inputs_of(cut, [])]
        else:
            before = []
        assert read[: len(before)] == before  # every block before
        everything = [(ts, item) for _, ts, item in inputs_of(file, [])]
        assert read == everything[: len(read)]  # and nothing that was not there
        assert bool(damage) is (at not in ends)


def inputs_of(path: Path, damage: list[Damage]) -> list[tuple[int, int, Any]]:
    try:
        return list(RecordingReader(path, "ns", damage.append).inputs())
    except RecordingError as e:  # fewer bytes than say what it is
        damage.append(Damage(path=path, line=0, problem=e.problem))
        return []


def test_what_cannot_begin_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    process = vtframe("record", configuration(tmp_path), "--out", tmp_path, "--count", 5)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "there is something already" in said
    process = vtframe("record", configuration(tmp_path, feed="sise = 3"), "--out", tmp_path / "out", "--count", 5)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "did you mean 'size'" in said
    assert not (tmp_path / "out").exists()


def test_record_stops_at_its_count_at_its_time_and_at_ctrl_c(tmp_path: Path) -> None:
    path = configuration(tmp_path)
    for words, code, reason in ((("--count", 777), 0, "enough inputs came"), (("--duration", 0.2), 0, "0.2 s are over")):
        out = tmp_path / f"out{words[0]}"
        process = vtframe("record", path, "--out", out, "--json", *words)
        told, said = process.communicate(timeout=60)
        assert process.returncode == code, said
        found = json.loads(told)
        assert found["reason"] == reason
        assert found["recorder"]["recorded"] == len(replayed(out)) > 0
        assert words[0] != "--count" or found["recorder"]["recorded"] == 777
    process = vtframe("record", path, "--out", tmp_path / "stopped", "--json")
    wait_for(lambda: bool(recording_files(tmp_path / "stopped")))
    process.send_signal(signal.SIGINT)
    told, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert json.loads(told)["recorder"]["recorded"] == len(replayed(tmp_path / "stopped"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_flipped_bit_costs_one_block_and_no_line_comes_out_wrong(
    blocks: tuple[Path, list[int]], data: st.DataObject
) -> None:
    file, ends = blocks
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(ends[0], len(content) - 1))  # the first block says whose file it is
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    hit = next(k for k, end in enumerate(ends) if at < end)
    with tempfile.TemporaryDirectory() as folder:
        flipped = Path(folder) / file.name
        flipped.write_bytes(content)
        damage: list[Damage] = []
        read = [(ts, item) for _, ts, item in inputs_of(flipped, damage)]
        everything = [(ts, item) for _, ts, item in inputs_of(file, [])]
        lines = [whole_lines(file, begin, end) for begin, end in zip([0, *ends], ends, strict=False)]
        first = sum(lines[:hit])
        whole = [*everything[:first], *everything[first + lines[hit] :]]
        assert damage
        assert read == whole


def whole_lines(file: Path, begin: int, end: int) -> int:
    """How many lines a block has."""
    return zstandard.ZstdDecompressor().decompress(file.read_bytes()[begin:end]).count(b"\n")
