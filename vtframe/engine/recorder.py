"""Records what the feed delivered, off the hot path: noting an input is an append; a thread writes lines and compresses them.

Memory is bounded: what does not fit into the buffer, because the disk is too slow, is counted as lost, and the recording says
where. Nobody ever waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from vtframe.api import Received, ReceivedConnection, ReceivedDamage, ReceivedMessage, ReceivedRecords
from vtframe.domain import EVENT, FRAME
from vtframe.errors import VtframeError
from vtframe.wire import ConnectionChange, DamageSeen, FrameRecords
from vtframe.wire.marks import PREFIX
from vtframe.wire.recording_writer import RecordingWriter

_log = logging.getLogger("vtframe.recorder")
_BLOCK_S: Final = 1.0  # the oldest line of a block waits no longer for it to be written
_NAP_S: Final = 0.05
_CHUNK: Final = 32  # inputs written down at once: so long the thread keeps the interpreter from the engine, some 20 us
_LARGEST: Final = 1 << 26  # bytes of one input; a reader takes lines of twice that
_OVERHEAD: Final = 128  # bytes of memory that an input takes besides its data
_TOGETHER: Final = 1 << 18  # bytes of lines that are written down at once
_ESCAPED: Final = b" " + PREFIX


class Recorder:
    """Takes inputs by ``add`` from the engine's thread, and writes them with ``writer`` from its own.

    ``now`` tells the time of what brings none (a connection's change, damage). Where the disk does not take any more,
    ``on_failure`` is told why, once, in the recorder's thread; nothing is recorded from there on and everything is counted.
    """

    def __init__(
        self,
        writer: RecordingWriter,
        *,
        now: Callable[[], int],
        on_failure: Callable[[str], None],
        buffer_bytes: int = 64 << 20,
        patience_s: float = 10.0,
        waits: bool = False,
    ) -> None:
        """``waits``: the market is not live, and ``add`` waits for room instead of losing an input."""
        self.failed = ""  # why, once it is
        self.inputs = 0  # that the feed delivered
        self._writer = writer
        self._now = now
        self._on_failure = on_failure
        self._limit = buffer_bytes
        self._patience_s = patience_s
        self._waits = waits
        self._queue: deque[Received | int] = deque()  # a number is how many were lost here
        self._came = 0  # bytes into the queue; written by the engine's thread
        self._went = 0  # bytes out of it; written by ours
        self._lost = 0  # given up by the engine's thread
        self._gap = 0  # of them, those that the queue does not say yet
        self._largest = 0  # bytes that waited at once
        self._ts = 0  # of the newest input
        self._began = 0.0  # monotonic seconds: when the block in hand did
        self._seen_bytes = 0
        self._synced = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def add(self, received: Received, count: int = 1) -> None:
        """Note an input (each frame of records is one). On the hot path; never waits."""
        self.inputs += count
        if type(received) is ReceivedMessage:
            size = len(received.data) + _OVERHEAD
        elif type(received) is ReceivedRecords:
            size = len(received.frames) + len(received.events) + _OVERHEAD
        else:
            size = 2 * _OVERHEAD
        held = self._came - self._went + size
        if held > self._limit and self._waits:
            held = self._wait_for_room(size)
        if (held > self._limit and not self._waits) or size > _LARGEST or self.failed:
            self._lost += count
            self._gap += count
            return
        if self._gap:
            self._queue.append(self._gap)
            self._gap = 0
        if held > self._largest:
            self._largest = held
        self._came += size
        self._queue.append(received)

    def _wait_for_room(self, size: int) -> int:
        """What is held with ``size`` more, once it fits or nothing else waits."""
        while not self.failed and self._came - self._went + size > self._limit and self._queue:
            time.sleep(_NAP_S / 10)
        return self._came - self._went + size

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Write what is waiting, and the end of the recording. Comes back within about ``patience_s``."""
        if self._thread.ident is None:
            return
        self._stop.set()
        self._thread.join(self._patience_s)
        if self._thread.is_alive() and not self.failed:
            self._fail(f"the disk did not take the rest within {self._patience_s:g} s")

    def report(self) -> dict[str, Any]:
        """``recorder`` of report.json. ``lost`` are inputs that are not in the recording (not yet, while it runs)."""
        writer = self._writer
        return {
            "inputs": self.inputs,
            "recorded": writer.written,
            "lost": self._lost if not self.failed else self.inputs - writer.written,
            "bytes": writer.bytes,
            "files": len(writer.files),
            "largest_buffer": self._largest,
            "failed": self.failed,
        }

    def _run(self) -> None:
        try:
            self._write_until_stopped()
        except (OSError, VtframeError) as e:
            self._fail(e.strerror or str(e) if isinstance(e, OSError) else str(e))
        except Exception as e:  # noqa: BLE001 - a fault of ours must not go unheard in a thread
            self._fail(f"{type(e).__name__}: {e}")
        finally:
            self._queue.clear()
            self._writer.abandon()

    def _write_until_stopped(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(_NAP_S)
            while self._queue:
                self._write_chunk()
                self._tend()
                time.sleep(0)  # let the engine have the interpreter
            self._tend()
        if self._gap:
            self._writer.lost(self._time(), self._gap)
        self._writer.close()

    def _tend(self) -> None:
        """Write a block that is a second old, and bring to the disk what is: a power cut costs little more than a kill."""
        writer, now = self._writer, time.monotonic()
        if writer.bytes != self._seen_bytes or not writer.waiting:  # a block went out, and another begins
            self._seen_bytes = writer.bytes
            self._began = now
        if now - self._began >= _BLOCK_S:
            writer.flush()
        if now - self._synced >= _BLOCK_S:
            self._synced = now
            writer.sync()

    def _write_chunk(self) -> None:
        queue = self._queue
        chunk = [queue.popleft() for _ in range(min(_CHUNK, len(queue)))]
        if not self._write_messages(chunk):
            for item in chunk:
                self._write(item)

    def _write_messages(self, chunk: Sequence[Received | int]) -> bool:
        """A chunk of plain messages of one connection, in a few calls; False for any other."""
        writer = self._writer
        messages = [item for item in chunk if type(item) is ReceivedMessage]
        if len(messages) < len(chunk) or {message.connection for message in messages} != {writer.connection}:
            return False
        text = b"".join([b"%d %b\n" % (message.ts_recv, message.data) for message in messages])
        plain = text.count(b"\n") == len(messages) and not (b"\r\n" in text or b" \n" in text or _ESCAPED in text)
        if not plain or len(text) > _TOGETHER:
            return False
        self._ts = messages[-1].ts_recv
        writer.lines(text, self._ts, inputs=len(messages), count=len(messages))
        self._went += sum([len(message.data) + _OVERHEAD for message in messages])
        return True

    def _write(self, item: Received | int) -> None:
        writer = self._writer
        match item:
            case ReceivedMessage():
                self._ts = item.ts_recv
                writer.frame(item.ts_recv, item.data, item.connection)
                self._went += len(item.data) + _OVERHEAD
            case ReceivedRecords():
                self._write_records(item)
                self._went += len(item.frames) + len(item.events) + _OVERHEAD
            case ReceivedConnection():
                writer.mark(self._time(), ConnectionChange(item.connection, item.up, item.reason), inputs=1)
                self._went += 2 * _OVERHEAD
            case ReceivedDamage():
                writer.mark(self._time(), DamageSeen(_text(item.where), _text(item.problem)), inputs=1)
                self._went += 2 * _OVERHEAD
            case _:
                writer.lost(self._time(), item)

    def _write_records(self, item: ReceivedRecords) -> None:
        events = np.frombuffer(item.events, EVENT)
        for frame in np.frombuffer(item.frames, FRAME).tolist():
            _, ts_recv, first_id, last_id, previous_id, checksum, connection, instrument, kind, count, start = frame
            owned = [event[1:] for event in events[start : start + count].tolist()]
            mark = FrameRecords((first_id, last_id, previous_id), checksum, connection, instrument, kind, owned)
            self._writer.mark(ts_recv, mark, inputs=1)
            self._ts = ts_recv

    def _time(self) -> int:
        return self._ts or self._now()

    def _fail(self, reason: str) -> None:
        self.failed = reason
        _log.error("recording stopped: %s", reason)
        self._on_failure(reason)


def _text(text: str) -> str:
    """Without what UTF-8 cannot hold (names of files may)."""
    return text.encode("utf-8", "replace").decode()
