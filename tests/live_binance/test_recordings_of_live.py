"""What a live feed delivered, written down line by line, is a recording that gives the same books."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest
from desk import Run
from scripted_venue import ScriptedVenue

from vtframe.api import FeedContext
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.clock import EventClock
from vtframe.domain import Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline

PAIRS = {"spot": ("BTCUSDT", "ETHUSDT"), "usdm": ("BTCUSDT", "ETHUSDT"), "coinm": ("BTCUSD_PERP", "ETHUSD_PERP")}


class Player:
    """A FeedSink that keeps the books, and what was damaged."""

    stopping = False

    def __init__(self, codec: BinanceCodec, pipeline: Pipeline) -> None:
        self.codec, self.pipeline = codec, pipeline
        self.damage: list[str] = []
        self._records = Records()

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self._records.clear()
        self.codec.decode(data, self._records)
        self._records.stamp(number=0, ts_recv=ts_recv)
        self.pipeline.process(self._records)

    def on_damage(self, where: str, problem: str) -> None:
        self.damage.append(problem)


@pytest.mark.parametrize("market", list(PAIRS))
def test_lines_of_a_live_session_with_losses_make_the_same_books_again(tmp_path: Path, market: str) -> None:
    async def during(run: Run) -> None:
        await run.right()
        await run.more(1_500)  # enough different prices to recognize instruments by
        run.venue.drop()
        await run.until(lambda: not run.desk.all_live, "the loss")
        await run.right()

    with ScriptedVenue(market, PAIRS[market]) as venue:
        venue.interval_s = 0.002
        desk = Run(venue)(during)
    lines = b"".join(b"%d %b\n" % (ts, data) for ts, data in zip(desk.times, desk.messages, strict=True))
    (tmp_path / "live.gz").write_bytes(gzip.compress(lines))
    names = "\n".join(
        f'[[instruments]]\nvenue = "{one.venue}"\nsymbol = "{one.symbol}"\nkind = "{one.kind.value}"\nbase = "{one.base}"\n'
        f'quote = "{one.quote}"\nsettlement = "{one.settlement}"\ntick_size = "{one.price(one.tick_size)}"\n'
        f'lot_size = "{one.quantity(one.lot_size)}"\nprice_decimals = {one.price_decimals}\n'
        f"quantity_decimals = {one.quantity_decimals}\n"
        for one in desk.instruments
    )
    (tmp_path / "live.gz.toml").write_text(f'format_version = 1\ncodec = "binance"\ntime_unit = "ns"\n{names}')
    feed = RecordedFeed(paths=("live.gz",))
    instruments = feed.open(FeedContext(codecs={"binance": BinanceCodec}, folder=tmp_path, clock=EventClock()))
    codec = feed.codec()
    assert isinstance(codec, BinanceCodec)
    codec.open(SessionInstruments(instruments))
    pipeline = Pipeline([], list(instruments), [codec.sequence_rule(index) for index in range(2)])
    player = Player(codec, pipeline)
    asyncio.run(feed.run(player))  # type: ignore[arg-type]
    assert player.damage == []
    ours = {"rows": 0}
    assert {**_plain(pipeline), **ours} == {**_plain(desk.pipeline), **ours}
    assert pipeline.counts().gaps == 2
    for index in range(2):
        assert pipeline.books.update_id(index) == desk.pipeline.books.update_id(index)
        assert pipeline.books.top(index) == desk.pipeline.books.top(index)


def _plain(pipeline: Pipeline) -> dict[str, int]:
    counts = pipeline.counts()
    return {name: getattr(counts, name) for name in counts.__struct_fields__}
