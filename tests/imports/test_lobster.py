"""LOBSTER's samples: after message i the book is row i of the order book file, at every level."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from foreign_files import rows_of

from vtframe.api import FeedContext
from vtframe.builtin.imports.feeds import LobsterFeed
from vtframe.clock import EventClock
from vtframe.domain import EventKind, FrameKind
from vtframe.errors import RecordingError

FILES = {
    "GOOG": ("LOBSTER_SampleFile_GOOG_2012-06-21_10.zip", 10),
    "AAPL": ("LOBSTER_SampleFile_AAPL_2012-06-21_1.zip", 1),
}


def sample(data: Path, symbol: str, count: int) -> tuple[list[list[str]], list[list[str]]]:
    """The first lines of both files, as text."""
    with zipfile.ZipFile(data / "lobster" / FILES[symbol][0]) as archive:
        found = []
        for word in ("_message_", "_orderbook_"):
            (name,) = [name for name in archive.namelist() if word in name]
            with archive.open(name) as file:
                found.append([next(reader) for reader in [csv.reader(io.TextIOWrapper(file))] for _ in range(count)])
    return found[0], found[1]


def played(path: Path) -> LobsterFeed:
    feed = LobsterFeed(paths=(str(path),))
    feed.open(FeedContext(codecs={}, folder=Path(), clock=EventClock()))
    return feed


@pytest.mark.parametrize("symbol", FILES)
def test_the_book_after_every_message_is_the_file_s_own_row(symbol: str, data: Path) -> None:
    count = 20_000  # more than two blocks
    messages, books = sample(data, symbol, count)
    feed = played(data / "lobster" / FILES[symbol][0])
    expected = iter(books)
    previous: list[str] | None = None
    book: dict[tuple[int, int], int] = {}
    seen = trades = 0
    for records in feed._reader.blocks(feed._files[0], pytest.fail):
        for frame in records.frames[: records.n_frames]:
            events = records.events[frame["first_event"] : frame["first_event"] + frame["n_events"]]
            if frame["kind"] == FrameKind.TRADE:
                trades += 1
                continue
            for event in events:
                if event["kind"] == EventKind.BOOK_CLEAR:
                    book.clear()
                elif event["quantity"]:
                    book[int(event["side"]), int(event["price"])] = int(event["quantity"])
                else:
                    del book[int(event["side"]), int(event["price"])]  # a level that is not there would be an error
            row = next(expected, None)
            while row is not None and row == previous:  # a message that changed nothing makes no frame
                row = next(expected, None)
            if row is None:
                break
            previous = row
            levels = [tuple(map(int, row[k : k + 4])) for k in range(0, len(row), 4)]
            asks = {(-1, ask): size for ask, size, _, _ in levels if abs(ask) != 9_999_999_999}
            bids = {(1, bid): size for _, _, bid, size in levels if abs(bid) != 9_999_999_999}
            assert book == asks | bids, seen
            seen += 1
        else:
            continue
        break
    assert seen > 0.9 * count
    executions = sum(message[1] in {"4", "5"} for message in messages)
    assert executions > 1_000
    assert abs(trades - executions) <= 3, "the first message is the picture; the last may be cut from its depth frame"


def test_times_are_new_york_s_and_takers_are_opposite_to_resting_orders(data: Path) -> None:
    messages, _ = sample(data, "GOOG", 5_000)
    feed = played(data / "lobster" / FILES["GOOG"][0])
    records = next(feed._reader.blocks(feed._files[0], pytest.fail))
    first = int(records.frames["ts_recv"][0])
    assert datetime.fromtimestamp(first // 10**9, UTC) == datetime(2012, 6, 21, 13, 30, tzinfo=UTC)
    seconds, fraction = messages[0][0].split(".")
    assert first % 10**9 == int(fraction.ljust(9, "0"))
    assert seconds == "34200"
    trades = [m for m in messages[1:] if m[1] in {"4", "5"}]
    frames = records.frames[: records.n_frames]
    found = records.events[frames["first_event"][frames["kind"] == FrameKind.TRADE]][: len(trades)]
    assert [(-int(m[5]), int(m[4]), int(m[3])) for m in trades] == [
        (int(e["side"]), int(e["price"]), int(e["quantity"])) for e in found
    ]


def test_rows_of_a_sample_are_valid_and_their_tops_are_the_file_s(rows_config: Path, data: Path) -> None:
    path = data / "lobster" / FILES["AAPL"][0]
    rows, _, collector = rows_of(rows_config, {"use": "lobster", "paths": [str(path)]})
    assert collector.damaged == 0
    assert (rows.meta["state"] == 1).all()
    assert rows.meta["valid"].mean() > 0.99
    _, books = sample(data, "AAPL", 118_497)
    table = np.array(books, np.int64)
    changed = np.append(True, (table[1:] != table[:-1]).any(axis=1))
    for column, name in enumerate(("ask", "ask_quantity", "bid", "bid_quantity")):
        assert (rows.meta[name] == table[changed][:, column]).all(), name


def unpacked(data: Path, folder: Path, count: int) -> tuple[Path, Path]:
    messages, books = sample(data, "GOOG", count)
    pair = []
    for word, rows in (("message", messages), ("orderbook", books)):
        path = folder / f"GOOG_2012-06-21_34200000_57600000_{word}_10.csv"
        path.write_text("".join(",".join(row) + "\n" for row in rows))
        pair.append(path)
    return pair[0], pair[1]


def test_a_pair_of_files_is_read_like_the_zip(rows_config: Path, data: Path, tmp_path: Path) -> None:
    message, _ = unpacked(data, tmp_path, 3_000)
    pair, _, _ = rows_of(rows_config, {"use": "lobster", "paths": [str(message)]})
    whole, _, _ = rows_of(rows_config, {"use": "lobster", "paths": [str(data / "lobster" / FILES["GOOG"][0])]})
    assert (pair.meta == whole.meta[: len(pair.meta)]).all()
    assert pair.values.tobytes() == whole.values[: len(pair.values)].tobytes()


def test_what_is_no_pair_is_refused(data: Path, tmp_path: Path, rows_config: Path) -> None:
    message, book = unpacked(data, tmp_path, 50)
    feed = {"use": "lobster", "paths": [str(message)]}
    lines = book.read_text().splitlines(keepends=True)
    book.write_text("".join(lines[:-1]))
    with pytest.raises(RecordingError, match="not of one length"):
        rows_of(rows_config, feed)
    book.write_text("".join(line.replace(",", ",x", 1) if k == 20 else line for k, line in enumerate(lines)))
    with pytest.raises(RecordingError, match="cannot be read from line 1 on"):
        rows_of(rows_config, feed)
    book.write_text("".join(line.rsplit(",", 4)[0] + "\n" for line in lines))
    with pytest.raises(RecordingError, match="36 columns, expected 40"):
        rows_of(rows_config, feed)
    book.unlink()
    with pytest.raises(RecordingError, match=r"orderbook_10\.csv is not beside it"):
        rows_of(rows_config, feed)
    other = tmp_path / "messages.csv"
    message.rename(other)
    with pytest.raises(RecordingError, match="not named as LOBSTER names"):
        rows_of(rows_config, {"use": "lobster", "paths": [str(other)]})
