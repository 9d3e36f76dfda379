"""What was recorded is played as it came: every input, with its connection and arrival, whatever bytes it had."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from secrets import token_hex
from typing import Any

import hypothesis.strategies as st
import pytest
import zstandard
from click.testing import CliRunner
from hypothesis import given, settings
from recorder_lab import BTC, ETH, START, Kept, market, message, play, record, recorder, recording_files, replayed

from vtframe.api import FeedContext, FeedSink
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.cli.main import cli
from vtframe.clock import EventClock
from vtframe.config import RecorderTable
from vtframe.domain import Records
from vtframe.engine.market_log import MarketTap
from vtframe.errors import ConfigError, RecordingError
from vtframe.wire import load_sidecar, sidecar_path

DEPTH = b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}}'

CALLS = st.one_of(
    st.tuples(
        st.just("message"),
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([DEPTH, b"", b"\n", b"a\nb", b"\r", b"x\r", b" ", b"  {", b'{"vtframe":"end"}', b'{"vtframe":']),
        ),
        st.integers(0, 2**62),
        st.integers(0, 5),
    ),
    st.tuples(st.just("damage"), st.text(max_size=20), st.text(max_size=20)),
    st.tuples(st.just("connection"), st.integers(0, 9), st.booleans(), st.text(max_size=20)),
)


def call(sink: FeedSink, what: tuple[Any, ...]) -> None:
    match what:
        case ("message", data, ts_recv, connection):
            sink.on_message(data, ts_recv, connection=connection)
        case ("damage", where, problem):
            sink.on_damage(where, problem)
        case ("connection", connection, up, reason):
            sink.on_connection(connection, up=up, reason=reason)


@settings(max_examples=60, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=40))
def test_whatever_a_feed_says_is_played_again_as_it_was(calls: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        came, made = record(Path(folder), [lambda sink, what=what: call(sink, what) for what in calls])
        assert made.report() | {"bytes": 0, "largest_buffer": 0} == {
            "inputs": len(calls),
            "recorded": len(calls),
            "lost": 0,
            "bytes": 0,
            "files": 1,
            "largest_buffer": 0,
            "failed": "",
        }
        assert came == calls
        assert replayed(Path(folder)) == came


def test_lines_are_arrival_and_frame_as_foreign_readers_expect_them(tmp_path: Path) -> None:
    record(tmp_path, [message(DEPTH, START + n) for n in range(3)])
    with (tmp_path / "000001.zst").open("rb") as file:
        lines = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read().splitlines()
    assert lines[1:4] == [b"%d %b" % (START + n, DEPTH) for n in range(3)]
    said = [json.loads(line.partition(b" ")[2]) for line in lines]  # every line's rest is JSON, as those readers take it
    assert [mark.get("vtframe") for mark in said] == ["recording", None, None, None, "end"]


def test_the_markets_own_records_are_played_bit_by_bit(tmp_path: Path) -> None:
    feed, kept = EmbeddedMarket(seed=5, duration_s=20, instruments=2), Kept()
    instruments = feed.open(FeedContext(codecs={}, folder=Path(), clock=EventClock()))
    made = recorder(tmp_path, info=market("", *instruments))
    made.start()
    asyncio.run(feed.run(MarketTap(kept, made)))
    made.close()
    assert made.report()["lost"] == 0
    assert len(kept.inputs) > 1_000
    assert replayed(tmp_path) == kept.inputs
    sidecar = load_sidecar(sidecar_path(tmp_path / "000001.zst"))
    assert (sidecar.codec, sidecar.instruments, sidecar.rules) == ("", tuple(instruments), market("", *instruments).rules)


def test_files_are_rotated_and_played_as_one(tmp_path: Path) -> None:
    noise = [token_hex(8_000).encode() for _ in range(400)]
    came, made = record(
        tmp_path,
        [message(data, START + n, n // 100) for n, data in enumerate(noise)],
        table=RecorderTable(rotate_mb=1, level=1),
        info=market("binance", BTC, ETH),
    )
    assert made.report()["recorded"] == 400
    files = recording_files(tmp_path)
    assert len(files) == made.report()["files"] > 2
    assert [load_sidecar(sidecar_path(path)).after for path in files] == ["", *(path.name for path in files[:-1])]
    assert replayed(tmp_path) == came
    with pytest.raises(RecordingError, match=r"continues 000001\.zst"):
        play(files[1:])


def test_files_are_rotated_by_time_as_well(tmp_path: Path) -> None:
    def wait_for_whole_file(number: int) -> None:
        sidecar, limit = tmp_path / f"{number:06d}.zst.toml", time.monotonic() + 30
        while not (sidecar.is_file() and load_sidecar(sidecar).lines > 0):  # counted when the file is complete
            assert time.monotonic() < limit
            time.sleep(0.01)

    calls = []
    for number in range(1, 4):
        calls += [message(DEPTH, START + number), lambda _, number=number: wait_for_whole_file(number)]
    came, made = record(tmp_path, calls, table=RecorderTable(rotate_minutes=0.002))
    assert made.report()["files"] == 4  # the last one says that no other follows
    assert replayed(tmp_path) == came
    assert len(came) == 3
    result = CliRunner().invoke(cli, ["recording", "verify", str(tmp_path), "--quiet"])
    assert result.exit_code == 0, result.output


def test_a_clock_that_goes_back_is_recorded_as_it_was(tmp_path: Path) -> None:
    stamps = [START, START - 5_000_000_000, START + 1, 17, START]
    came, _ = record(tmp_path, [message(DEPTH, stamp) for stamp in stamps])
    assert [ts_recv for _, _, ts_recv, _ in came] == stamps
    assert replayed(tmp_path) == came


def test_frames_of_many_megabytes_are_kept_even_with_newlines_in_them(tmp_path: Path) -> None:
    large = b"[" + b"1," * (10 << 20) + b"1]"  # twenty, what a hostile venue may send
    odd = large[: 8 << 20].replace(b"1,1,1,1,", b"1,\n1,1,", 3)
    came, made = record(tmp_path, [message(DEPTH), message(large), message(odd), message(DEPTH)])
    assert made.report()["lost"] == 0
    assert replayed(tmp_path) == came


def test_a_session_without_an_input_leaves_no_file(tmp_path: Path) -> None:
    came, made = record(tmp_path / "recording", [])
    assert came == []
    assert made.report()["files"] == 0
    assert list((tmp_path / "recording").iterdir()) == []


def test_a_recording_without_a_frame_plays_what_it_has(tmp_path: Path) -> None:
    came, _ = record(tmp_path, [lambda sink: sink.on_connection(1, up=False, reason="refused")])
    assert replayed(tmp_path) == came == [("connection", 1, False, "refused")]


def test_records_and_messages_of_one_feed_keep_their_order(tmp_path: Path) -> None:
    records = Records()
    records.append(kind=5, instrument=0, events=[(0, START, 0, 0, 0, 0, 6, 5, 0)], ts_recv=START + 2, connection=3)
    came, _ = record(tmp_path, [message(DEPTH, START + 1, 3), lambda sink: sink.on_records(records), message(DEPTH, START + 3)])
    assert [what[0] for what in came] == ["message", "frame", "message"]
    assert replayed(tmp_path) == came


def test_depth_without_a_snapshot_is_said_and_played(tmp_path: Path) -> None:
    came, _ = record(tmp_path, [message(DEPTH)])
    said: list[str] = []
    assert play(recording_files(tmp_path), said) == came
    assert any("no snapshot" in text and "BTCUSDT@binance_usdm" in text for text in said)


def test_files_put_one_behind_the_other_play_as_they_would_one_after_the_other(tmp_path: Path) -> None:
    noise = [b'{"result":"%s","id":1}' % token_hex(8_000).encode() for _ in range(300)]
    came, _ = record(
        tmp_path / "r",
        [message(data, START + n, n // 50) for n, data in enumerate(noise)],
        table=RecorderTable(rotate_mb=1, level=1),
    )
    files = recording_files(tmp_path / "r")
    assert len(files) > 1
    joined = tmp_path / "joined.zst"
    joined.write_bytes(b"".join(file.read_bytes() for file in files))
    sidecar_path(joined).write_bytes(sidecar_path(files[0]).read_bytes())
    assert play([joined]) == came
    result = CliRunner().invoke(cli, ["recording", "verify", str(joined), "--quiet"])
    assert result.exit_code == 0, result.output


BAD_FRAMES = {
    "an instrument that is not there": '"instrument":9',
    "an instrument before the first": '"instrument":-1',
    "a kind of frame that there is not": '"kind":77',
    "a price that no int64 holds": f'"checksum":{2**80}',
    "a side of a book that there is not": '"events":[[1,1,1,0,0,0,1,0]]',
    "a quantity below nothing": '"events":[[1,1,-1,0,0,0,1,1]]',
    "a word": '"kind":"depth"',
}


@pytest.mark.parametrize("what", BAD_FRAMES)
def test_a_mark_that_somebody_edited_is_told_with_its_line_and_skipped(tmp_path: Path, what: str) -> None:
    records = Records()
    records.append(kind=1, instrument=0, events=[(0, START, 10, 5, 0, 0, 2, 1, 1)], ts_recv=START)
    record(tmp_path, [lambda sink: sink.on_records(records)] * 3, info=market(""))
    (file,) = recording_files(tmp_path)
    with file.open("rb") as packed:
        lines = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read().splitlines()
    key = BAD_FRAMES[what].partition(":")[0]
    value = {'"instrument"': '"instrument":0', '"kind"': '"kind":1', '"checksum"': '"checksum":-1'}.get(key)
    old = value or '"events":' + lines[2].decode().partition('"events":')[2][:-1]
    edited = lines[2].decode().replace(old, BAD_FRAMES[what], 1)
    assert edited != lines[2].decode()
    file.write_bytes(zstandard.compress(b"\n".join([*lines[:2], edited.encode(), *lines[3:]]) + b"\n"))
    played = play([file])
    assert [one[0] for one in played] == ["frame", "damage", "frame"]
    assert played[1][1] == f"{file}:3"
    assert played[1][2].startswith("broken mark: ")


def test_a_folder_without_a_recording_is_told_at_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"paths: .* is a folder without a recorder's files"):
        play([tmp_path])
