"""The other end of a session's control socket: a command to a running session, from another process."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Final

import msgspec

from vtframe.engine.commands import Command
from vtframe.engine.control import ADDRESS, SESSION, Answer
from vtframe.engine.report import JOURNAL, REPORT
from vtframe.errors import SessionError

_PATIENCE_S: Final = 300.0  # for a model to open


def tell_session(folder: Path, command: Command, *, patience_s: float = _PATIENCE_S) -> dict[str, Any]:
    """Let the session in ``folder`` carry out a command; what it told.

    Raises SessionError where it is no session's folder, where it does not run any more, or with the session's own reason.
    """
    address = _address(folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience_s)
        try:
            connection.connect(address)
            connection.sendall(msgspec.json.encode(command) + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
        except PermissionError:
            raise SessionError(str(folder), "belongs to another user", "commands are for the user who runs it") from None
        except TimeoutError:
            raise SessionError(str(folder), f"did not answer within {patience_s:g} s", "look at its log") from None
        except OSError as e:
            problem = f"does not run any more, and did not end in order: nobody listens at {address} ({e.strerror or e})"
            raise SessionError(str(folder), problem, "`vtframe report` shows what it did") from None
    if not line:
        raise SessionError(str(folder), "ended before it answered", "`vtframe report` shows what it did")
    answer = msgspec.json.decode(line, type=Answer)
    if not answer.ok:
        raise SessionError(str(folder) if answer.where == SESSION else answer.where, answer.problem, answer.hint)
    return answer.told


def _address(folder: Path) -> str:
    try:
        return (folder / ADDRESS).read_text(encoding="utf-8").strip()
    except OSError:
        if not (folder / JOURNAL).is_dir():
            problem = "is not a session folder" if folder.is_dir() else "does not exist"
            raise SessionError(str(folder), problem, "name the folder that `vtframe run` printed") from None
        problem = "has ended" if (folder / REPORT).exists() else "takes no commands: it has no control socket"
        raise SessionError(str(folder), problem, "commands are for a session that runs") from None
