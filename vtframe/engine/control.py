"""The control socket of a running session: an operator's commands, one JSON object a line, one answer each. Only the user who
runs the session can reach it: the socket (0600) lies in a folder of its own (0700)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from vtframe.buffers.segment import OwnedFolder
from vtframe.engine.commands import Command
from vtframe.engine.lifecycle import Lifecycle
from vtframe.errors import InputError, VtframeError

ADDRESS: Final = "control"
"""File of the session's folder that says where the socket is. A Unix socket's own path has room for about 100 bytes."""
SESSION: Final = "the session"
_LIMIT: Final = 65_536  # bytes of one command
_LONGEST: Final = 100  # bytes of the socket's path
_log = logging.getLogger("vtframe.control")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command: ``told`` where it is done, else why not, and what to do about it."""

    ok: bool
    told: dict[str, Any] = {}
    where: str = ""
    problem: str = ""
    hint: str = ""


class Control:
    """Serves ``lifecycle`` while entered. A session whose socket cannot be made goes on without, and says so in its log."""

    def __init__(self, lifecycle: Lifecycle, folder: Path) -> None:
        self._lifecycle = lifecycle
        self._address = folder / ADDRESS
        self._place: OwnedFolder | None = None
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            self._place = _private_folder()
            path = self._place.path / "socket"
            self._server = await asyncio.start_unix_server(self._accept, str(path), limit=_LIMIT)
            path.chmod(0o600)
            written = self._address.with_suffix(".new")
            written.write_text(f"{path}\n", encoding="utf-8")
            written.replace(self._address)  # so that nobody reads half of it
        except (OSError, AttributeError, NotImplementedError) as e:  # no Unix sockets, or no place for one
            _log.warning("no control socket: %s", e)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._address.unlink(missing_ok=True)
        if self._server is not None:
            self._server.close()
        for talk in tuple(self._talks):
            talk.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await talk
        if self._place is not None:
            self._place.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.get_running_loop().create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                await writer.drain()
        except ValueError:  # of readline
            refusal = Answer(ok=False, where=SESSION, problem=f"takes commands of at most {_LIMIT} bytes")
            writer.write(msgspec.json.encode(refusal) + b"\n")
        except ConnectionError:
            _log.info("whoever gave a command has gone before the answer")
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            command = msgspec.json.decode(line, type=Command)
        except (msgspec.MsgspecError, UnicodeDecodeError) as e:
            return Answer(ok=False, where=SESSION, problem=f"does not know this command: {e}")
        try:
            return Answer(ok=True, told=await self._lifecycle.carry_out(command))
        except InputError as e:
            return Answer(ok=False, where=e.where, problem=e.problem, hint=e.hint)
        except VtframeError as e:
            return Answer(ok=False, where=SESSION, problem=f"refused the command: {e}")
        except Exception as e:  # noqa: BLE001 - the market goes on, whatever a command meets
            _log.exception("a command failed")
            return Answer(ok=False, where=SESSION, problem=f"failed to carry it out: {type(e).__name__}: {e}")


def _private_folder() -> OwnedFolder:
    """A new folder that is the user's alone, with a short path. What killed sessions left there is removed."""
    if not hasattr(socket, "AF_UNIX"):
        raise NotImplementedError("this platform has no Unix sockets")
    for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder is private
        if parent and os.access(parent, os.W_OK) and len(os.fsencode(parent)) < _LONGEST - 48:
            return OwnedFolder(Path(parent))
    raise OSError("no folder with a short path can be written")
