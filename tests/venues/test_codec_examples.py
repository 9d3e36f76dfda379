"""Every codec, in the box or outside, brings examples: `vtframe plugins check` needs no recording, and they make live books."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from venue_markets import Played
from vtframe_bybit.codec import BybitCodec
from vtframe_coinbase.codec import CoinbaseCodec
from vtframe_kraken.codec import KrakenCodec
from vtframe_okx.codec import OkxCodec
from vtframe_vectrade.codec import VectradeCodec

from vtframe.api import Codec
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.reference import BinanceReferenceCodec
from vtframe.cli.main import cli
from vtframe.domain import BookState, FrameKind
from vtframe.testing import CODEC_CHECKS

CODECS = (BinanceCodec, BinanceReferenceCodec, BybitCodec, CoinbaseCodec, KrakenCodec, OkxCodec, VectradeCodec)
EACH = pytest.mark.parametrize("codec", CODECS, ids=[codec.name for codec in CODECS])


@EACH
def test_vtframe_plugins_check_tries_every_law_without_a_recording(codec: type[Codec]) -> None:
    result = CliRunner().invoke(cli, ["plugins", "check", codec.name, "--json"])
    assert result.exit_code == 0, result.output
    found = {one["law"]: one["outcome"] for one in json.loads(result.stdout) if one["kind"] == "codec"}
    assert found == {check.__name__: "kept" for check in CODEC_CHECKS}


@EACH
def test_the_examples_make_live_books_and_trades(codec: type[Codec]) -> None:
    instruments, messages = codec.examples()
    played = Played(codec(), instruments)
    for message in messages:
        played.feed(message)
    counts = played.pipeline.counts()
    assert (counts.gaps, counts.crossed, counts.mismatches) == (0, 0, 0)
    for number, instrument in enumerate(instruments):
        assert played.pipeline.books.state(number) == BookState.LIVE, instrument.instrument_id
        top = played.pipeline.books.top(number)
        assert 0 < top.bid < top.ask
    assert played.frames[FrameKind.TRADE] >= 1
    assert played.frames[FrameKind.DEPTH] >= 1
    assert len(played.messages) >= 3  # types, market data and others


@pytest.mark.parametrize(("codec", "verified"), [(KrakenCodec, 4), (OkxCodec, 2)])
def test_the_examples_carry_the_checksums_of_their_books(codec: type[Codec], verified: int) -> None:
    instruments, messages = codec.examples()
    played = Played(codec(), instruments)
    for message in messages:
        played.feed(message)
    assert played.pipeline.counts().verified == verified
