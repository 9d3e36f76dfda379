"""A feature driven by one instrument's events shows in every instrument's rows what that instrument's book makes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from three_books import market
from transforms import Counting, Smooth

from vtframe.api import Feature, KernelError
from vtframe.assemble.check import examine
from vtframe.builtin.features import BookImbalance, RollingVolatility
from vtframe.domain import BookState, EventFlag, FrameKind, Instrument, Records, SequenceRule
from vtframe.features import Pipeline, Sampling

LEADER = "SIM2USDT@sim"


MARKET, LOSING = market(), market(losses=(2000, 5000))


def run(
    features: list[Feature], sampling: Sampling, data: tuple[list[Instrument], Records] = MARKET
) -> tuple[Pipeline, NDArray[np.void], dict[str, NDArray[np.float64]]]:
    instruments, records = data
    pipeline = Pipeline(features, instruments, [SequenceRule.PREVIOUS] * 3, sampling=sampling, dtype="float64")
    batches = list(pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events]))
    values = np.concatenate([batch.values for batch in batches])
    meta = np.concatenate([batch.meta for batch in batches])
    return pipeline, meta, dict(zip(pipeline.columns, values.T, strict=True))


def newest(own: NDArray[np.float64], leads: NDArray[np.bool_], warm: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """For every row, the leader's own column in its newest row up to there; nan before."""
    shown = np.where(warm, own, np.nan) if warm is not None else own
    place = np.where(leads, np.arange(len(own)), -1)
    place = np.maximum.accumulate(place)
    return np.where(place >= 0, shown[place], np.nan)


@pytest.mark.parametrize("data", [MARKET, LOSING], ids=["orderly", "with losses"])
def test_a_followers_row_shows_what_the_leaders_newest_row_does(data: tuple[list[Instrument], Records]) -> None:
    features = [
        BookImbalance(levels=3),
        BookImbalance(as_="leads", levels=3, instrument=LEADER),
        RollingVolatility(as_="leader_volatility", window=20, instrument=LEADER),
        RollingVolatility(window=20),
    ]
    _, meta, rows = run(features, Sampling(), data)
    leads = meta["instrument"] == 1
    live = meta["state"] == BookState.LIVE
    assert leads.sum() > 1000 < (~leads).sum()
    follows = ~leads & live  # a row of a book that is not live carries no value at all
    expected = newest(rows["book_imbalance"], leads)
    np.testing.assert_array_equal(rows["leads"][follows], expected[follows])
    np.testing.assert_array_equal(rows["leads"][leads], rows["book_imbalance"][leads])
    np.testing.assert_array_equal(rows["leader_volatility"][leads], rows["rolling_volatility"][leads])
    np.testing.assert_array_equal(rows["leader_volatility"][follows], newest(rows["rolling_volatility"], leads)[follows])
    if data is LOSING:
        lost = follows & np.isnan(rows["leads"]) & (np.arange(len(leads)) > 1000)
        assert lost.sum() > 50
        assert not meta["valid"][lost].any()


def test_a_leaders_event_makes_no_row_of_a_follower() -> None:
    _, meta, _ = run([BookImbalance(instrument=LEADER)], Sampling())
    _, records = MARKET
    owner = {int(frame["input"]): int(frame["instrument"]) for frame in records.frames[: records.n_frames]}
    assert all(owner[int(row["input"])] == row["instrument"] for row in meta)


def test_only_the_leaders_events_count() -> None:
    """Every hook of the feature runs for the leader's frames, trades, level changes and rows, and for no other's."""
    _, meta, rows = run([Counting(), Counting(as_="led", instrument=LEADER)], Sampling())
    leads = meta["instrument"] == 1
    live = meta["state"] == BookState.LIVE
    for name in ("frames", "deltas", "rows"):
        np.testing.assert_array_equal(rows[f"led_{name}"][leads], rows[f"counting_{name}"][leads])
        follows = live & ~leads
        np.testing.assert_array_equal(rows[f"led_{name}"][follows], newest(rows[f"counting_{name}"], leads)[follows])
    # trades come between rows: a follower sees them when they happen, not at the leader's next row
    _, records = MARKET
    frames = records.frames[: records.n_frames]
    trades = np.zeros(len(frames))
    for k, frame in enumerate(frames):
        start = int(frame["first_event"])
        events = records.events[start : start + int(frame["n_events"])]
        if frame["kind"] == FrameKind.TRADE and frame["instrument"] == 1:
            trades[k] = (events["flags"] & int(EventFlag.NON_MARKET) == 0).sum()
    total = np.cumsum(trades)
    at = np.searchsorted(frames["input"], meta["input"])
    chosen = ~leads & live & (np.arange(len(meta)) > 200)
    assert total[-1] > 20
    np.testing.assert_array_equal(np.nan_to_num(rows["led_trades"][chosen]), total[at][chosen])


