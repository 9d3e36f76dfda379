"""When a joined entry is called: for the newest valid row of every instrument that has a new one, at its place in the ring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vtframe.domain import ROW
from vtframe.features import followers
from vtframe.features import layout as at

CAPACITY = 4


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    monkeypatch.setattr(followers, "call_entry", lambda *numbers: found.append(tuple(map(int, numbers))))
    return found


def follow(
    new: list[int], slots: list[int], *, before: int = 0, invalid: tuple[int, ...] = (), entries: Any = ((7, 70),)
) -> None:
    control = np.zeros(at.NEW + 16, np.int64)
    control[at.COUNT] = len(new)
    control[at.NEW : at.NEW + len(new)] = new
    ints = np.zeros((len(slots), at.INT_STATE), np.int64)
    ints[:, at.SLOT] = slots
    rows = np.zeros((len(slots), 2 * CAPACITY), ROW)
    rows["valid"] = 1
    rows["valid"][list(invalid)] = 0
    followers.follow(np.array(entries, np.int64).reshape(-1, 2), before, control, ints, rows)


def test_each_new_row_is_followed_at_its_place_in_the_second_half(calls: list[tuple[int, ...]]) -> None:
    follow([0, 1], [1, 3])
    assert calls == [(7, 70, 0, 1, CAPACITY), (7, 70, 1, 2, CAPACITY + 2)]


def test_the_row_in_the_last_slot_is_found_after_the_ring_has_turned(calls: list[tuple[int, ...]]) -> None:
    follow([0], [0])
    assert calls == [(7, 70, 0, 1, 2 * CAPACITY - 1)]


def test_every_entry_is_called_in_order(calls: list[tuple[int, ...]]) -> None:
    follow([0], [1], entries=((7, 70), (8, 80)))
    assert [call[:2] for call in calls] == [(7, 70), (8, 80)]


def test_rows_of_calls_before_invalid_rows_and_overtaken_rows_are_nobody_s_input(calls: list[tuple[int, ...]]) -> None:
    follow([1, 0, 0, 0], [1, 1], before=1)
    assert calls == [(7, 70, 0, 1, CAPACITY)]
    follow([0, 1], [1, 1], invalid=(0,))
    assert calls[1:] == [(7, 70, 1, 2, CAPACITY)]


def test_without_entries_nothing_is_called(calls: list[tuple[int, ...]]) -> None:
    follow([0], [1], entries=())
    assert calls == []
