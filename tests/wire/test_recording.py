"""Recordings are read to the last line that can be read, and whatever cannot be is told with its line number."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtframe.errors import RecordingError
from vtframe.wire import Damage, RecordingReader, compression, read_sample

START = 1_723_161_256_172_216_566


def _line(number: int, ts: int = START) -> bytes:
    return b'%d {"n":%d,"text":"some words, so that a line is not too short"}\n' % (ts + number, number)


def _text(count: int) -> bytes:
    return b"".join(_line(number) for number in range(count))


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _read(path: Path, unit: str = "ns") -> tuple[list[tuple[int, int, bytes]], list[Damage]]:
    damage: list[Damage] = []
    return list(RecordingReader(path, unit, damage.append)), damage  # type: ignore[arg-type]


PACKERS = {
    "none": lambda text: text,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("name", ["r.gz", "r.zst", "r.txt"])
def test_packing_is_told_by_the_first_bytes_whatever_the_name(tmp_path: Path, kind: str, name: str) -> None:
    path = _write(tmp_path / name, PACKERS[kind](_text(500)))
    lines, damage = _read(path)
    assert compression(path) == kind
    assert lines == [(n + 1, START + n, _line(n).partition(b" ")[2].rstrip()) for n in range(500)]
    assert damage == []


def test_zstd_frames_that_follow_each_other_are_one_recording(tmp_path: Path) -> None:
    text = _text(1_000)
    cuts = [0, 1_000, 1_001, 30_000, len(text)]  # frames end in the middle of lines
    frames = [zstandard.compress(text[a:b]) for a, b in itertools.pairwise(cuts)]
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    lines, damage = _read(_write(tmp_path / "r.zst", skippable + b"".join(frames[:2]) + skippable + b"".join(frames[2:])))
    assert [n for n, _, _ in lines] == list(range(1, 1_001))
    assert damage == []


def test_gzip_members_that_follow_each_other_are_one_recording(tmp_path: Path) -> None:
    text = _text(1_000)
    members = gzip.compress(text[:12_345]) + gzip.compress(b"") + gzip.compress(text[12_345:])
    lines, damage = _read(_write(tmp_path / "r.gz", members + bytes(20_000)))  # and padding
    assert len(lines) == 1_000
    assert damage == []


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_bytes_after_the_last_member_that_are_no_member_are_told(tmp_path: Path, kind: str) -> None:
    lines, damage = _read(_write(tmp_path / "r", PACKERS[kind](_text(100)) + b"surely no member of anything"))
    assert len(lines) == 100
    (told,) = damage
    assert (told.line, told.problem.split(":")[0]) == (101, f"corrupt {kind}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_gzip_keeps_every_complete_line_before_the_cut(tmp_path: Path, data: st.DataObject) -> None:
    packed = gzip.compress(b"".join(_line(n, START + n * 7_919 % 1_000) for n in range(2_000)))
    cut = data.draw(st.integers(20, len(packed) - 1))
    text = zlib.decompressobj(31).decompress(packed[:cut])  # what is there to be had
    complete = text.count(b"\n")
    path = _write(tmp_path / "cut.gz", packed[:cut])
    lines, damage = _read(path)
    assert [n for n, _, _ in lines] == list(range(1, complete + 1))
    cuts = [told for told in damage if told.problem.startswith("gzip cut short")]
    assert [told.line for told in cuts] == [complete + 1]
    assert cuts[0].where == f"{path}:{complete + 1}"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_zstd_keeps_every_complete_frame_before_the_cut(tmp_path: Path, data: st.DataObject) -> None:
    frames = [zstandard.compress(b"".join(_line(n) for n in range(k * 50, k * 50 + 50))) for k in range(20)]
    whole = b"".join(frames)
    cut = data.draw(st.integers(len(frames[0]), len(whole) - 1))
    ends = [sum(map(len, frames[: k + 1])) for k in range(20)]
    lines, damage = _read(_write(tmp_path / "cut.zst", whole[:cut]))
    kept = sum(end <= cut for end in ends)
    assert len(lines) >= 50 * kept
    assert [n for n, _, _ in lines] == list(range(1, len(lines) + 1))
    assert [told.problem.split(":")[0] for told in damage] == ([] if cut in ends else ["zstd cut short"])


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_corrupt_place_ends_the_file_and_is_told(tmp_path: Path, kind: str) -> None:
    compressed = bytearray(PACKERS[kind](b"".join(_line(n, START + n * 7_919) for n in range(20_000))))
    at = len(compressed) * 3 // 4
    intact, _ = _read(_write(tmp_path / "cut", bytes(compressed[:at])))
    compressed[at : at + 400] = b"\xff" * 400
    lines, damage = _read(_write(tmp_path / "r", bytes(compressed)))
    lost = 1_000  # at most a step of compressed bytes
    assert 5_000 < len(intact) - lost <= len(lines) < 20_000
    assert lines[: len(intact) - lost] == intact[: len(intact) - lost]
    assert [told for told in damage if told.problem.startswith(f"corrupt {kind}: ")]


@pytest.mark.parametrize("kind", PACKERS)
def test_a_torn_last_line_is_told_and_not_delivered(tmp_path: Path, kind: str) -> None:
    lines, damage = _read(_write(tmp_path / "r", PACKERS[kind](_text(10) + _line(10)[:-12])))
    assert len(lines) == 10
    assert [(told.line, told.problem) for told in damage] == [(11, "torn last line: the file ends inside it")]


def test_a_last_line_without_its_end_is_read_where_its_frame_is_whole(tmp_path: Path) -> None:
    lines, damage = _read(_write(tmp_path / "r", _text(10).rstrip()))
    assert len(lines) == 10
    assert damage == []


@pytest.mark.parametrize("tail", [b"17231612561", b"1723161256172216577", b"1723161256172216577 ", b"\xff\xfe"])
def test_a_last_line_torn_before_its_frame_is_told(tmp_path: Path, tail: bytes) -> None:
    lines, damage = _read(_write(tmp_path / "r", _text(3) + tail))
    assert len(lines) == 3
    assert [told.line for told in damage] == [4]


def test_lines_without_a_timestamp_are_skipped_and_told_with_their_numbers(tmp_path: Path) -> None:
    bad = [
        b"no time here {}\n",
        b"-5 {}\n",
        b"1_000 {}\n",
        b"1723161256.5 {}\n",
        b"1723161256172216566\n",
        b"1723161256172216566 \n",
    ]
    content = _line(0) + b"".join(line + _line(n + 1) for n, line in enumerate(bad)) + b"\n  \n\r\n"
    lines, damage = _read(_write(tmp_path / "r", content))
    assert [n for n, _, _ in lines] == [1, 3, 5, 7, 9, 11, 13]
    assert [told.line for told in damage] == [2, 4, 6, 8, 10, 12]  # blank lines are nothing
    assert {told.problem.split(":")[0] for told in damage} == {"line without a timestamp", "line without a frame"}
    assert "not a whole number" in damage[3].problem


def test_lines_that_end_in_carriage_returns_are_read(tmp_path: Path) -> None:
    lines, damage = _read(_write(tmp_path / "r", _text(4).replace(b"\n", b"\r\n")))
    assert [data for _, _, data in lines] == [_line(n).partition(b" ")[2].rstrip() for n in range(4)]
    assert damage == []


def test_time_that_goes_back_is_held_counted_and_told_once(tmp_path: Path) -> None:
    offsets = [0, 10, 10, 5, 7, 20, 19]
    path = _write(tmp_path / "r", b"".join(_line(0, START + offset) for offset in offsets))
    damage: list[Damage] = []
    reader = RecordingReader(path, "ns", damage.append)
    assert [ts - START for _, ts, _ in reader] == [0, 10, 10, 10, 10, 20, 20]
    assert reader.went_back == 3
    assert [(told.line, told.problem) for told in damage] == [
        (4, "time goes back: in 3 lines, here for the first time, by 5 ns; read as the time before")
    ]


@pytest.mark.parametrize(("unit", "factor"), [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)])
def test_timestamps_are_given_in_nanoseconds(tmp_path: Path, unit: str, factor: int) -> None:
    stamp = START // factor
    lines, damage = _read(_write(tmp_path / "r", b"%d {}\n" % stamp), unit)
    assert lines == [(1, stamp * factor, b"{}")]
    assert damage == []


def test_mixed_time_units_are_refused_with_both_lines(tmp_path: Path) -> None:
    path = _write(tmp_path / "r", _line(0) + _line(1) + b"%d {}\n" % (START // 1_000))
    with pytest.raises(RecordingError, match=r"mixed time units: line 3 \(1723161256172216\) is in us, line 1 is in ns"):
        _read(path)


def test_a_timestamp_of_no_unit_among_good_ones_is_told_and_skipped(tmp_path: Path) -> None:
    lines, damage = _read(_write(tmp_path / "r", _line(0) + b"172316125617221 {}\n" + _line(1)))
    assert [n for n, _, _ in lines] == [1, 3]
    assert [(told.line, told.problem) for told in damage] == [(2, "impossible timestamp: 172316125617221 in ns")]


def test_a_clock_that_starts_at_nothing_can_be_stated(tmp_path: Path) -> None:
    lines, _ = _read(_write(tmp_path / "r", b"0 {}\n5 {}\n3000000000 {}\n"), "us")
    assert [ts for _, ts, _ in lines] == [0, 5_000, 3_000_000_000_000]


def test_a_plainly_wrong_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"said to be in us, which makes it .*; in ns it is 2024-08-08"):
        _read(_write(tmp_path / "r", _text(1)), "us")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda _: None, "no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_bytes(b"\n\n"), "not a recording: it holds no line"),
        (lambda path: path.write_bytes(b"<html>not found</html>\n"), "named .gz, but neither gzip nor zstd by its first bytes"),
        (lambda path: path.write_bytes(gzip.compress(b"")), "not a recording: it holds no line"),
        (lambda path: path.write_bytes(gzip.compress(b"a,b,c\n1,2,3\n")), "not a recording: line 1: line without a timestamp"),
        (lambda path: path.write_bytes(bytes(20 << 20)), "longer than 16777216 bytes: not a recording"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, make: object, problem: str) -> None:
    path = tmp_path / "r.gz"
    make(path)  # type: ignore[operator]
    with pytest.raises(RecordingError, match=problem) as e:
        read_sample(path, 100)
    assert str(path) in str(e.value)
    assert e.value.exit_code == 2


def test_a_missing_file_names_what_is_near_it(tmp_path: Path) -> None:
    (tmp_path / "btc.dat.gz").touch()
    with pytest.raises(RecordingError, match=r"no such file; near it: btc\.dat\.gz"):
        read_sample(tmp_path / "btc.gz", 1)


def test_a_sample_is_the_beginning_and_says_whether_it_is_all(tmp_path: Path) -> None:
    path = _write(tmp_path / "r", _text(100))
    sample = read_sample(path, 100)
    assert sample.complete
    assert sample.stamps == tuple((n + 1, START + n) for n in range(100))
    shorter = read_sample(path, 99)
    assert not shorter.complete
    assert shorter.messages == sample.messages[:99]


def test_a_file_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.zst"
    size = 0
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as writer:
        for seed in range(100):
            noise = np.random.default_rng(seed).bytes(60_000).hex().encode()
            size += writer.write(b"".join(b'%d {"noise":"%s"}\n' % (START, noise[n : n + 120]) for n in range(0, 120_000, 120)))
    tracemalloc.start()
    count = sum(1 for _ in RecordingReader(path, "ns", lambda _: None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 2 << 20 < size // 3
