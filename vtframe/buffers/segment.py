"""Memory that processes share: mapped files in the shared-memory file system, allocated in full, gone with their owner.

Not multiprocessing.shared_memory: on Python 3.11 its resource tracker unlinks a segment when any process that attached exits.
The owner holds a lock on its folder for as long as it lives, however it ends; whoever starts next removes folders without one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.errors import SessionError

_PREFIX = "vtframe-"
_LOCK = "owner.lock"
_UNFINISHED_S = 60.0  # after which a folder that never got its name is left over
ALIGNMENT = 64  # of every array: a cache line


def shared_folder() -> Path:
    """Where segments go: ``$VTFRAME_SHM``, the shared-memory file system where there is one, else the temporary folder."""
    chosen = os.environ.get("VTFRAME_SHM")
    if chosen:
        return Path(chosen)
    memory = Path("/dev/shm")  # noqa: S108 - the shared-memory file system
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


class OwnedFolder:
    """A private folder in ``parent``. ``close`` removes it; so does the next owner's start, if this one is killed."""

    def __init__(self, parent: Path) -> None:
        """Raises OSError where it cannot be made."""
        sweep(parent)
        name = f"{_PREFIX}{os.getuid()}-{os.getpid()}-{secrets.token_hex(4)}"
        work = parent / f".{name}"
        self.path = parent / name
        work.mkdir(mode=0o700)
        self._lock = os.open(work / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # before the folder has its name: nobody sees it without
        work.rename(self.path)

    def close(self) -> None:
        """Remove everything; may be called twice."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


class SegmentFolder(OwnedFolder):
    """The segments of one owner."""

    def __init__(self, parent: Path | None = None) -> None:
        """Raises SessionError where the folder cannot be made."""
        parent = parent or shared_folder()
        try:
            super().__init__(parent)
        except OSError as e:
            raise SessionError(
                str(parent), f"shared memory cannot be made there: {e.strerror}", "name another folder in VTFRAME_SHM"
            ) from None

    def create(self, name: str, size: int) -> Path:
        """An empty segment of ``size`` bytes, all of them there. Raises SessionError where memory does not suffice."""
        path = self.path / name
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size)  # a page that is missing later would be a SIGBUS, not an error
            else:  # macOS
                os.pwrite(handle, b"\0" * size, 0)
        except OSError as e:
            path.unlink()
            if e.errno != errno.ENOSPC:
                raise
            free = shutil.disk_usage(self.path).free
            raise SessionError(
                str(self.path.parent),
                f"shared memory of {size / 1e6:.1f} MB is needed, {free / 1e6:.1f} MB are free",
                "free some, keep fewer rows with [rows] ring, or name another folder in VTFRAME_SHM",
            ) from None
        finally:
            os.close(handle)
        return path

    def remove(self, name: str) -> None:
        """Whoever has mapped it keeps it until it lets go."""
        (self.path / name).unlink(missing_ok=True)


def attach(path: Path) -> mmap.mmap:
    """Map a segment, to read and write. It stays mapped while an array on it lives."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return mmap.mmap(handle, os.fstat(handle).st_size)
    finally:
        os.close(handle)


class Placement:
    """Where arrays lie in a segment: each begins on a cache line of its own."""

    def __init__(self) -> None:
        self.size = 0
        self._placed: list[tuple[str, int, tuple[int, ...], np.dtype[Any]]] = []

    def add(self, name: str, shape: tuple[int, ...], dtype: Any) -> None:
        kind = np.dtype(dtype)
        self._placed.append((name, self.size, shape, kind))
        length = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        self.size += -(-max(length, 1) // ALIGNMENT) * ALIGNMENT

    def arrays(self, memory: mmap.mmap) -> dict[str, NDArray[Any]]:
        """The arrays by name, as views."""
        return {
            name: np.frombuffer(memory, kind, int(np.prod(shape, dtype=np.int64)), offset).reshape(shape)
            for name, offset, shape, kind in self._placed
        }


def _wall() -> float:
    return time.time()  # noqa: TID251 - of files, not of markets


def sweep(parent: Path) -> list[Path]:
    """Remove what owners that were killed left behind, and return it. Only this user's."""
    removed = []
    for path in (*parent.glob(f"{_PREFIX}{os.getuid()}-*"), *parent.glob(f".{_PREFIX}{os.getuid()}-*")):
        if path.name.startswith("."):
            with contextlib.suppress(OSError):
                if _wall() - path.stat().st_mtime < _UNFINISHED_S:
                    continue
        elif _is_owned(path):
            continue
        shutil.rmtree(path, ignore_errors=True)
        removed.append(path)
    return removed


def _is_owned(path: Path) -> bool:
    try:
        handle = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # not ours to judge
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)
