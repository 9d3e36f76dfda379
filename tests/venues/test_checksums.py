"""The checksum of a book, for any rule and any book, against zlib over the text that the rule describes."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_markets import spot

from vtframe.book import meta as m
from vtframe.book.checksum import code_of
from vtframe.domain import BookState, ChecksumRule, EventFlag, FrameKind, Records, SequenceRule, to_decimal
from vtframe.features.pipeline import Pipeline

PICTURE = int(EventFlag.SNAPSHOT | EventFlag.IN_STREAM)


@st.composite
def rules(draw: st.DrawFn) -> ChecksumRule:
    point = draw(st.booleans())
    return ChecksumRule(
        levels=draw(st.sampled_from([1, 10, 25, 255])),
        interleaved=draw(st.booleans()),
        separator=draw(st.sampled_from(["", ":", ","])),
        point=point,
        shortest=point and draw(st.booleans()),
    )


# round numbers often, and every size up to the largest
numbers = st.one_of(
    st.integers(1, 10**9),
    st.builds(lambda digits, zeros: digits * 10**zeros, st.integers(1, 99), st.integers(0, 16)),
    st.integers(1, 2**63 - 1),
)


def sides(low: int, high: int) -> st.SearchStrategy[dict[int, int]]:
    return st.dictionaries(st.integers(low, high), numbers, max_size=30)


def text(rule: ChecksumRule, bids: dict[int, int], asks: dict[int, int], decimals: tuple[int, int]) -> str:
    """Straight from the rule's words."""

    def number(value: int, places: int) -> str:
        if not rule.point:
            return str(value)
        shown = f"{to_decimal(value, places):f}"
        return shown.rstrip("0").rstrip(".") if rule.shortest and "." in shown else shown

    def level(price: int, quantity: int) -> list[str]:
        return [number(price, decimals[0]), number(quantity, decimals[1])]

    best_bids = [level(p, bids[p]) for p in sorted(bids, reverse=True)[: rule.levels]]
    best_asks = [level(p, asks[p]) for p in sorted(asks)[: rule.levels]]
    if rule.interleaved:
        rows = [side[k] for k in range(rule.levels) for side in (best_bids, best_asks) if k < len(side)]
    else:
        rows = best_asks + best_bids
    return rule.separator.join(part for row in rows for part in row)


def frame(records: Records, checksum: int, events: list[tuple[int, int, int]], *, picture: bool = True) -> None:
    flags = PICTURE if picture else 0
    rows = [(0, 0, p, q, 0, 0, flags, 1, side) for side, p, q in events]
    if picture:
        rows.insert(0, (0, 0, 0, 0, 0, 0, flags, 2, 0))
    kind = FrameKind.SNAPSHOT if picture else FrameKind.DEPTH
    records.append(kind=int(kind), instrument=0, events=rows, checksum=checksum)


def made(rule: ChecksumRule, decimals: tuple[int, int], pipelines: dict[tuple[int, int], Pipeline]) -> Pipeline:
    """A pipeline for those decimals, with that rule."""
    if decimals not in pipelines:
        pipelines[decimals] = Pipeline([], [spot("v", "A/B", *decimals)], [SequenceRule.NONE], checksums=[rule])
    pipeline = pipelines[decimals]
    pipeline.books.meta[0, m.CHECK] = code_of(rule)
    return pipeline


PIPELINES: dict[tuple[int, int], Pipeline] = {}


@settings(max_examples=150, deadline=None)
@given(
    rule=rules(),
    bids=sides(1, 10**6),
    asks=sides(10**6 + 1, 2**62),
    decimals=st.sampled_from([(0, 0), (2, 8), (9, 0), (18, 18)]),
    wrong=st.integers(1, 2**32 - 1),
)
def test_the_checksum_is_zlibs_of_the_text(
    rule: ChecksumRule, bids: dict[int, int], asks: dict[int, int], decimals: tuple[int, int], wrong: int
) -> None:
    pipeline = made(rule, decimals, PIPELINES)
    levels = [(1, p, q) for p, q in bids.items()] + [(-1, p, q) for p, q in asks.items()]
    good = zlib.crc32(text(rule, bids, asks, decimals).encode())
    for sent, state in ((good, BookState.LIVE), (good ^ wrong, BookState.GAP), (-1, BookState.LIVE)):
        records = Records()
        frame(records, sent, levels)
        pipeline.process(records)
        assert pipeline.books.state(0) == state


@settings(max_examples=60, deadline=None)
@given(
    rule=rules(),
    changes=st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=60),
)
def test_it_follows_every_change_also_those_beyond_the_levels_that_it_covers(
    rule: ChecksumRule, changes: list[tuple[int, int, int]]
) -> None:
    """A change that does not touch the best levels is answered from what was made before."""
    pipeline = made(rule, (2, 8), PIPELINES)
    books: dict[int, dict[int, int]] = {1: {}, -1: {}}
    records = Records()
    frame(records, -1, [])
    pipeline.process(records)
    for side, offset, quantity in changes:
        price = 1000 - side * (offset + 1)
        books[side][price] = quantity
        books[side] = {p: q for p, q in books[side].items() if q}
        records = Records()
        frame(records, zlib.crc32(text(rule, books[1], books[-1], (2, 8)).encode()), [(side, price, quantity)], picture=False)
        pipeline.process(records)
        assert pipeline.books.state(0) == BookState.LIVE


def test_levels_beyond_the_depth_are_dropped_after_every_frame() -> None:
    pipeline = Pipeline([], [spot("v", "A/B", 0, 0)], [SequenceRule.NONE])
    records = Records()
    picture: list[Any] = [(0, 0, 0, 3, 0, 0, PICTURE, 2, 0)]
    picture += [(0, 0, 100 - k, 1, 0, 0, PICTURE, 1, 1) for k in range(5)] + [
        (0, 0, 101 + k, 1, 0, 0, PICTURE, 1, -1) for k in range(5)
    ]
    records.append(kind=int(FrameKind.SNAPSHOT), instrument=0, events=picture)
    pipeline.process(records)
    from vtframe.domain import Side

    assert pipeline.books.levels(0, Side.BUY, 9)[0].tolist() == [100, 99, 98]
    records = Records()
    frame(records, -1, [(1, 95, 7), (-1, 100, 7), (1, 100, 0), (1, 99, 0)], picture=False)
    pipeline.process(records)
    assert pipeline.books.levels(0, Side.BUY, 9)[0].tolist() == [98, 95]  # a frame is applied whole, then cut
    assert pipeline.books.levels(0, Side.SELL, 9)[0].tolist() == [100, 101, 102]


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"levels": 0}, "levels must be in 1..255"),
        ({"levels": 256}, "levels must be in 1..255"),
        ({"levels": 1, "separator": "::"}, "one ASCII character"),
        ({"levels": 1, "separator": "é"}, "one ASCII character"),
        ({"levels": 1, "shortest": True}, "shortest needs point"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_in_words(settings_: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ChecksumRule(**settings_)
