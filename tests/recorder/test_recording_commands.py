"""Recordings looked at, checked, cut, merged and turned into tables, against an independent reading of the same files."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner, Result
from recorder_lab import BTC, ETH, START, market, message, play, record, recording_files

from vtframe.api import FeedContext, FeedSink
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.builtin.recorded.lines import Recordings
from vtframe.cli.main import cli
from vtframe.clock import EventClock
from vtframe.config import RecorderTable
from vtframe.domain import BookState, Records, Side
from vtframe.features.pipeline import Pipeline
from vtframe.wire import load_sidecar, sidecar_path

USDM = "usdm_btcusdt_20240808.gz"
LINES = 30_000


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["recording", *map(str, words), "--quiet"])
    assert result.exit_code == code, result.output
    return result


def told(*words: object, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json", code=code).stdout)
    return found


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first lines of a real recording, as its collector wrote them."""
    path = tmp_path_factory.mktemp("real") / USDM
    with gzip.open(data / "binance" / USDM) as file:
        path.write_bytes(gzip.compress(b"".join(itertools.islice(file, LINES)), 1))
    return path


def raw(path: Path) -> Iterator[tuple[int, bytes]]:
    """Time and frame of each line, read without vtframe."""
    with gzip.open(path) as file:
        for line in file:
            stamp, _, data = line.rstrip(b"\n").partition(b" ")
            yield int(stamp), data


def lines_of(path: Path) -> list[bytes]:
    """All lines of a recorder's file, read without vtframe."""
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read().splitlines()


def frames_of(path: Path) -> list[tuple[int, bytes]]:
    pairs = (line.partition(b" ") for line in lines_of(path))
    return [(int(stamp), data) for stamp, _, data in pairs if not data.startswith(b'{"vtframe"')]


