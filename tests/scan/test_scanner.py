"""The scanner around a kernel: room, growth, faults of kernels, and reads outside the message caught."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtframe.api import KernelError
from vtframe.api.scan import (
    CLOSE_ARRAY,
    FULL,
    N_EVENTS,
    OPEN_ARRAY,
    OWN,
    SHAPE,
    VALUES,
    Scanner,
    finish,
    first_item,
    next_item,
    put_event,
    put_frame,
    put_levels,
    scan_int,
    symbol_table,
)
from vtframe.domain import EventFlag, Records
from vtframe.errors import InvariantError

NO_SYMBOLS = symbol_table({})
NO_CELLS = np.zeros(1, np.int64)


def numbers(text: Any, out: Any, symbols: Any, cells: Any) -> int:
    """``[1,2,3]``: an event for each number, its price; the answer is how many."""
    n = out.counts[N_EVENTS]
    first = n
    more, at = first_item(text, 0, OPEN_ARRAY, CLOSE_ARRAY)
    while more:
        price, at = scan_int(text, at)
        n = put_event(out.events, n, 7, 3, 1, price, 1, 0, 0, 0)
        more, at = next_item(text, at, CLOSE_ARRAY)
    code = finish(text, at)
    if code == 0:
        code = put_frame(out, n, 3, 0, -1, -1, -1, -1)
    return n - first if code == 0 else code


def greedy(text: Any, out: Any, symbols: Any, cells: Any) -> int:
    return FULL


def wide_levels(text: Any, out: Any, symbols: Any, cells: Any) -> int:
    """Levels of ``cells[0]`` columns."""
    n, at = put_levels(text, 0, out.events, out.counts[N_EVENTS], 5, 1, symbols[0], 0, cells[0])
    code = finish(text, at)
    if code == 0:
        code = put_frame(out, n, 1, 0, -1, -1, -1, -1)
    return code


def scanner(kernel: Any = numbers) -> Scanner:
    return Scanner("numbers", kernel, symbols=NO_SYMBOLS, cells=NO_CELLS)


@pytest.mark.parametrize("room", [1, 2, 300])
def test_records_grow_until_the_message_fits_and_keep_what_was_there(room: int) -> None:
    records = Records(frames=1, events=room)
    scan = scanner().scan
    for count in (1, 5, 0, 200):
        assert scan(str(list(range(count))).encode(), records) == count
    assert records.n_frames == 4
    assert records.frames["n_events"][:4].tolist() == [1, 5, 0, 200]
    assert records.frames["first_event"][:4].tolist() == [0, 1, 6, 6]
    assert records.events["price"][:206].tolist() == [0, *range(5), *range(200)]
    assert np.flatnonzero(records.events["flags"][:206] == EventFlag.LAST).tolist() == [0, 5, 205]


def test_a_message_longer_than_the_buffer_and_then_a_short_one() -> None:
    one = scanner()
    records = Records()
    long = str(list(range(100_000, 150_000))).encode()
    assert len(long) > 1 << 16
    assert one.scan(long, records) == 50_000
    assert one.scan(b"[1]", records) == 1
    assert one.scan(long[:-1], records) < 0  # what the buffer still holds of the longer message is not read
    assert records.events["price"][: records.n_events].tolist() == [*range(100_000, 150_000), 1]


def test_records_of_another_owner_are_written_to() -> None:
    one = scanner()
    first, second = Records(), Records()
    for records in (first, second, first):
        one.scan(b"[4,5]", records)
    assert (first.n_events, second.n_events) == (4, 2)


@pytest.mark.parametrize("data", [b"", b"[", b"[1,2", b"[1,]", b"[1 2]", b"[1]x", b"[1.5]"])
def test_what_is_refused_appends_nothing(data: bytes) -> None:
    one = scanner()
    records = Records()
    one.scan(b"[9]", records)
    assert one.scan(data, records) < 0
    assert (records.n_frames, records.n_events) == (1, 1)


@pytest.mark.parametrize(
    ("data", "columns", "levels"),
    [
        (b'[["1.5","2.25"],["1.6","2.50"],["10.6","0"]]', 2, [(15, 225), (16, 250), (106, 0)]),
        (b'[["1.5","2.25","0","4"],["1.6","2.5","0","a"]]', 4, [(15, 225), (16, 250)]),
        (b'[["1.5","2.25","1534614057.3"],["1.6","2.5", ""]]', 3, [(15, 225), (16, 250)]),
        (b'[["1.5","2.25","0"],["1.6","2.5",0]]', 3, None),
        (b'[["1.5","2.25","0"],["1.6","2.5","\\u0030"]]', 3, None),
        (b"[]", 3, []),
        (b'[["1.5","2.25"],["1.6","2.50","0"]]', 2, None),
        (b'[["1.5","2.25","0"],["1.6","2.50"]]', 3, None),
        (b'[["1.5","2.25"],["1.6"]]', 2, None),
        (b'[["1.5","2.25"],["1.6","2.5"]', 2, None),
        (b'[["1.5","2.25"],]', 2, None),
        (b'[["1.5","2.25"]["1.6","2.50"]]', 2, None),
    ],
)
def test_levels_have_as_many_columns_as_is_said(data: bytes, columns: int, levels: list[tuple[int, int]] | None) -> None:
    records = Records()
    units = np.array([[0] * VALUES + [0, 1, 2]])  # instrument 0, one decimal of prices, two of quantities
    code = Scanner("levels", wide_levels, symbols=units, cells=np.array([columns])).scan(data, records)
    found = records.events[["price", "quantity"]][: records.n_events].tolist()
    assert (code == 0, found) == (levels is not None, levels or [])


def test_a_kernel_that_never_has_enough_room_is_stopped() -> None:
    with pytest.raises(InvariantError, match="the codec numbers wants more than"):
        scanner(greedy).scan(b"[1]", Records(frames=1, events=1))


def test_a_kernel_that_cannot_be_compiled_is_told_with_its_place() -> None:
    def broken(text: Any, out: Any, symbols: Any, cells: Any) -> int:
        return text.decode()  # type: ignore[no-any-return]

    with pytest.raises(KernelError, match=r"test_scanner\.py:\d+: codec 'mine': cannot be compiled: .*decode"):
        Scanner("mine", broken, symbols=NO_SYMBOLS, cells=NO_CELLS)

    class Thing: ...

    thing = Thing()

    def foreign(text: Any, out: Any, symbols: Any, cells: Any) -> int:
        return SHAPE if thing is None else OWN

    with pytest.raises(KernelError, match=r"codec 'mine': foreign uses 'thing', a Thing, which compiled code cannot hold"):
        Scanner("mine", foreign, symbols=NO_SYMBOLS, cells=NO_CELLS)


OVERRUN = """
import sys
import numpy as np
from vtframe.api import scan
from vtframe.domain import Records
from vtframe.wire.scan.words import load

