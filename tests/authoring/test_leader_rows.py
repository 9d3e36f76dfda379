"""A leader's events make rows of its followers where the sampling rule says so: on recorded books, and at the edges."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from three_books import market
from two_venues import LEVELS, MOVES, PERPETUAL, SPOT, TRADES, Expected, Venues, two_venues, with_a_loss

from vtframe.api import Feature
from vtframe.assemble.check import examine
from vtframe.builtin.features import BookImbalance, RollingVolatility, TradeImbalance
from vtframe.domain import BookState, EventKind, FrameKind, Records, SequenceRule
from vtframe.features import Pipeline, Sampling
from vtframe.testing.market import INSTRUMENT

FIXED = ("instrument", "input", "ts_recv", "ts_event", "update_id", "state", "valid")


def features(leader: str) -> list[Feature]:
    return [
        BookImbalance(levels=LEVELS),
        RollingVolatility(window=MOVES),
        BookImbalance(levels=LEVELS, as_="led", instrument=leader),
        RollingVolatility(window=MOVES, as_="led_volatility", instrument=leader),
        TradeImbalance(window=TRADES, as_="led_trades", instrument=leader),
    ]


@pytest.fixture(scope="module")
def recorded(data: Path) -> dict[str, Venues]:
    venues = two_venues(data, lines=4_000)
    lost = with_a_loss(venues, PERPETUAL, at=2_500, missing=3, until=3_200)
    return {
        "orderly": venues,
        "leader lost": lost,
        "follower lost": with_a_loss(venues, SPOT, at=2_500, missing=1, until=3_200),
    }


@pytest.mark.parametrize(
    ("every", "leader", "stream"),
    [
        ("frame", PERPETUAL, "leader lost"),
        ("frame", PERPETUAL, "follower lost"),
        ("frame", SPOT, "orderly"),
        ("bbo", PERPETUAL, "leader lost"),
        ("trade", PERPETUAL, "orderly"),
        ("trade", PERPETUAL, "leader lost"),
    ],
)
def test_rows_on_recorded_books_are_those_of_a_plain_reference(
    recorded: dict[str, Venues], every: str, leader: int, stream: str
) -> None:
    venues = recorded[stream]
    sampling = Sampling(every=every, leaders=True)  # type: ignore[arg-type]
    asked = features(venues.instruments[leader].instrument_id)
    records = venues.records
    pipeline = Pipeline(asked, venues.instruments, venues.rules, sampling=sampling, dtype="float64")
    batches = list(pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events]))
    meta, values = (np.concatenate([getattr(batch, part) for batch in batches]) for part in ("meta", "values"))
    expected = Expected(venues, every=every, leader=leader, leaders=True).all(records)
    assert [tuple(row[name].item() for name in FIXED) for row in meta] == [row[:-1] for row in expected]
    np.testing.assert_allclose(values, np.array([row[-1] for row in expected]), rtol=1e-9, atol=1e-12)
    made_by = {int(frame["input"]): int(frame["instrument"]) for frame in records.frames[: records.n_frames]}
    owner = np.array([made_by[int(number)] for number in meta["input"]])
    assert ((owner == leader) & (meta["instrument"] != leader) & (meta["valid"] == 1)).sum() > 100
    assert not ((owner != leader) & (meta["instrument"] == leader)).any()
    if stream == "leader lost":  # both sides of the loss were reached, and during it no row of the follower is valid
        lost = (meta["instrument"] == leader) & (meta["state"] == BookState.GAP)
        first, last = np.flatnonzero(lost)[[0, -1]]
        between = slice(first + 1, last + 1)
        assert not meta["valid"][between].any()
        assert meta["valid"][:first].any()
        assert meta["valid"][last:].any()


ALL = (*(Sampling(every=every, leaders=True) for every in ("frame", "bbo", "trade")),)  # type: ignore[arg-type]
INSTRUMENTS, LOSING = market(losses=(2000, 5000))
CHAIN = (
    BookImbalance(as_="first", instrument="SIM3USDT@sim"),
    RollingVolatility(as_="second", window=4, instrument="SIM2USDT@sim"),
    RollingVolatility(window=6),
)


def chain(sampling: Sampling, ring_rows: int = 64) -> Pipeline:
    return Pipeline(CHAIN, INSTRUMENTS, [SequenceRule.PREVIOUS] * 3, sampling=sampling, ring_rows=ring_rows)


def in_batch(made: Pipeline, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    batches = list(made.batch(LOSING.frames[first : LOSING.n_frames], LOSING.events[: LOSING.n_events]))
    return np.concatenate([batch.meta for batch in batches]), np.concatenate([batch.values for batch in batches])


@pytest.mark.parametrize("sampling", ALL, ids=str)
def test_live_batch_small_rings_and_a_restored_pipeline_make_the_same_rows(sampling: Sampling) -> None:
    meta, values = in_batch(chain(sampling))
    live, rows = chain(sampling), []
    for index in range(LOSING.n_frames):
        live.process(LOSING, index, index + 1)
        new = live.new_rows.tolist()
        assert len(set(new)) == len(new) <= 3
        rows += [(live.ring.window_meta(one, 1)[0].item(), live.ring.window(one, 1)[0].tobytes()) for one in new]
    assert rows == [(m.item(), v.tobytes()) for m, v in zip(meta, values, strict=True)]
    for ring_rows in (1, 2, 7):
        small = in_batch(chain(sampling, ring_rows))
        assert (small[0].tolist(), small[1].tobytes()) == (meta.tolist(), values.tobytes())
    for cut in (2050, 3001):  # in a loss, and out of one
        before = chain(sampling)
        for _ in before.batch(LOSING.frames[:cut], LOSING.events[: LOSING.n_events]):
            pass
        done = before.counts().rows
        again = chain(sampling)
        again.restore(before.snapshot())
        rest = in_batch(again, cut)
        assert (rest[0].tolist(), rest[1].tobytes()) == (meta[done:].tolist(), values[done:].tobytes())
        assert again.counts().rows == len(meta)


def test_one_call_may_make_more_rows_than_half_the_ring() -> None:
    whole, _ = in_batch(chain(ALL[0]))
    made = chain(ALL[0], ring_rows=4)
    assert made.process(LOSING) == len(whole)
    assert made.new_rows.tolist() == whole["instrument"].tolist()


def test_the_leaders_row_comes_first_and_every_other_instrument_has_one_and_no_more() -> None:
    """SIM2 and SIM3 lead: a row of either brings one of each other; a row of SIM brings none."""
    meta, _ = in_batch(chain(ALL[0]))
    made_by = {int(frame["input"]): int(frame["instrument"]) for frame in LOSING.frames[: LOSING.n_frames]}
    groups = [list(group) for _, group in itertools.groupby(meta, key=lambda row: int(row["input"]))]
    assert {len(group) for group in groups} == {1, 3}
    for group in groups:
        source = made_by[int(group[0]["input"])]
        order = [int(row["instrument"]) for row in group]
        assert order == {0: [0], 1: [1, 2, 0], 2: [2, 1, 0]}[source]
        assert len({int(row["ts_recv"]) for row in group}) == 1


def test_without_the_rule_the_same_pipeline_makes_each_instruments_own_rows_only() -> None:
    own, _ = in_batch(chain(Sampling()))
    more, _ = in_batch(chain(ALL[0]))
    made_by = {int(frame["input"]): int(frame["instrument"]) for frame in LOSING.frames[: LOSING.n_frames]}
    theirs = more[[made_by[int(row["input"])] == row["instrument"] for row in more]]
    assert theirs[["instrument", "input"]].tolist() == own[["instrument", "input"]].tolist()


class Film:
    """Frames of a leader (1) and its follower (0), at chosen times."""

    def __init__(self) -> None:
        self.records = Records()

    def add(self, kind: FrameKind, instrument: int, last_id: int, levels: list[tuple[int, int, int]], ms: int) -> None:
        flags = int(kind == FrameKind.SNAPSHOT)
        events = [(0, ms, price, quantity, 0, instrument, flags, int(EventKind.BOOK_DELTA), s) for s, price, quantity in levels]
        if flags:
            events.insert(0, (0, ms, 0, 0, 0, instrument, flags, int(EventKind.BOOK_CLEAR), 0))
        ids = {"first_id": last_id, "last_id": last_id}
        number = self.records.n_frames
        self.records.append(kind=int(kind), instrument=instrument, events=events, ts_recv=ms, number=number, **ids)


def test_before_a_followers_snapshot_its_rows_are_not_valid_and_ties_in_time_are_told_apart_by_their_input() -> None:
    other = INSTRUMENT.__class__(**{**{f: getattr(INSTRUMENT, f) for f in INSTRUMENT.__struct_fields__}, "symbol": "LEAD"})
    film, book = Film(), [(1, 1000, 5), (-1, 1005, 7)]
    film.add(FrameKind.SNAPSHOT, 1, 1, book, 10)  # 0: the leader is live, the follower has nothing
    film.add(FrameKind.SNAPSHOT, 0, 1, book, 10)  # 1: the follower's own
    film.add(FrameKind.DEPTH, 1, 2, [(1, 1000, 7)], 10)  # 2: all at one time
    film.add(FrameKind.DEPTH, 1, 2, [(1, 1000, 9)], 10)  # 3: an id twice: the leader's book is lost
    film.add(FrameKind.DEPTH, 0, 2, [(1, 1000, 6)], 10)  # 4: the follower's own row while the leader is lost
    film.add(FrameKind.SNAPSHOT, 1, 9, book, 11)  # 5: the leader is back
    asked = [BookImbalance(), BookImbalance(as_="led", instrument=other.instrument_id)]
    rules = [SequenceRule.INCREMENT] * 2
    pipeline = Pipeline(asked, [INSTRUMENT, other], rules, sampling=Sampling(leaders=True), dtype="float64")
    (batch,) = list(pipeline.batch(film.records.frames[:6], film.records.events[: film.records.n_events]))
    found = [
        (row["input"], row["instrument"], row["state"], row["valid"], row["ts_event"], *np.round(values, 3))
        for row, values in zip(batch.meta.tolist(), batch.values, strict=True)
        for row in [dict(zip(batch.meta.dtype.names, row, strict=True))]
    ]
    syncing, live, gap, nan = BookState.SYNCING, BookState.LIVE, BookState.GAP, np.nan
    expected = [
        (0, 1, live, 1, 10, -0.167, -0.167),
        (0, 0, syncing, 0, 0, nan, nan),
        (1, 0, live, 1, 10, -0.167, -0.167),
        (2, 1, live, 1, 10, 0.0, 0.0),
        (2, 0, live, 1, 10, -0.167, 0.0),
        (3, 1, gap, 0, 10, nan, nan),
        (3, 0, live, 0, 10, -0.167, nan),
        (4, 0, live, 0, 10, -0.077, nan),
        (5, 1, live, 1, 11, -0.167, -0.167),
        (5, 0, live, 1, 10, -0.077, -0.167),
    ]
    np.testing.assert_array_equal(np.array(found, float), np.array(expected, float))


def test_rows_at_leaders_events_need_a_leader(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no feature has a leader"):
        Pipeline([BookImbalance()], [INSTRUMENT], [SequenceRule.INCREMENT], sampling=Sampling(leaders=True))
    path = tmp_path / "session.toml"
    path.write_text('[feed]\nuse = "market"\n[sampling]\nleaders = true\n[[features]]\nuse = "book_imbalance"\n')
    (fault,) = [fault for fault in examine(path).faults if fault.key == "leaders"]
    assert (fault.line, fault.table) == (4, "[sampling]")
    assert 'give a feature instrument = "SYMBOL@venue"' in str(fault)
