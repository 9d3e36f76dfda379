"""Commands from another process: through a socket that is the user's alone, with an answer whatever was asked."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vtframe.engine.commands import Status
from vtframe.engine.control_client import tell_session
from vtframe.errors import SessionError
from vtframe.inference.bundle import load_bundle
from vtframe.plugins.local import load_local

rig: Any = load_local(Path(__file__).with_name("lifecycle_rig.py"), "lifecycle_rig.py")
MODEL = rig.MODEL


@pytest.fixture(scope="module")
def home(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(rig.make_home(root, tmp_path_factory.mktemp("control")))


@pytest.fixture
def running(root: Path, home: Path, tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A session in a process of its own, taking commands."""
    config = rig.configured(root, home, "session", speed=10)
    session = tmp_path / "session"
    command = [sys.executable, "-m", "vtframe.cli.main", "run", str(config), "--session", str(session), "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        rig.wait_for(lambda: (session / "control").exists() or process.poll() is not None)
        yield session, process
    finally:
        process.kill()
        process.communicate()


def vtframe(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vtframe.cli.main", "model", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def say(session: Path, line: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect((session / "control").read_text().strip())
        connection.sendall(line)
        return dict(msgspec.json.decode(connection.makefile("rb").readline()))


def test_a_running_session_is_told_by_command_to_swap_and_to_roll_back(
    home: Path, running: tuple[Path, subprocess.Popen[str]]
) -> None:
    session, process = running
    softer = home / "models" / "softer"
    done = vtframe("swap", session, MODEL, softer)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"from input [\d,]+ on, {softer} \([0-9a-f]{{12}}\) answers for {MODEL}\n", done.stdout)
    told = tell_session(session, Status())["models"][MODEL]
    assert told["hash"] == load_bundle(softer).hash
    assert told["changes"] == [f"swap, before it {home / 'models' / MODEL}"]
    assert told["lanes"] == [{"id": "demo", "shadow": False, "failed": ""}]
    assert vtframe("rollback", session, MODEL).returncode == 0
    for words, problem in (
        (("rollback", session, MODEL), "has no earlier version"),
        (("swap", session, "softer", softer), "has no model 'softer'"),
        (("swap", session, MODEL, home), f"{home}"),
    ):
        refused = vtframe(*words)
        assert refused.returncode == 2
        assert problem in refused.stderr
        assert "Traceback" not in refused.stderr
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    with pytest.raises(SessionError, match="has ended"):
        tell_session(session, Status())


def test_what_is_no_command_is_answered_and_the_next_one_is_taken(running: tuple[Path, subprocess.Popen[str]]) -> None:
    session, process = running
    for line, problem in (
        (b"\n", "does not know this command"),
        (b"swap it\n", "does not know this command"),
        (b'{"command": "halt"}\n', "'halt'"),
        (b'{"command": "swap", "model": "m"}\n', "`bundle`"),
        (b'{"command": "status", "of": "m"}\n', "`of`"),
        (b"\xff\xfe\n", "does not know this command"),
        (b"x" * 70_000 + b"\n", "at most 65536 bytes"),
    ):
        answer = say(session, line)
        assert not answer["ok"]
        assert problem in answer["problem"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect((session / "control").read_text().strip())
        connection.sendall(b'{"command": "status"')  # and goes
    assert tell_session(session, Status())["inputs"] >= 0
    assert process.poll() is None


def test_nobody_else_can_reach_the_socket(running: tuple[Path, subprocess.Popen[str]]) -> None:
    session, _ = running
    path = Path((session / "control").read_text().strip())
    assert len(os.fsencode(path)) <= 107
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.parent.stat().st_uid == os.getuid()


def test_a_killed_session_is_told_as_such(running: tuple[Path, subprocess.Popen[str]]) -> None:
    session, process = running
    process.kill()
    process.wait()
    done = vtframe("rollback", session, MODEL)
    assert done.returncode == 2
    assert "does not run any more, and did not end in order" in done.stderr


@pytest.mark.parametrize(("name", "problem"), [("nothing", "does not exist"), ("", "is not a session folder")])
def test_what_is_no_session_is_told(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(SessionError, match=problem):
        tell_session(tmp_path / name, Status())
