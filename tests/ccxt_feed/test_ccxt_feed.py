"""The ccxt feed keeps the laws of feeds; on the embedded venue its books are the venue's at the same update id."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from venue_process import VenueProcess, running_venue, wait_for
from vtframe_ccxt.example_venue import SmallBinance
from vtframe_ccxt.feed import CcxtFeed

from vtframe.api import ConfigError, FeedContext, InputError
from vtframe.clock import LiveClock
from vtframe.domain import EventKind, FrameKind, Records
from vtframe.testing import FEED_CHECKS, FeedCase, FeedCheck

CONTEXT = FeedContext(codecs={}, folder=Path(), clock=LiveClock())
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.mark.parametrize("check", FEED_CHECKS)
def test_the_laws_of_feeds_are_kept(check: FeedCheck) -> None:
    check(FeedCase(venue=SmallBinance))


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    with running_venue() as running:
        yield running


def settings_for(venue: VenueProcess) -> dict[str, Any]:
    api = {"public": f"{venue.url}/api/v3", "ws": {"spot": f"{venue.urls['spot']['stream']}/ws"}}
    return {"urls": {"api": api}, "options": {"fetchMarkets": {"types": ["spot"]}}}


class Books:
    """A sink that keeps books in dicts, and what they were after each frame that states an id."""

    def __init__(self, frames: int) -> None:
        self.stopping = False
        self.left = frames
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.at: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
        self.trades = 0
        self.told: list[tuple[bool, str]] = []

    def on_records(self, records: Records) -> None:
        for frame in records.frames[: records.n_frames]:
            first = int(frame["first_event"])
            self.trades += int(frame["n_events"]) * (frame["kind"] == FrameKind.TRADE)
            for event in records.events[first : first + int(frame["n_events"])]:
                if event["kind"] == EventKind.BOOK_CLEAR:
                    self.sides = ({}, {})
                elif event["kind"] == EventKind.BOOK_DELTA:
                    side = self.sides[0 if event["side"] == 1 else 1]
                    side[int(event["price"])] = int(event["quantity"])
                    if not event["quantity"]:
                        del side[int(event["price"])]
            if frame["last_id"] >= 0:
                self.at[int(frame["last_id"])] = (dict(self.sides[0]), dict(self.sides[1]))
                self.left -= 1
        self.stopping = self.left <= 0

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self.told.append((up, reason))

    def on_damage(self, where: str, problem: str) -> None:
        raise AssertionError(f"{where}: {problem}")


def test_books_are_the_embedded_venues_at_the_same_update_id(venue: VenueProcess) -> None:
    feed = CcxtFeed(exchange="binance", symbols=("BTC/USDT",), limit=20, settings=settings_for(venue))
    (instrument,) = feed.open(CONTEXT)
    sink = Books(40)
    asyncio.run(asyncio.wait_for(feed.run(sink), 60))  # type: ignore[arg-type]
    compared = 0
    for update_id, found in list(sink.at.items())[-15:]:
        truth = venue.truth("spot", "BTCUSDT", update_id)
        assert truth.status == 200, truth.body
        for side, name in zip(found, ("bids", "asks"), strict=True):
            wanted = [(float(price), float(quantity)) for price, quantity in truth.body[name][:20]]
            held = [(float(instrument.price(p)), float(instrument.quantity(q))) for p, q in side.items()]
            assert sorted(held, reverse=name == "bids") == wanted, update_id
        compared += 1
    assert compared == 15
    assert sink.trades > 0
    report = feed.report()
    assert report["books"]["BTCUSDT@binance"]["pictures"] == 1
    assert sink.told == [(True, "")]


CONFIG = """\
[feed]
use = "ccxt"
exchange = "binance"
symbols = ["BTC/USDT"]
settings = {settings}

