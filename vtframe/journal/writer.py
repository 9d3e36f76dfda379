"""Appends records to a journal. A record is with the kernel when ``write`` returns: orders are written before they are sent."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import msgspec

from vtframe.errors import JournalError, JournalWriteError
from vtframe.journal.records import Checkpoint, OrderApproved, Record, SessionStopped
from vtframe.journal.segment import FRAME, HEADER_BYTES, Segment, TornTail, frame, header, segment_path, segments

Sync = Literal["os", "fsync"]
_MEGABYTE = 1 << 20


class JournalWriter:
    """Makes a journal in ``folder``, or goes on with the one that is there (its torn tail, if any, is truncated: ``torn``).

    ``sync="os"``: every record is handed to the kernel and so survives the death of the process; checkpoints are brought to
    the disk by a thread, and no order waits for them. ``sync="fsync"``: approved orders, checkpoints and the stop are on the
    disk when ``write`` returns. Either way a segment is on the disk when it is full and when the journal is closed.

    Raises JournalError where the journal cannot be written (then only whole records are left behind, and writing may be
    tried again), is damaged, belongs to another session, or is being written by another.
    """

    def __init__(self, folder: Path, *, session_id: str, segment_bytes: int = 64 * _MEGABYTE, sync: Sync = "os") -> None:
        self.folder = folder
        self.session_id = session_id
        self.torn: TornTail | None = None
        self.records = 0  # written by this writer
        self._segment_bytes = segment_bytes
        self._on_disk: tuple[type, ...] = (OrderApproved, Checkpoint, SessionStopped) if sync == "fsync" else ()
        self._in_background: tuple[type, ...] = (Checkpoint,) if sync == "os" else ()
        self._syncer: ThreadPoolExecutor | None = None
        self._syncing: Future[None] | None = None
        self._encode = msgspec.msgpack.Encoder().encode
        self._closed = "is closed"
        self._number = self._offset = 0
        self._fd = -1
        header(session_id, 1)  # refuses a bad id before anything is made
        self._folder_fd = _claim(folder)
        try:
            existing = segments(folder)
            if existing:
                self._continue(existing)
            else:
                self._begin_segment(1)
        except BaseException:
            self._release()
            raise

    @property
    def path(self) -> Path:
        """The segment that is being written."""
        return segment_path(self.folder, self._number)

    def write(self, *records: Record) -> None:
        """Append ``records`` with one write."""
        payloads = [self._encode(record) for record in records]
        length = sum(map(len, payloads)) + FRAME.size * len(payloads)
        if HEADER_BYTES < self._offset > self._segment_bytes - length:
            self.rotate()
        end, frames = self._offset, []
        for payload in payloads:
            frames.append(frame(payload, end))
            end += FRAME.size + len(payload)
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        try:
            written = os.write(self._fd, data)
            while written != len(data):  # the kernel took a part: the disk is filling up
                written += os.write(self._fd, data[written:])
        except OSError as e:
            raise self._undone(e) from None
        self._offset = end
        self.records += len(records)
        for record in records:
            kind = type(record)
            if kind in self._on_disk:
                self._fsync(self._fd)
            elif kind in self._in_background:
                self._fsync_in_background()

    def rotate(self) -> None:
        """Finish this segment and begin the next one."""
        if self._fd < 0:
            raise JournalError(str(self.path), self._closed)
        self._fsync(self._fd)
        self._begin_segment(self._number + 1)

    @property
    def size(self) -> int:
        """Bytes in this segment."""
        return self._offset

    def restart(self) -> None:
        """Throw this segment's records away, and go on in it: for a journal that nobody will read."""
        end = len(header(self.session_id, self._number))
        os.ftruncate(self._fd, end)
        self._offset = end

    def abandon(self) -> None:
        """Let go as ``close`` does, and leave it to the kernel what comes to the disk."""
        self._release()

    def close(self) -> None:
        """Bring everything to the disk and let go; may be called twice."""
        try:
            if self._syncer is not None:
                self._syncer.shutdown(wait=True)
            if self._fd >= 0:
                self._fsync(self._fd)
        finally:
            self._release()

    def _continue(self, existing: list[Path]) -> None:
        last = existing[-1]
        for path in existing:
            segment = Segment(path, last=path == last)
            for _ in segment.payloads():
                pass
            if segment.session_id not in {"", self.session_id}:
                raise JournalError(
                    str(path), f"belongs to session {segment.session_id!r}, not to {self.session_id!r}", "choose another folder"
                )
        self.torn = segment.torn
        self._number = len(existing)
        if not segment.end:  # not even the header was written whole
            last.unlink()
            self._begin_segment(self._number)
            return
        try:
            self._fd = os.open(last, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            os.ftruncate(self._fd, segment.end)
        except OSError as e:
            raise JournalError(str(last), f"cannot be continued: {e.strerror}") from None
        self._offset = segment.end

    def _begin_segment(self, number: int) -> None:
        """Make segment ``number`` and move to it; where that fails, the segment before it stays the current one."""
        path = segment_path(self.folder, number)
        data = header(self.session_id, number)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as e:
            raise JournalError(str(path), f"cannot be made: {e.strerror}") from None
        try:
            written = os.write(fd, data)
            while written != len(data):
                written += os.write(fd, data[written:])
            os.fsync(self._folder_fd)  # the new name
        except OSError as e:
            os.close(fd)
            path.unlink()
            raise JournalError(str(path), f"cannot be made: {e.strerror}", "free the disk") from None
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._number, self._offset = fd, number, len(data)

    def _undone(self, e: OSError) -> JournalWriteError:
        """Take back what was written of a record; where even that fails, the journal is closed for good."""
        where = f"{self.path} at byte {self._offset}"
        if self._fd < 0:
            return JournalWriteError(str(self.path), self._closed)
        try:
            os.ftruncate(self._fd, self._offset)
        except OSError as again:
            self._closed = f"was closed after a failed write: {e.strerror}, {again.strerror}"
            os.close(self._fd)
            self._fd = -1
        return JournalWriteError(
            where, f"cannot be written: {e.strerror}", "free the disk; no order is sent that is not in the journal"
        )

    def _fsync(self, fd: int) -> None:
        try:
            os.fsync(fd)
        except OSError as e:
            raise JournalWriteError(str(self.path), f"cannot be brought to the disk: {e.strerror}", "check the disk") from None

    def _fsync_in_background(self) -> None:
        if self._syncer is None:
            self._syncer = ThreadPoolExecutor(1, thread_name_prefix="journal-sync")
        if self._syncing is not None:
            if not self._syncing.done():
                return  # the disk is slower than the checkpoints; the next one covers this one
            self._syncing.result()  # what went wrong with the last one
        self._syncing = self._syncer.submit(self._fsync_and_close, os.dup(self._fd))

    def _fsync_and_close(self, fd: int) -> None:
        try:
            self._fsync(fd)
        finally:
            os.close(fd)

    def _release(self) -> None:
        for fd in (self._fd, self._folder_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._folder_fd = -1


def _claim(folder: Path) -> int:
    """Make ``folder`` and lock it, for as long as the returned descriptor is open."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as e:
        raise JournalError(str(folder), f"cannot be made: {e.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise JournalError(
            str(folder), "is being written by another session", "stop that session, or write to another folder"
        ) from None
    return fd