def unchecked(text, out, symbols, cells):
    at = cells[0]
    while text[at] == 32:  # the planted fault: no look at the message's end
        at += 1
    return at

def by_word(text, out, symbols, cells):
    return load(text, cells[0]) & 0xFF

kernel = {"bytes": unchecked, "words": by_word}[sys.argv[1]]
cells = np.array([int(sys.argv[2])])
one = scan.Scanner("planted", kernel, symbols=scan.symbol_table({}), cells=cells)
one.fill(32)
try:
    print("answered", one.scan(b" " * 100, Records()) >= 0)
except IndexError as error:
    print("caught", error)
"""


def planted(cache: Path, kernel: str, start: int, *, checked: bool) -> str:
    """What a process says that runs a kernel with a planted fault: answered, or caught."""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": str(int(checked)), "VTFRAME_CACHE": str(cache)}
    command = [sys.executable, "-c", OVERRUN, kernel, str(start)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


def test_a_planted_overrun_is_caught_where_bounds_are_checked(tmp_path: Path) -> None:
    """And a kernel that was cached without checks is not taken for one with them, nor the other way round."""
    assert planted(tmp_path, "words", 101, checked=False) == "answered"
    assert planted(tmp_path, "words", 101, checked=True) == "caught"
    assert planted(tmp_path, "words", 100, checked=True) == "answered"
    assert planted(tmp_path, "words", -1, checked=True) == "caught"
    assert planted(tmp_path, "words", 101, checked=False) == "answered"
    assert len(list((tmp_path / "kernels").iterdir())) == 2
    assert planted(tmp_path, "bytes", 0, checked=True) == "caught"