def test_nothing_is_shown_until_the_leader_is_warm() -> None:
    _, meta, rows = run([Counting(as_="led", warm=100, instrument=LEADER)], Sampling())
    leads = meta["instrument"] == 1
    before = np.cumsum(leads)  # the leader's rows up to each
    follows = ~leads & (meta["state"] == BookState.LIVE)
    assert np.isnan(rows["led_rows"][follows & (before <= 100)]).all()
    assert (rows["led_rows"][follows & (before > 100)] > 100).all()


def test_a_clocks_rows_show_the_leader_at_the_same_boundary() -> None:
    """The leader stands second among the instruments; the first one's row must not be one boundary behind."""
    clock = Sampling(every="clock", interval_ms=100)
    _, meta, rows = run([RollingVolatility(window=5), RollingVolatility(as_="led", window=5, instrument=LEADER)], clock)
    own = {
        int(row["ts_recv"]): value
        for row, value in zip(meta, rows["rolling_volatility"], strict=True)
        if row["instrument"] == 1
    }
    follows = (meta["instrument"] != 1) & (meta["state"] == BookState.LIVE)
    expected = np.array([own[int(ts)] for ts in meta["ts_recv"]])
    assert np.isfinite(expected[follows]).sum() > 100
    np.testing.assert_array_equal(rows["led"][follows], expected[follows])


def test_leaders_of_leaders_come_first_in_a_clocks_rows() -> None:
    """SIM3 leads SIM2, which leads SIM: all of a boundary's rows show that boundary."""
    clock = Sampling(every="clock", interval_ms=100)
    features = [
        Smooth(as_="second", of="first", weight=0.5, instrument="SIM2USDT@sim"),
        RollingVolatility(as_="first", window=5, instrument="SIM3USDT@sim"),
    ]
    _, meta, rows = run(features, clock)
    by = {index: meta["instrument"] == index for index in range(3)}
    chain = rows["first"][by[2]]
    np.testing.assert_array_equal(rows["first"][by[0]][10:], chain[10:])
    np.testing.assert_array_equal(rows["second"][by[0]][10:], rows["second"][by[1]][10:])
    means = []
    for value in chain:
        means.append(value if not means or np.isnan(means[-1]) else means[-1] + 0.5 * (value - means[-1]))
    np.testing.assert_array_equal(rows["second"][by[1]][10:], np.array(means)[10:])


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(every="bbo"), Sampling(every="clock", interval_ms=50)], ids=str)
def test_live_and_batch_make_the_same_rows_of_a_leader(sampling: Sampling) -> None:
    features = [Smooth(of="led", as_="smooth_led"), BookImbalance(as_="led", instrument=LEADER), Counting()]
    batch, meta, rows = run(features, sampling, LOSING)
    instruments, records = LOSING
    live = Pipeline(features, instruments, [SequenceRule.PREVIOUS] * 3, sampling=sampling, dtype="float64")
    made = []
    for index in range(records.n_frames):
        if live.process(records, index, index + 1):
            made += [(instrument, live.ring.window(instrument, 1)[0].copy()) for instrument in live.new_rows.tolist()[-3:]]
    assert live.state_digest() == batch.state_digest()
    assert live.counts().rows == len(meta)
    assert np.isfinite(rows["smooth_led"]).sum() > 100


def test_a_leader_that_the_session_does_not_have_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(KernelError, match="'led': the session has no instrument 'SIM9USDT@sim'; did you mean 'SIM"):
        run([BookImbalance(as_="led", instrument="SIM9USDT@sim")], Sampling())


def test_the_leader_is_part_of_the_schema_and_its_absence_is_not() -> None:
    """Bundles made before there were leaders state no instrument, and still fit."""
    pipeline, _, _ = run([BookImbalance(), BookImbalance(as_="led", instrument=LEADER)], Sampling())
    assert [feature.settings for feature in pipeline.schema] == [{"levels": 1}, {"levels": 1, "instrument": LEADER}]


def test_check_refuses_what_is_no_instrument(tmp_path: Path) -> None:
    path = tmp_path / "session.toml"
    path.write_text('[feed]\nuse = "market"\n[[features]]\nuse = "book_imbalance"\ninstrument = "BTCUSDT"\n')
    (fault,) = [fault for fault in examine(path).faults if fault.key == "instrument"]
    assert fault.line == 5