[sampling]
"""


def test_a_session_runs_on_it_and_is_the_same_when_it_is_played_again(venue: VenueProcess, root: Path, tmp_path: Path) -> None:
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    text = text.replace('plugins = ["onnx"]', 'plugins = ["onnx", "ccxt"]')
    settings = json.dumps(settings_for(venue)).replace('": ', '" = ').replace('": ', '" = ')
    text = re.sub(r"\[feed\]\n.*?\[sampling\]\n", lambda _: CONFIG.format(settings=settings), text, flags=re.DOTALL)
    (tmp_path / "vtframe.toml").write_text(text)
    command = [sys.executable, "-W", "error", "-m", "vtframe.cli.main", "run", "--session", "session", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as session:
        wait_for(lambda: session.poll() is not None or _sent(venue) > 40, limit_s=90)
        session.send_signal(signal.SIGINT)
        out, err = session.communicate(timeout=60)
    assert session.returncode == 130, out + err
    report = json.loads((tmp_path / "session" / "report.json").read_text())
    assert report["counts"]["rows"] > 3
    assert report["counts"]["gaps"] == 0
    assert report["feed"]["exchange"] == "binance"
    assert report["feed"]["books"]["BTCUSDT@binance"]["updates"] >= 3
    again = [sys.executable, "-W", "error", "-m", "vtframe.cli.main", "parity", "session", "--json"]
    done = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    certificate = json.loads(done.stdout)
    assert certificate["identical"] == certificate["compared"] == certificate["rows"] == report["counts"]["rows"]


def _sent(venue: VenueProcess) -> int:
    """Messages on the connections that are open now."""
    return sum(int(one["sent"]) for one in venue.counters()["connections"])


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"exchange": "binnance"}, "ccxt streams nothing of 'binnance'; did you mean 'binance'"),
    ({"exchange": "nowhere at all"}, "ccxt streams nothing of 'nowhere at all'; there are"),
    ({"settings": {"apiKey": "planted-key"}}, "settings have 'apiKey', and this feed needs no account"),
    ({"settings": {"secret": "planted-key"}}, "settings have 'secret', and this feed needs no account"),
    ({"limit": 50, "depth": 50}, "asks ccxt for 50 levels, of which limit delivers 50"),
    ({"digits": {"ETH/USDT": {"price": 3}}}, "has digits of ETH/USDT, which symbols does not name"),
)


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_settings_that_cannot_be_used_are_refused_by_check_without_a_network(change: dict[str, Any], words: str) -> None:
    feed = msgspec.convert({"exchange": "binance", "symbols": ["BTC/USDT"], **change}, CcxtFeed)
    with pytest.raises(ConfigError) as caught:
        feed.look(CONTEXT)
    assert words in str(caught.value)
    assert "planted-key" not in str(caught.value)


def test_a_venue_that_streams_no_trades_is_told_what_to_set() -> None:
    import ccxt.pro

    lacking = [name for name in ccxt.pro.exchanges if _has(name, "watchOrderBook") and not _has(name, "watchTrades")]
    for name in lacking[:1]:
        with pytest.raises(ConfigError, match=r"streams no trades of .*; set trades = false"):
            CcxtFeed(exchange=name, symbols=("BTC/USDT",)).look(CONTEXT)
        assert CcxtFeed(exchange=name, symbols=("BTC/USDT",), trades=False).look(CONTEXT) == ()
    none = next(name for name in ccxt.pro.exchanges if not _has(name, "watchOrderBook"))
    with pytest.raises(ConfigError, match="streams no order books of"):
        CcxtFeed(exchange=none, symbols=("BTC/USDT",)).look(CONTEXT)


def _has(name: str, ability: str) -> bool:
    import ccxt.pro

    return bool(getattr(ccxt.pro, name)().has.get(ability))


def test_a_symbol_that_the_venue_does_not_have_is_refused_with_the_nearest() -> None:
    small = SmallBinance()
    small.start()
    try:
        feed = small.feed(silence_s=10)
        feed.symbols = ("BTC/USDTT",)  # type: ignore[attr-defined]
        with pytest.raises(ConfigError, match=r"there is no market 'BTC/USDTT'; did you mean 'BTC/USDT'"):
            feed.open(CONTEXT)
    finally:
        small.stop()


def test_a_venue_that_cannot_be_reached_is_told_in_one_line() -> None:
    settings = {"urls": {"api": {"public": NOWHERE}}, "options": {"fetchMarkets": {"types": ["spot"]}}}
    feed = CcxtFeed(exchange="binance", symbols=("BTC/USDT",), settings=settings)
    with pytest.raises(InputError, match="cannot load the markets: ExchangeNotAvailable") as caught:
        feed.open(CONTEXT)
    assert "\n" not in str(caught.value)


def test_loading_the_plugin_does_not_import_ccxt(tmp_path: Path) -> None:
    (tmp_path / "vtframe.toml").write_text('[vtframe]\nplugins = ["ccxt"]\n')
    code = (
        "import sys, click.testing, vtframe.cli.main as m\nr = click.testing.CliRunner().invoke(m.cli, ['plugins', '--json'])"
    )
    code += "\nassert 'vtframe_ccxt' in sys.modules and '\"ccxt\"' in r.output, r.output\nsys.exit('ccxt' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