def test_inspect_counts_what_an_independent_reader_counts(real: Path) -> None:
    found = told("inspect", real)
    stamps = [stamp for stamp, _ in raw(real)]
    names: Counter[str] = Counter()
    for _, data in raw(real):
        parsed = json.loads(data)
        names[parsed.get("data", parsed).get("e", "snapshot")] += 1
    assert found["messages"] == dict(names)
    assert (found["inputs"], found["first_ns"], found["last_ns"]) == (LINES, stamps[0], stamps[-1])
    gaps = [after - before for before, after in itertools.pairwise(stamps)]
    assert found["silence_ns"] == max(gaps)
    assert found["silence_at"] == f"{real}:{gaps.index(max(gaps)) + 2}"
    seconds = Counter(stamp // 10**9 for stamp in stamps)
    assert found["busiest_second"] == max(seconds.values())
    assert found["bytes"] == sum(len(data) for _, data in raw(real))
    assert found["rate"] == pytest.approx(LINES / ((stamps[-1] - stamps[0]) / 1e9))


def test_inspect_tells_connections_damage_and_losses_of_a_recorders_file(tmp_path: Path) -> None:
    def calls(sink: FeedSink) -> None:
        sink.on_connection(2, up=True)
        sink.on_message(b"{", START + 1, connection=2)
        sink.on_damage("socket", "torn: frame")
        sink.on_connection(2, up=False, reason="reset")

    record(tmp_path / "r", [calls, message(b'{"result":null,"id":1}', START + 2)])
    found = told("inspect", tmp_path / "r")
    assert found["connections"] == [
        {"connection": 0, "messages": 1, "up": 0, "down": 0},
        {"connection": 2, "messages": 1, "up": 1, "down": 1},
    ]
    assert (found["broken"], found["damaged"], found["inputs"]) == (1, 1, 5)
    assert found["files"][0]["complete"] is True
    text = run("inspect", tmp_path / "r").output
    assert "connection 2: 1 messages, up 1 times, down 1" in text
    assert "torn: frame" in text


def test_verify_says_that_a_whole_recording_is_whole(real: Path, tmp_path: Path) -> None:
    found = told("verify", real, "--strict")
    assert (found["sound"], found["chained"], found["inputs"], found["gaps"], found["resyncs"]) == (True, True, LINES, 0, 1)
    record(tmp_path / "r", [message(data, stamp) for stamp, data in itertools.islice(raw(real), 5_000)])
    found = told("verify", tmp_path / "r", "--strict")
    assert (found["inputs"], found["lines"], found["sound"]) == (5_000, 5_002, True)
    assert found["blocks"] >= 2


@pytest.fixture
def rotated(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(3)
    frames = [b'{"result":"%s","id":1}' % rng.bytes(6_000).hex().encode() for _ in range(900)]
    record(tmp_path / "r", [message(data, START + n) for n, data in enumerate(frames)], table=RecorderTable(rotate_mb=1))
    files = recording_files(tmp_path / "r")
    assert len(files) > 3
    return files


def test_verify_follows_a_recording_from_file_to_file(rotated: list[Path]) -> None:
    assert told("verify", *rotated)["inputs"] == 900
    missing = told("verify", *rotated[:1], *rotated[2:], code=1)
    assert any("the one before is not here" in text for text in missing["miscounted"])
    assert any("is file 3" in text for text in missing["miscounted"])


@pytest.mark.parametrize(("back", "torn"), [(1, True), (400, True), (None, False)])
def test_verify_says_up_to_which_byte_a_torn_file_is_whole(rotated: list[Path], back: int | None, torn: bool) -> None:  # noqa: FBT001
    last = rotated[-1]
    content = last.read_bytes()
    ends = block_ends(content)
    last.write_bytes(content[: ends[-2]] if back is None else content[:-back])
    found = told("verify", *rotated, code=1)
    assert bool(found["torn"]) is torn
    whole = [end for end in ends if end <= last.stat().st_size]
    if torn:
        assert found["torn"] == [
            f"{last}: zstd cut short: the file ends inside a block; whole up to byte {whole[-1]:,} of {last.stat().st_size:,}"
        ]
    ended = back == 1  # all of the last line came before the last byte
    assert any(str(last) in text and "was not closed in order" in text for text in found["unfinished"]) is not ended
    assert str(last) in run("verify", *rotated, code=1).output


def block_ends(content: bytes) -> list[int]:
    size, ends = len(content), []
    while content:
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        unpacker.decompress(content)
        content = unpacker.unused_data
        ends.append(size - len(content))
    return ends


def test_verify_finds_one_flipped_bit(rotated: list[Path]) -> None:
    content = bytearray(rotated[1].read_bytes())
    content[len(content) // 2] ^= 4
    rotated[1].write_bytes(content)
    found = told("verify", *rotated, code=1)
    assert len(found["torn"]) == 1
    assert found["torn"][0].startswith(f"{rotated[1]}: corrupt zstd")


def test_verify_finds_a_line_that_somebody_took_out(rotated: list[Path]) -> None:
    lines = lines_of(rotated[1])
    del lines[len(lines) // 2]
    rotated[1].write_bytes(zstandard.compress(b"\n".join(lines) + b"\n"))
    found = told("verify", *rotated, code=1)
    assert any(text.startswith(f"{rotated[1]}: ends with input") for text in found["miscounted"])


def test_verify_finds_a_missing_update_and_only_strictness_fails_for_it(real: Path, tmp_path: Path) -> None:
    lines = list(raw(real))
    depth = [k for k, (_, data) in enumerate(lines) if b'"e":"depthUpdate"' in data]
    gone = depth[len(depth) // 2]
    after = depth[len(depth) // 2 + 1]
    path = tmp_path / "gap.gz"
    path.write_bytes(gzip.compress(b"".join(b"%d %b\n" % line for k, line in enumerate(lines) if k != gone), 1))
    found = told("verify", path)
    assert (found["gaps"], found["sound"], found["chained"]) == (1, True, False)
    assert found["places"] == [f"{path}:{after}: the chain of updates breaks: a gap in BTCUSDT@binance_usdm"]
    run("verify", path, "--strict", code=1)


def test_cut_by_count_keeps_exactly_those_inputs(real: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut.zst"
    made = told("cut", real, "--skip", 7_000, "--count", 1_234, "--out", out)
    assert frames_of(out) == list(itertools.islice(raw(real), 7_000, 8_234))
    assert (made["inputs"], made["headless"]) == (1_234, ["BTCUSDT@binance_usdm"])
    assert load_sidecar(sidecar_path(out)).instruments == (BTC,)
    assert "no snapshot in it" in run("cut", real, "--skip", 7_000, "--count", 9, "--out", tmp_path / "b.zst").output


def test_cut_by_time_takes_the_first_at_or_after_and_ends_before(real: Path, tmp_path: Path) -> None:
    stamps = [stamp for stamp, _ in raw(real)]
    begin, end = stamps[4_000], stamps[9_000]
    run("cut", real, "--from", begin, "--to", end, "--out", tmp_path / "a.zst")
    expected = [(stamp, data) for stamp, data in raw(real) if begin <= stamp < end]
    assert frames_of(tmp_path / "a.zst") == expected
    run("cut", real, "--from", begin + 1, "--to", end + 1, "--out", tmp_path / "b.zst")
    assert frames_of(tmp_path / "b.zst") == [line for line in raw(real) if begin < line[0] <= end]
    moment = "2024-08-08T23:54:20.5"
    run("cut", real, "--from", moment, "--count", 1, "--out", tmp_path / "c.zst")
    second = 1_723_161_260_500_000_000
    assert frames_of(tmp_path / "c.zst")[0] == next(line for line in raw(real) if line[0] >= second)


def tops(recordings: Recordings) -> dict[int, tuple[Any, ...]]:
    """By update id: every level of the book after it, as far as the first 20 go, from the frames of a recording."""
    pipeline = Pipeline([], recordings.instruments, recordings.rules)
    records, found = Records(), {}
    for line in recordings.lines(lambda damage: pytest.fail(str(damage))):
        records.clear()
        recordings.decode(line, records)
        if records.n_frames:
            pipeline.process(records)
            books = pipeline.books
            if records.frames["kind"][0] in {1, 2} and books.state(0) is BookState.LIVE:
                sides = [books.levels(0, side, 20) for side in Side]
                found[books.update_id(0)] = tuple((prices.tolist(), sizes.tolist()) for prices, sizes in sides)
    return found


def test_a_cut_with_a_snapshot_has_the_same_book_as_the_whole_at_every_update(real: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut.zst"
    made = told("cut", real, "--skip", 12_345, "--count", 10_000, "--snapshot", "--out", out)
    assert made["snapshots"] == ["BTCUSDT@binance_usdm"]
    assert made["headless"] == []
    assert made["waits"] == {}
    codecs = {"binance": BinanceCodec}
    whole, part = tops(Recordings([real], codecs)), tops(Recordings([out], codecs))
    assert len(part) > 500
    assert part == {number: whole[number] for number in part}
    assert told("verify", out, "--strict")["passed"]
    assert [one for one in play([out]) if one[0] == "damage"] == []


def test_no_snapshot_is_made_of_a_book_that_is_not_to_be_believed(real: Path, tmp_path: Path) -> None:
    made = told("cut", real, "--skip", 3, "--count", 10, "--snapshot", "--out", tmp_path / "a.zst")
    assert made["snapshots"] == []
    assert made["without"] == ["BTCUSDT@binance_usdm: its book is SYNCING there"]


def test_a_cut_of_the_markets_own_records_and_connections_plays_as_that_part_did(tmp_path: Path) -> None:
    feed = EmbeddedMarket(seed=9, duration_s=30)
    instruments = feed.open(FeedContext(codecs={}, folder=Path(), clock=EventClock()))
    came, _ = record(
        tmp_path / "r",
        [lambda sink: asyncio.run(feed.run(sink)), lambda sink: sink.on_connection(4, up=False)],
        info=market("", *instruments),
    )
    run("cut", tmp_path / "r", "--skip", 100, "--out", tmp_path / "cut.zst")
    assert play([tmp_path / "cut.zst"]) == came[100:]


def test_merge_is_by_arrival_stable_and_tells_connections_apart(tmp_path: Path) -> None:
    one = [message(b'{"result":%d,"id":1}' % n, START + 10 * n, n % 2) for n in range(50)]
    other = [message(b'{"result":%d,"id":2}' % n, START + 15 * n, 0) for n in range(50)]
    first, _ = record(tmp_path / "a", one, info=market("binance", BTC))
    second, _ = record(tmp_path / "b", [*other, lambda sink: sink.on_connection(0, up=False)], info=market("binance", ETH))
    made = told("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "m.zst")
    played = play([tmp_path / "m.zst"])
    frames = [(ts, data) for kind, data, ts, *_ in played if kind == "message"]
    expected = sorted(  # sorted() is stable: of equal times the first source's come first
        [(ts, data) for _, data, ts, _ in first] + [(ts, data) for kind, data, ts, *_ in second if kind == "message"],
        key=lambda pair: pair[0],
    )
    assert frames == expected
    connection = {data: number for kind, data, _, number in (one for one in played if one[0] == "message")}
    assert {connection[data] for _, data, _, number in first if number == 0} == {0}
    assert len(set(connection.values())) == 3
    assert played[-1] == ("connection", connection[b'{"result":0,"id":2}'], False, "")
    assert made["connections"][0].startswith("0: connection 0 of 000001.zst")
    assert load_sidecar(sidecar_path(tmp_path / "m.zst")).instruments == (BTC, ETH)
    assert told("verify", tmp_path / "m.zst")["sound"]


def test_parts_that_were_cut_are_the_whole_when_they_are_merged(real: Path, tmp_path: Path) -> None:
    for number in range(3):
        run("cut", real, "--skip", 10_000 * number, "--count", 10_000, "--out", tmp_path / f"{number}.zst")
    run("merge", *(tmp_path / f"{number}.zst" for number in (2, 0, 1)), "--out", tmp_path / "all.zst")
    assert frames_of(tmp_path / "all.zst") == list(raw(real))


def test_tables_hold_every_frame_and_event_that_the_codec_makes(real: Path, tmp_path: Path) -> None:
    made = told("to-parquet", real, "--out", tmp_path / "tables")
    frames, events = (pq.read_table(tmp_path / "tables" / f"{name}.parquet") for name in ("frames", "events"))
    assert (made["frames"], made["events"]) == (frames.num_rows, events.num_rows)
    assert sum(frames.column("n_events").to_pylist()) == events.num_rows
    lines = list(raw(real))
    inputs = frames.column("input").to_pylist()
    assert [lines[number][0] for number in inputs] == frames.column("ts_recv").to_pylist()
    trades = [json.loads(data)["data"] for _, data in lines if b'"e":"trade"' in data]
    rows = events.filter([kind == "trade" for kind in events.column("kind").to_pylist()])
    assert rows.column("price").to_pylist() == [round(float(trade["p"]) * 100) for trade in trades]
    assert rows.column("side").to_pylist() == [-1 if trade["m"] else 1 for trade in trades]
    assert rows.column("ts_event").to_pylist() == [trade["T"] * 1_000_000 for trade in trades]
    depth = [json.loads(data)["data"] for _, data in lines if b'"e":"depthUpdate"' in data]
    kinds = frames.column("kind").to_pylist()
    ids = [number for number, kind in zip(frames.column("last_id").to_pylist(), kinds, strict=True) if kind == "depth"]
    assert ids == [update["u"] for update in depth]
    units = json.loads(events.schema.metadata[b"vtframe.instruments"])
    assert units[0]["instrument"] == "BTCUSDT@binance_usdm"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inspect", "missing.zst"), "no such file"),
        (("verify", "."), "is a folder without a recorder's files"),
        (("cut", "REAL", "--from", "noon", "--out", "x.zst"), "'noon' is neither nanoseconds"),
        (("cut", "REAL", "--skip", "99999999", "--out", "x.zst"), "nothing is in it"),
        (("cut", "REAL", "--out", "REAL"), "is there already"),
        (("merge", "REAL", "--out", "REAL"), "is there already"),
        (("to-parquet", "REAL", "--out", "."), "is there already"),
        (("cut", "REAL", "--out", "no/such/folder/x.zst"), "cannot be written"),
    ],
)
def test_bad_input_is_refused_with_its_reason_and_leaves_nothing(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*(str(real) if word == "REAL" else word for word in words), code=2)
    assert said in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_files_of_two_markets_cannot_be_one_recording(real: Path, tmp_path: Path) -> None:
    record(tmp_path / "r", [lambda sink: sink.on_connection(0, up=True)], info=market("", BTC))
    result = run("merge", real, tmp_path / "r", "--out", tmp_path / "m.zst", code=2)
    assert "need 2 codecs" in result.output
