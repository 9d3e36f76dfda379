"""The session's log: JSON lines, rotated, and never in anybody's way."""

from __future__ import annotations

import json
import logging
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from vtframe.engine.session_log import SessionLog
from vtframe.errors import SessionError

log = logging.getLogger("vtframe.test")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_records_become_lines_of_json_with_what_was_given_as_extra(tmp_path) -> None:
    with SessionLog(tmp_path / "log") as session_log:
        log.info("book %s is %s", "BTCUSDT", "LIVE", extra={"input": 17, "price": Decimal("1.50"), "where": {1, 2} & {1}})
        log.debug("not at this level")
        log.warning('a "quoted" line\nof two', extra={"nan": float("nan")})
    first, second = lines(session_log.path)
    assert session_log.path == tmp_path / "log" / "session.jsonl"
    assert (first["message"], first["level"], first["logger"]) == ("book BTCUSDT is LIVE", "info", "vtframe.test")
    assert (first["input"], first["price"], first["where"]) == (17, "1.50", [1])
    assert first["ts"].endswith("+00:00")
    assert second["message"] == 'a "quoted" line\nof two'
    assert session_log.dropped == 0


def test_a_traceback_is_kept_in_its_line(tmp_path) -> None:
    with SessionLog(tmp_path) as session_log:
        try:
            int("no such thing")
        except ValueError:
            log.exception("failed")
    (line,) = lines(session_log.path)
    assert "ValueError: invalid literal" in line["error"]
    assert "test_session_log.py" in line["error"]


def test_what_cannot_be_written_as_json_is_written_as_its_repr(tmp_path) -> None:
    with SessionLog(tmp_path) as session_log:
        log.info("odd", extra={"thing": object})
    assert lines(session_log.path)[0]["thing"] == "<class 'object'>"


def test_an_argument_that_changes_later_is_logged_as_it_was(tmp_path) -> None:
    with SessionLog(tmp_path) as session_log:
        changing = [1]
        log.info("%s", changing)
        changing.append(2)
    assert lines(session_log.path)[0]["message"] == "[1]"


def test_the_log_is_rotated_and_keeps_the_newest(tmp_path) -> None:
    with SessionLog(tmp_path, max_bytes=2000, backups=2) as session_log:
        for i in range(200):
            log.info("line %d", i)
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == ["session.jsonl", "session.jsonl.1", "session.jsonl.2"]
    assert all(f.stat().st_size <= 2000 for f in files)
    numbers = [int(line["message"].split()[1]) for f in (files[2], files[1], files[0]) for line in lines(f)]
    assert numbers == list(range(numbers[0], 200))
    assert session_log.dropped == 0


def test_a_full_queue_drops_and_counts_and_nobody_waits(tmp_path, monkeypatch) -> None:
    session_log = SessionLog(tmp_path, queued=5)
    let_go, waiting = threading.Event(), threading.Event()
    real = session_log._file.emit

    def slow(record: logging.LogRecord) -> None:
        waiting.set()
        let_go.wait()
        real(record)

    monkeypatch.setattr(session_log._file, "emit", slow)
    with session_log:
        log.info("first")
        waiting.wait()
        for i in range(50):
            log.info("line %d", i)
        let_go.set()
    assert session_log.dropped == 45
    assert len(lines(session_log.path)) == 6


def test_a_disk_that_fails_is_counted_and_prints_no_traceback(tmp_path, capsys) -> None:
    session_log = SessionLog(tmp_path)
    session_log._file.stream.close()
    with Path("/dev/full").open("w", encoding="utf-8") as session_log._file.stream, session_log:
        log.info("lost")
        log.info("lost too")
    assert session_log.dropped >= 2
    assert capsys.readouterr().err == ""


def test_loggers_are_left_as_they_were_found(tmp_path) -> None:
    logger = logging.getLogger("vtframe")
    before = (logger.level, logger.propagate, list(logger.handlers))
    with SessionLog(tmp_path), pytest.raises(ZeroDivisionError), SessionLog(tmp_path / "inner"):
        raise ZeroDivisionError
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_a_log_that_cannot_be_made_is_named(tmp_path) -> None:
    (tmp_path / "log").write_text("in the way")
    with pytest.raises(SessionError, match=r"log/session\.jsonl: cannot be made"):
        SessionLog(tmp_path / "log")
