"""The command: what it prints, how it stops, and what it says when it cannot start."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from venue_process import listen, running_venue

from vtframe.errors import ConfigError, VtframeError
from vtframe.venue.settings import read_settings
from vtframe.venue.venue import Venue

COMMAND = [str(Path(sys.executable).with_name("vtframe")), "venue"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False)


def test_one_line_says_where_everything_is() -> None:
    with running_venue("--instrument", "spot:BTCUSDT") as venue:
        assert set(venue.urls) == {"url", "spot", "usdm", "coinm", "control"}
        assert set(venue.urls["usdm"]) == {"rest", "public", "market", "private", "ws_api"}
        assert venue.get("/venue/clock").body["speed"] == 1.0
        assert [one["symbol"] for one in venue.get("/api/v3/exchangeInfo").body["symbols"]] == ["BTCUSDT"]
        assert venue.get("/fapi/v1/exchangeInfo").body["symbols"] == []
        assert venue.get("/api/v3/nix").status == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_at_once_with_connections_open(number: signal.Signals) -> None:
    with running_venue("--instrument", "spot:BTCUSDT") as venue:
        with listen(f"{venue.urls['spot']['stream']}/ws/btcusdt@bookTicker") as one:
            one.recv(timeout=10)
            venue.process.send_signal(number)
            assert venue.process.wait(timeout=10) == 0
        assert venue.process.stderr is not None
        assert venue.process.stderr.read() == ""


def test_help_lists_the_options() -> None:
    result = run("--help")
    assert result.returncode == 0
    for option in ("--port", "--print-url", "--recording", "--load", "--fault", "--clock", "--config"):
        assert option in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--instrument", "nix:BTCUSDT"), "expected market:SYMBOL"),
        (("--config", "nowhere.toml"), "nowhere.toml: no such file"),
        (("--port", "99999"), "99999"),
    ],
)
def test_what_it_cannot_start_with_is_one_message(options: tuple[str, ...], words: str) -> None:
    result = run("--print-url", *options)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"instruments": ["spot:X"]}, "does not say its currencies"),
        ({"instruments": ["coinm:BTCUSDT"]}, "a coin and USD_PERP"),
        ({"instruments": ["spot:BTCUSDT", "spot:BTCUSDT"]}, "listed twice"),
        ({"speed": 0}, "command line speed: found 0 (integer), expected a number, more than 0, at most 1000"),
        ({"faults": ["drop"]}, "expected key=value, found 'drop'"),
        ({"faults": ["kind=nix"]}, "command line --fault 1: no fault 'nix': there are"),
        ({"faults": ["kind=gap", "kind=drpo"]}, "command line --fault 2: no fault 'drpo'; did you mean 'drop'?"),
        ({"faults": ["kind=drop shre=0.1"]}, "command line --fault 1 shre: found an unknown key; did you mean 'share'?"),
        ({"faults": ["kind=drop share=x"]}, 'command line --fault 1 share: found "x" (string), expected a number'),
        ({"regime": "bussy"}, "did you mean 'busy'?"),
        ({"recordings": ["nowhere.gz"]}, "nowhere.gz"),
    ],
)
def test_every_bad_setting_is_named(given: dict[str, object], words: str) -> None:
    with pytest.raises(VtframeError, match=re.escape(words)):
        Venue(read_settings(None, given))


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("--port", str(port), "--instrument", "spot:BTCUSDT")
    assert result.returncode == 2
    assert f"port {port}: cannot listen on 127.0.0.1" in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed = 'x'", 'venue.toml:1 seed: found "x" (string), expected an integer, at least 0'),
        ("color = 1", "venue.toml:1 color: found an unknown key"),
        ("\nsede = 1", "venue.toml:2 sede: found an unknown key; did you mean 'seed'?"),
        ("seed = ", "venue.toml:1: not TOML"),
        ("[[accounts]]\nsecret = 'a'\nspot = { USDT = 'x' }", "venue.toml:3 [[accounts]] 1 spot USDT"),
        (
            "[[faults]]\nkind = 'drop'\n[[faults]]\nkind = 'drpo'",
            "venue.toml:3 [[faults]] 2: no fault 'drpo'; did you mean 'drop'?",
        ),
        ("[[accounts]]\nname = 'a'", "has neither secret nor public_key"),
        ("[[accounts]]\nsecret = 'a'\npublic_key = 'b'", "public_key is no PEM public key"),
        ("[[accounts]]\nsecret = 'a'\n[[accounts]]\nsecret = 'b'", "is another account's"),
        ("[[faults]]\nkind = 'drop'\nshare = 3", "share"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "venue.toml"
    path.write_text(text)
    with pytest.raises(VtframeError, match=re.escape(words)):
        Venue(read_settings(path, {"instruments": ["spot:BTCUSDT"]}))


def test_all_faults_of_a_file_and_a_command_line_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "venue.toml"
    path.write_text("sede = 1\nspeed = 'fast'\n[[faults]]\nkind = 'drop'\nshare = 3\nstraem = '*'\n")
    with pytest.raises(ConfigError) as e:
        read_settings(path, {"port": 99_999, "faults": ["kind=drop share=2", "kind=slow dlay_ms=3"]})
    assert [(fault.line, fault.table, fault.key) for fault in e.value.faults] == [
        (1, "", "sede"),
        (2, "", "speed"),
        (5, "[[faults]] 1", "share"),
        (6, "[[faults]] 1", "straem"),
        (None, "", "port"),
        (None, "--fault 1", "share"),
        (None, "--fault 2", "dlay_ms"),
    ]


def test_what_a_command_line_says_takes_the_place_of_the_files_and_its_faults_come_after_them(tmp_path: Path) -> None:
    path = tmp_path / "venue.toml"
    path.write_text("seed = 1\nspeed = 2\n[[faults]]\nkind = 'gap'\n")
    settings = read_settings(path, {"seed": 5, "faults": ["kind=drop share=0.25 count=3"]})
    assert (settings.seed, settings.speed) == (5, 2.0)
    assert [(one.kind, one.share, one.count) for one in settings.faults] == [("gap", 1.0, None), ("drop", 0.25, 3)]


def test_accounts_of_a_file_stand_in_no_process_list(tmp_path: Path) -> None:
    path = tmp_path / "venue.toml"
    path.write_text(
        "instruments = ['spot:BTCUSDT']\n[[accounts]]\napi_key = 'mine'\nsecret = 'planted'\nspot = { USDT = '5' }\n"
    )
    with running_venue(config=path) as venue:
        command = Path(f"/proc/{venue.process.pid}/cmdline").read_bytes()
        assert b"planted" not in command
        account = venue.signed("GET", "/api/v3/account", key="mine", secret="planted")  # noqa: S106 - a test's own
        assert account.body["balances"] == [{"asset": "USDT", "free": "5.00000000", "locked": "0.00000000"}]
        assert "planted" not in json.dumps(venue.counters())
