"""``vtframe recording describe`` says what a foreign file holds and writes a sidecar that a session can use."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from binance_files import FILES, File, file_ids
from click.testing import CliRunner, Result

from vtframe.cli.recording import recording
from vtframe.errors import ConfigError, RecordingError
from vtframe.wire import load_sidecar


def _describe(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(recording, ["describe", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def small(tmp_path: Path) -> Path:
    lines = [
        b'{"lastUpdateId":1,"bids":[["1.10","2"]],"asks":[["1.20","2"]]}',
        b'{"e":"depthUpdate","E":1723161257440,"s":"BTCUSDT","U":2,"u":4,"b":[["1.10","2"]],"a":[]}',
        b'{"e":"depthUpdate","E":1723161257440,"s":"BTCUSDT","U":5,"u":6,"b":[],"a":[]}',
        b'{"e":"depthUpdate","E":1723161257440,"s":"BTCUSDT","U":8,"u":9,"b":[],"a":[]}',
        b"{broken",
        b'{"result":null,"id":1}',
    ] + [b'{"u":9,"s":"BTCUSDT","b":"1.10","B":"2","a":"1.20","A":"3"}'] * 60
    path = tmp_path / "small.gz"
    path.write_bytes(gzip.compress(b"".join(b"%d %b\n" % (1_723_161_256_000_000_000 + n, x) for n, x in enumerate(lines))))
    return path


@pytest.mark.parametrize("file", [FILES[0], FILES[4], FILES[5]], ids=file_ids([FILES[0], FILES[4], FILES[5]]))
def test_a_recorded_file_is_described(recorded: Path, tmp_path: Path, file: File) -> None:
    path = tmp_path / file.name
    shutil.copy(recorded / file.name, path)
    found = json.loads(_describe(path, "--json").stdout)
    assert (found["lines"], found["time_unit"], found["codec"], found["compression"]) == (
        file.lines,
        file.unit,
        "binance",
        "gzip",
    )
    (part,) = found["instruments"]
    assert part["instrument"] == f"{file.symbol}@{file.venue}"
    assert (part["depth"], part["quotes"], part["trades"], part["snapshots"]) == (
        file.depth,
        file.quotes,
        file.trades,
        file.snapshots,
    )
    assert (part["breaks"], part["units"], found["broken"], found["damaged"]) == (0, "known", 0, 0)
    sidecar = load_sidecar(tmp_path / (file.name + ".toml"))
    assert (sidecar.lines, sidecar.snapshots, sidecar.time_unit) == (file.lines, file.snapshots, file.unit)
    assert [i.instrument_id for i in sidecar.instruments] == [part["instrument"]]


def test_gaps_and_broken_messages_are_shown_with_their_lines(small: Path) -> None:
    text = _describe(small).stdout
    assert f"1 breaks in the chain of update ids, the first at {small}:4" in text
    assert "1 broken messages, 0 damaged places" in text
    assert f"{small}:5: broken message: " in text
    assert "bookTicker 60, depthUpdate 3, snapshot 1, result 1" in text
    assert f"wrote {small}.toml" in text


def test_a_sidecar_is_replaced_only_on_request(small: Path) -> None:
    _describe(small)
    with pytest.raises(RecordingError, match="there is a sidecar already; replace it with --force"):
        _describe(small)
    Path(f"{small}.toml").write_text("nonsense = 1")
    _describe(small, "--force")
    assert load_sidecar(Path(f"{small}.toml")).codec == "binance"


def test_the_file_that_one_continues_is_written_down(small: Path, tmp_path: Path) -> None:
    shutil.copy(small, tmp_path / "before.gz")
    _describe(small, "--after", tmp_path / "before.gz")
    assert load_sidecar(Path(f"{small}.toml")).after == "before.gz"
    with pytest.raises(RecordingError, match="no such file"):
        _describe(small, "--force", "--after", tmp_path / "nothing.gz")
    with pytest.raises(RecordingError, match="is said to continue itself"):
        _describe(small, "--force", "--after", small)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--venue", "binance_usdm"], "said to be binance_usdm, but its frames are of BTCUSDT@binance_spot"),
        (["--symbol", "ETHUSDT"], "said to be ETHUSDT, but its frames are of BTCUSDT@binance_spot"),
        (["--time-unit", "us"], "said to be in us"),
        (["--codec", "binanze"], "no codec 'binanze'; did you mean 'binance'?"),
    ],
)
def test_what_is_said_wrongly_is_refused_and_nothing_is_written(small: Path, arguments: list[str], problem: str) -> None:
    with pytest.raises(RecordingError) as e:
        _describe(small, *arguments)
    assert problem in str(e.value)
    assert [p.name for p in small.parent.iterdir()] == ["small.gz"]


def test_venue_and_symbol_settle_what_the_frames_leave_open(tmp_path: Path) -> None:
    path = tmp_path / "snapshot_only.gz"
    path.write_bytes(gzip.compress(b'1723161256000000000 {"lastUpdateId":1,"bids":[["1.10","2"]],"asks":[["1.20","2"]]}\n'))
    with pytest.raises(RecordingError, match="leave in doubt what they are of"):
        _describe(path)
    with pytest.raises(RecordingError, match="no codec reads the venue 'binance_sport'; did you mean 'binance_spot'"):
        _describe(path, "--venue", "binance_sport", "--symbol", "BTCUSDT")
    with pytest.raises(RecordingError, match="the units of ODDUSDT@binance_spot are not known"):
        _describe(path, "--venue", "binance_spot", "--symbol", "ODDUSDT")
    with pytest.raises(RecordingError, match="none of its first 1 messages is of BTCUSDT@binance_usdm"):
        _describe(path, "--venue", "binance_usdm", "--symbol", "BTCUSDT")
    assert "BTCUSDT@binance_spot" in _describe(path, "--venue", "binance_spot", "--symbol", "BTCUSDT").stdout


def test_a_configuration_that_cannot_be_read_is_told(small: Path, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, RecordingError), match="nowhere"):
        _describe(small, "-c", tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b"<html>", "neither gzip nor zstd by its first bytes"),
        (gzip.compress(b'12345 {"u":9,"s":"BTCUSDT","b":"1.10","B":"2","a":"1.20","A":"3"}\n'), "no time of this century"),
        (gzip.compress(b'1723161256000000000 {"channel":"book"}\n'), "leave in doubt"),
    ],
    ids=["missing", "empty", "not gzip", "no unit", "foreign"],
)
def test_the_command_ends_with_one_message_and_code_2(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "r.gz"
    if content is not None:
        path.write_bytes(content)
    command = [sys.executable, "-m", "vtframe.cli.main", "recording", "describe", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert not Path(f"{path}.toml").exists()


def test_an_instrument_that_appears_late_is_described_too(tmp_path: Path) -> None:
    quote = b'{"u":9,"s":"%s","b":"1.10","B":"2","a":"1.20","A":"3"}'
    lines = [quote % b"BTCUSDT"] * 1_500 + [quote % b"ETHUSDT"]
    path = tmp_path / "r"
    path.write_bytes(b"".join(b"1723161256000000000 %b\n" % line for line in lines))
    found = json.loads(_describe(path, "--json").stdout)
    assert [part["instrument"] for part in found["instruments"]] == ["BTCUSDT@binance_spot", "ETHUSDT@binance_spot"]
    kept = json.loads(_describe(path, "--json", "--force", "--symbol", "ETHUSDT").stdout)
    assert [part["instrument"] for part in kept["instruments"]] == ["ETHUSDT@binance_spot"]
