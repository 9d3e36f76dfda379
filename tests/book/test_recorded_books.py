"""Proof that the book is right: on every recording its best bid and ask are those that the venue states at the same update."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path

import pytest
from binance_frames import PAIRS, instrument_of, read_pair, rule_of

from vtframe.domain import BookState, EventKind, FrameKind, Records, Side
from vtframe.features import Pipeline

CASES = {"spot": 1072, "usdm_2024": 629, "coinm": 1885, "usdm_2023": 1565}


@pytest.fixture(scope="module", params=PAIRS)
def recorded(request: pytest.FixtureRequest, data: Path) -> tuple[str, Records]:
    return request.param, read_pair(data, request.param)


def tops(pipeline: Pipeline, records: Records) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The book's update id and best levels after every frame that it took."""
    for index, kind in enumerate(records.frames["kind"][: records.n_frames].tolist()):
        if kind in {1, 2}:  # DEPTH, SNAPSHOT
            pipeline.process(records, index, index + 1)
            if pipeline.books.state(0) == BookState.LIVE:
                yield pipeline.books.update_id(0), tuple(pipeline.books.top(0))


def test_best_bid_and_ask_equal_the_venues_at_the_same_update_id(recorded: tuple[str, Records]) -> None:
    pair, records = recorded
    pipeline = Pipeline([], [instrument_of(pair)], [rule_of(pair)])
    ours = dict(tops(pipeline, records))
    theirs = {}
    for frame in records.frames[: records.n_frames]:
        if frame["kind"] == FrameKind.QUOTE:
            bid, ask = records.events[frame["first_event"] : frame["first_event"] + 2]
            theirs[int(frame["last_id"])] = tuple(int(side[name]) for side in (bid, ask) for name in ("price", "quantity"))
    compared = ours.keys() & theirs.keys()
    assert {number: ours[number] for number in compared} == {number: theirs[number] for number in compared}
    assert len(compared) == CASES[pair]
    counts = pipeline.counts()
    assert (counts.gaps, counts.crossed, counts.resyncs, counts.dropped_pending) == (0, 0, 1, 0)


def test_every_level_equals_that_of_a_dictionary(recorded: tuple[str, Records]) -> None:
    pair, records = recorded
    pipeline = Pipeline([], [instrument_of(pair)], [rule_of(pair)])
    book: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
    frames = records.frames[: records.n_frames]
    snapshot = next(index for index, frame in enumerate(frames) if frame["kind"] == FrameKind.SNAPSHOT)
    start = int(frames[snapshot]["last_id"])
    depth = [index for index, frame in enumerate(frames) if frame["kind"] == FrameKind.DEPTH and frame["last_id"] > start]
    done = 0
    waited = depth[0] < snapshot  # they are applied with the snapshot
    for number, index in enumerate([snapshot, *depth]):
        begin = int(frames[index]["first_event"])
        for event in records.events[begin : begin + int(frames[index]["n_events"])].tolist():
            _, _, price, quantity, _, _, _, kind, side = event
            if kind == EventKind.BOOK_DELTA:
                if quantity:
                    book[side][price] = quantity
                else:
                    book[side].pop(price, None)
        if number % 50 == 0 and index >= snapshot:
            pipeline.process(records, done, index + 1)
            done = index + 1
            if index != snapshot or not waited:
                for side in Side:
                    best = heapq.nsmallest(20, book[side].items(), key=lambda level: -side * level[0])
                    found = pipeline.books.levels(0, side, 20)
                    assert list(zip(*(part.tolist() for part in found), strict=True)) == best
    pipeline.process(records, done)
    for side in Side:
        prices, quantities = pipeline.books.levels(0, side, 1_000_000)
        assert list(zip(prices.tolist(), quantities.tolist(), strict=True)) == sorted(
            book[side].items(), reverse=side == Side.BUY
        )
        assert len(prices) > 900
        for price, quantity in list(book[side].items())[::50]:
            assert pipeline.books.quantity_at(0, side, price) == quantity
        assert pipeline.books.quantity_at(0, side, -1) == 0
    assert pipeline.books.update_id(0) == int(frames[depth[-1]]["last_id"])
    assert pipeline.books.ts_event(0) == max(int(records.events["ts_event"][frames[i]["first_event"]]) for i in depth)
    assert pipeline.books.nbytes <= 1_000_000 * max(1, len(prices) / 2000)
