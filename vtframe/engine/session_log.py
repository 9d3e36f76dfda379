"""The structured log of a session: JSON lines, rotated. Who logs only queues the record; a thread writes it."""

from __future__ import annotations

import logging
import logging.handlers
import queue
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from vtframe.errors import SessionError

LOGGER = "vtframe"
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class SessionLog:
    """While it is entered, what is logged under ``vtframe`` goes to ``folder/session.jsonl`` (and ``.1``, ``.2``, ... when
    it is full), one object a line: ``ts``, ``level``, ``logger``, ``message``, ``error`` where there is a traceback, and what
    was given as ``extra``. Raises SessionError where the file cannot be made.

    Nothing waits for it: where the queue is full or the disk fails, records are dropped and counted.
    """

    def __init__(
        self, folder: Path, *, level: int = logging.INFO, max_bytes: int = 16 << 20, backups: int = 8, queued: int = 10_000
    ) -> None:
        self.path = folder / "session.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _File(self.path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")
        except OSError as e:
            raise SessionError(str(self.path), f"cannot be made: {e.strerror}") from None
        self._file.setFormatter(_JsonLine())
        self._level = level
        self._queue: queue.Queue[Any] = queue.Queue(queued)
        self._handler = _Queueing(self._queue)
        self._listener = _Listener(self._queue, self._file)

    @property
    def dropped(self) -> int:
        """Records that are not in the file: the queue was full, or the disk failed."""
        return self._handler.dropped + self._file.failed

    def __enter__(self) -> Self:
        logger = logging.getLogger(LOGGER)
        self._previous = (logger.level, logger.propagate)
        logger.setLevel(self._level)
        logger.propagate = False
        logger.addHandler(self._handler)
        self._listener.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        logger = logging.getLogger(LOGGER)
        logger.removeHandler(self._handler)
        logger.level, logger.propagate = self._previous
        self._listener.stop()
        self._file.close()


class _JsonLine(logging.Formatter):
    """One log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text:
            line["error"] = record.exc_text
        line |= {key: value for key, value in record.__dict__.items() if key not in _OWN and key not in line}
        return msgspec.json.encode(line, enc_hook=repr).decode()


class _Queueing(logging.handlers.QueueHandler):
    """Hands records on to the thread; where it lags too far behind, they are dropped and counted."""

    dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Make the message here, while its arguments are what they were; the rest is the thread's work."""
        record.msg = record.getMessage()
        record.args = None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _Listener(logging.handlers.QueueListener):
    """The thread that writes."""

    def enqueue_sentinel(self) -> None:
        """Ask it to end once it has caught up; the standard one raises where the queue is full."""
        self.queue.put(self._sentinel)  # type: ignore[attr-defined]


class _File(logging.handlers.RotatingFileHandler):
    """Counts what the disk did not take, where the standard handler prints a traceback."""

    failed = 0

    def close(self) -> None:
        try:
            super().close()
        except OSError:  # what is still in its buffer does not fit
            self.failed += 1

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        self.failed += 1
