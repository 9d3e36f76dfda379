"""Writes recordings: lines gathered to blocks, each a zstd frame of its own, in numbered files with their sidecars.

A block is at most 1 MiB of lines (one line may be longer) and is written by one call, so that whatever ends the process costs
the block in hand. What a full disk took of a block is taken back: a file ends with a whole one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import zstandard

from vtframe.errors import RecordingError
from vtframe.wire.marks import RECORDING_VERSION, End, Heading, Lost, Mark, Message, OnConnection, encode_mark, is_plain
from vtframe.wire.sidecar import Sidecar, sidecar_path, write_sidecar

BLOCK = 1 << 20  # bytes of lines in one zstd frame, at most
LEVEL = 3  # of compression


class BlockFile:
    """One file, appended to in whole blocks. It has its name from the first one on: nobody finds it without one.

    Raises RecordingError where it cannot be made, OSError where it cannot grow.
    """

    def __init__(self, path: Path, *, level: int = LEVEL) -> None:
        self.path = path
        self.size = 0
        self._compress = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True).compress
        self._unnamed = path.with_name(f".{path.name}.tmp")
        if path.exists():
            raise RecordingError(str(path), "is there already", "name another one, or remove it")
        try:
            self._fd = os.open(self._unnamed, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as e:
            raise RecordingError(str(path), f"cannot be made: {e.strerror or e}") from None

    def append(self, block: bytes) -> None:
        """Write one block; where that fails, nothing of it is left."""
        packed = memoryview(self._compress(block))
        written = 0
        try:
            while written < len(packed):  # the kernel takes a part where the disk is filling up
                written += os.write(self._fd, packed[written:])
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        if not self.size:
            self._unnamed.rename(self.path)
        self.size += written

    def sync(self) -> None:
        """Bring it to the disk."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """May be called twice."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
            if not self.size:
                self._unnamed.unlink(missing_ok=True)


class RecordingWriter:
    """One recording. Lines are gathered until a block is full or ``flush`` is called; ``inputs`` counts what is in them.

    Files are ``path_of(1)``, ``path_of(2)``, ...; the next one begins with the block after ``rotate_bytes`` (packed) were
    reached. A file is made with its first line, its sidecar before it; the sidecar is written again, with the count of lines,
    when the file is complete.

    Methods that write raise OSError (the disk does not take it; the block in hand is lost, and ``written`` says how many inputs
    are safe) or RecordingError (a file cannot be made).
    """

    def __init__(
        self,
        path_of: Callable[[int], Path],
        sidecar: Sidecar,
        *,
        recording: str,
        rotate_bytes: int | None = None,
        level: int = LEVEL,
    ) -> None:
        self.inputs = 0  # so far, gathered and lost ones included
        self.written = 0  # that are in the file, for all that the kernel knows
        self.bytes = 0  # written, packed
        self.connection = 0  # that frames are on, as the lines have it
        self.files: list[Path] = []
        self._path_of = path_of
        self.sidecar = sidecar  # what files that are finished from here on say
        self._recording = recording
        self._rotate = rotate_bytes
        self._level = level
        self._file: BlockFile | None = None
        self._lines = 0  # of the file in hand
        self._gathered: list[bytes] = []
        self._size = 0
        self._count = 0  # inputs gathered
        self._ts = 0  # of the last line
        self._more = False  # the last file's end says that another one follows

    @property
    def waiting(self) -> bool:
        """Whether something is gathered and not written."""
        return bool(self._gathered)

    def frame(self, ts_recv: int, data: bytes, connection: int) -> None:
        """A venue's message, an input."""
        if connection != self.connection:
            self.mark(ts_recv, OnConnection(connection), inputs=0)
            self.connection = connection
        if is_plain(data):
            self.lines(b"%d %b\n" % (ts_recv, data), ts_recv, inputs=1, count=1)
        else:
            self.mark(ts_recv, Message(data), inputs=1)

    def mark(self, ts: int, mark: Mark, *, inputs: int) -> None:
        """Anything else; ``inputs`` is 1 where it is one itself."""
        self.lines(b"%d %b\n" % (ts, encode_mark(mark)), ts, inputs=inputs, count=1)

    def lost(self, ts: int, inputs: int) -> None:
        """Say that so many inputs are missing here."""
        self.mark(ts, Lost(inputs), inputs=0)
        self.inputs += inputs

    def lines(self, text: bytes, ts: int, *, inputs: int, count: int) -> None:
        """Whole lines as they stand, ``count`` of them, the last of time ``ts``; their frames are of the present connection."""
        if self._size and self._size + len(text) > BLOCK:
            self.flush()
        if self._file is None:
            self._begin(int(text.partition(b" ")[0]))
        self._gathered.append(text)
        self._size += len(text)
        self._lines += count
        self._count += inputs
        self.inputs += inputs
        self._ts = ts
        if self._size >= BLOCK:
            self.flush()

    def flush(self) -> None:
        """Write the block in hand, and begin a new file where this one is full."""
        if self._file is None or not self._gathered:
            return
        block, count = b"".join(self._gathered), self._count
        self._gathered, self._size, self._count = [], 0, 0
        before = self._file.size
        self._file.append(block)
        self.written += count
        self.bytes += self._file.size - before
        if self._rotate is not None and self._file.size >= self._rotate:
            self._finish(more=True)

    def rotate(self) -> None:
        """End the file in hand, where there is one; the next line begins another."""
        self.flush()
        self._finish(more=True)

    def sync(self) -> None:
        """Bring to the disk what is written."""
        if self._file is not None:
            self._file.sync()

    def close(self) -> None:
        """Write what is gathered, and the end; may be called twice, and after an error only closes."""
        try:
            self.flush()
            if self._file is None and self._more:  # it was said that another file follows
                self._begin(self._ts)
                self.flush()
            self._finish(more=False)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it is."""
        if self._file is not None:
            self._file.close()
            if not self._file.size:  # it never got its name
                sidecar_path(self.files.pop()).unlink(missing_ok=True)
            self._file = None
        self._gathered, self._size, self._count = [], 0, 0

    def _begin(self, ts: int) -> None:
        number = len(self.files) + 1
        path = self._path_of(number)
        sidecar = self.sidecar
        if self.files:
            sidecar = msgspec.structs.replace(sidecar, after=self.files[-1].name)
        write_sidecar(sidecar_path(path), sidecar)
        self._file = BlockFile(path, level=self._level)
        self.files.append(path)
        heading = Heading(
            version=RECORDING_VERSION, recording=self._recording, file=number, first=self.inputs, connection=self.connection
        )
        line = b"%d %b\n" % (ts, encode_mark(heading))
        self._gathered, self._size, self._lines = [line], len(line), 1

    def _finish(self, *, more: bool) -> None:
        """The end of the file in hand."""
        file = self._file
        if file is None:
            return
        before = file.size
        file.append(b"%d %b\n" % (self._ts, encode_mark(End(self.inputs, more))))
        self.bytes += file.size - before
        file.sync()
        file.close()
        self._file = None
        self._more = more
        self._lines += 1
        after = self.files[-2].name if len(self.files) > 1 else self.sidecar.after
        write_sidecar(sidecar_path(file.path), msgspec.structs.replace(self.sidecar, after=after, lines=self._lines))
