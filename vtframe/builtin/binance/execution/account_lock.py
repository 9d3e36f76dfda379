"""One account is traded by one session of a machine at a time: its lanes share a lock file, and another session is refused."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Self

from platformdirs import user_state_path

from vtframe.errors import SessionError


class AccountLock:
    """Held from ``take`` to ``release``, and let go by the system where the process dies. Several of one process may hold it.

    ``name`` tells the account apart; only its digest is in the file's name, and only the process's number in the file.
    """

    def __init__(self, name: str, *, folder: Path | None = None) -> None:
        digest = hashlib.blake2s(name.encode(), digest_size=12).hexdigest()
        self._path = (folder or user_state_path("vtframe") / "accounts") / f"{digest}.lock"
        self._file = -1

    def take(self) -> Self:
        """Raises SessionError where another process holds it, or where it cannot be made."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise SessionError(
                str(self._path), f"cannot be made: {e.strerror}", "set XDG_STATE_HOME to another folder"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            if owner == str(os.getpid()):  # another lane of this session
                return self
            self.release()
            problem = f"the account is traded by another session, process {owner or 'unknown'}"
            raise SessionError("the session", problem, "stop that one, or trade another account") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)
        return self

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
