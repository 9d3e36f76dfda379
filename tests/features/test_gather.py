"""New rows leave the ring in the order in which they were made, whatever instruments they are of."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.buffers import RowRing
from vtframe.buffers.ring import RowType
from vtframe.domain import ROW
from vtframe.features import gather as gathering
from vtframe.features.gather import Gather
from vtframe.kernels import KernelCache

NAN = np.uint32(0x7FC0_1234)  # a nan whose lower bits say something


def written(ring: RowRing, owners: list[int], heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Append a row of each owner in turn; what was written, in that order."""
    meta = np.zeros(len(owners), ROW)
    values = np.zeros((len(owners), ring.values.shape[2]), ring.values.dtype)
    for i, owner in enumerate(owners):
        values[i] = 1000 * owner + i + np.arange(values.shape[1]) / 8
        meta[i]["number"], meta[i]["instrument"], meta[i]["ts_recv"], meta[i]["valid"] = heads[owner], owner, i, i % 2
        ring.append(owner, values[i], meta[i])
    return meta, values


@settings(max_examples=60, deadline=None)
@given(
    instruments=st.integers(1, 5),
    capacity=st.integers(1, 9),
    columns=st.integers(0, 4),
    dtype=st.sampled_from(["float32", "float64"]),
    draw=st.data(),
)
def test_the_newest_rows_come_in_the_order_in_which_they_were_written(
    instruments: int, capacity: int, columns: int, dtype: RowType, draw: st.DataObject
) -> None:
    heads = np.zeros(instruments, np.int64)
    ring = RowRing(instruments, capacity, columns, dtype=dtype, heads=heads)
    gather = Gather(ring, KernelCache())
    for _ in range(3):
        before = draw.draw(st.lists(st.integers(0, instruments - 1), max_size=30))  # rows that nobody asked for
        written(ring, before, heads)
        chosen = draw.draw(st.lists(st.integers(0, instruments - 1), max_size=20))
        owners = [owner for k, owner in enumerate(chosen) if chosen[:k].count(owner) < capacity]
        meta, values = written(ring, owners, heads)
        found, cells = gather.newest(np.array(owners, np.int64), heads)
        assert found.tobytes() == meta.tobytes()
        assert cells.tobytes() == values.tobytes()
        assert (cells.shape, cells.dtype) == (values.shape, values.dtype)


def test_a_thousand_instruments_of_which_a_few_have_rows() -> None:
    rng = np.random.default_rng(11)
    heads = np.zeros(1000, np.int64)
    ring = RowRing(1000, 16, 3, heads=heads)
    gather = Gather(ring, KernelCache())
    for _ in range(20):
        owners = rng.choice([0, 3, 500, 999], 16).tolist()
        meta, values = written(ring, owners, heads)
        found, cells = gather.newest(np.array(owners), heads)
        assert found.tobytes() == meta.tobytes()
        assert cells.tobytes() == values.tobytes()


def test_no_bit_of_a_nan_is_lost_and_the_copies_are_ours() -> None:
    heads = np.zeros(1, np.int64)
    ring = RowRing(1, 4, 1, heads=heads)
    ring.append(0, np.array([NAN]).view(np.float32), np.zeros((), ROW))
    _, cells = Gather(ring, KernelCache()).newest(np.zeros(1, np.int64), heads)
    ring.append(0, np.zeros(1, np.float32), np.zeros((), ROW))
    ring.values.fill(0)
    assert cells.view(np.uint32).tolist() == [[NAN]]


def test_nothing_is_compiled_before_rows_are_asked_for() -> None:
    heads = np.zeros(1, np.int64)
    gather = Gather(RowRing(1, 4, 1, heads=heads), KernelCache())
    meta, values = gather.newest(np.zeros(0, np.int64), heads)
    assert (len(meta), values.shape) == (0, (0, 1))
    assert gather._run is None


def test_the_plain_function_does_what_the_kernel_does() -> None:
    heads = np.zeros(3, np.int64)
    ring = RowRing(3, 2, 2, heads=heads)
    owners = [1, 0, 1, 2, 0]
    written(ring, [0, 1, 1], heads)
    meta, values = written(ring, owners, heads)
    out = np.zeros((5, ROW.itemsize // 4), np.uint32), np.zeros((5, 2), np.uint32)
    rows, cells = ring.meta.view(np.uint32).reshape(3, 4, -1), ring.values.view(np.uint32)
    gathering.gather(np.array(owners), heads, rows, cells, 2, np.zeros(3, np.int64), *out)
    assert out[0].tobytes() == meta.tobytes()
    assert out[1].tobytes() == values.tobytes()
