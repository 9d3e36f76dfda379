"""Instruments come from the venue, are kept on disk, looked at again, and refused with a hint where the venue has none."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from desk import QUICK, Desk, Run
from scripted_venue import ScriptedVenue

from vtframe.api import ConfigError, FeedContext
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.exchange_info import InfoError, differences, read_info
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.builtin.binance.known import COINM, SPOT, USDM, known_instrument
from vtframe.builtin.binance.places import MARKETS, PLACES, find_place
from vtframe.clock import LiveClock
from vtframe.domain import BookState, InstrumentKind

# Entries in the venue's form, made for this purpose from its documentation.
SPOT_BTC = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "baseAssetPrecision": 8,
    "quoteAsset": "USDT",
    "quotePrecision": 8,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
    ],
}
SPOT_PEPE = SPOT_BTC | {
    "symbol": "PEPEUSDT",
    "baseAsset": "PEPE",
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.00000001"},
        {"filterType": "LOT_SIZE", "maxQty": "92141578736.00", "stepSize": "1.00"},
    ],
}
USDM_BTC = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "pricePrecision": 2,
    "quantityPrecision": 3,
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "maxQty": "1000", "minQty": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ],
}
COINM_BTC = {
    "symbol": "BTCUSD_PERP",
    "contractStatus": "TRADING",
    "contractSize": 100,
    "baseAsset": "BTC",
    "quoteAsset": "USD",
    "marginAsset": "BTC",
    "pricePrecision": 1,
    "quantityPrecision": 0,
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "stepSize": "1", "maxQty": "1000000", "minQty": "1"},
    ],
}


def body(*symbols: dict[str, Any]) -> bytes:
    return json.dumps({"timezone": "UTC", "symbols": symbols}).encode()


@pytest.mark.parametrize(
    ("market", "entry", "venue"), [("spot", SPOT_BTC, SPOT), ("usdm", USDM_BTC, USDM), ("coinm", COINM_BTC, COINM)]
)
def test_exchange_info_gives_what_is_known_by_heart(market: str, entry: dict[str, Any], venue: str) -> None:
    info = read_info(MARKETS[market], body(entry))
    assert info.listed[entry["symbol"]].instrument == known_instrument(venue, entry["symbol"])
    assert info.listed[entry["symbol"]].status == "TRADING"


def test_quantities_too_large_for_eight_decimals_are_kept_in_the_lots() -> None:
    pepe = read_info(MARKETS["spot"], body(SPOT_PEPE)).listed["PEPEUSDT"].instrument
    assert (pepe.price_decimals, pepe.quantity_decimals, pepe.tick_size, pepe.lot_size) == (8, 0, 1, 1)
    assert pepe.minimum_notional == 0
    assert pepe.kind is InstrumentKind.SPOT


@pytest.mark.parametrize(
    "change",
    [
        {"filters": []},
        {
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0"},
                {"filterType": "LOT_SIZE", "stepSize": "1", "maxQty": "1"},
            ]
        },
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "NaN"}, {"filterType": "LOT_SIZE", "stepSize": "1"}]},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": []}, {"filterType": "LOT_SIZE", "stepSize": {}}]},
        {"filters": "none"},
        {"baseAsset": 7},
        {"pricePrecision": 99},
        {"pricePrecision": None},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "1e-400"}, {"filterType": "LOT_SIZE", "stepSize": "1"}]},
    ],
)
def test_a_broken_entry_is_named_and_costs_only_itself(change: dict[str, Any]) -> None:
    info = read_info(MARKETS["usdm"], body(USDM_BTC | {"symbol": "BAD"} | change, USDM_BTC))
    assert list(info.listed) == ["BTCUSDT"]
    assert info.broken["BAD"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"symbols":7}', b"[" * 100_000, b'{"symbols":[{}]}', b'{"symbols":[7]}'])
def test_an_answer_that_is_no_exchange_info_is_refused(data: bytes) -> None:
    with pytest.raises(InfoError, match="exchangeInfo cannot be read"):
        read_info(MARKETS["spot"], data)


def test_what_changed_is_named_with_both_values() -> None:
    before = read_info(
        MARKETS["usdm"], body(USDM_BTC, USDM_BTC | {"symbol": "ETHUSDT"}, USDM_BTC | {"symbol": "XRPUSDT"})
    ).listed
    finer = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "maxQty": "1000"},
        {"filterType": "MIN_NOTIONAL", "notional": "50"},
    ]
    after = read_info(
        MARKETS["usdm"], body(USDM_BTC | {"filters": finer, "status": "SETTLING"}, USDM_BTC | {"symbol": "XRPUSDT"})
    )
    assert differences(before, after) == {
        "BTCUSDT": "status TRADING -> SETTLING, tick_size 0.10 -> 0.01, minimum_notional 100 -> 50",
        "ETHUSDT": "is not listed",
    }


def test_an_unknown_symbol_is_an_error_with_those_that_are_near() -> None:
    with ScriptedVenue("spot", ("BTCUSDT", "BTCUSDC", "ETHUSDT")) as venue, pytest.raises(ConfigError) as e:
        Desk(BinanceFeed(instruments=("BTCUSDT", "BTCUSD", "ETHUSTD"), url=venue.url, **QUICK))
    problems = [(fault.key, fault.problem) for fault in e.value.faults]
    assert problems == [
        ("instruments", "the venue has no instrument 'BTCUSD'"),
        ("instruments", "the venue has no instrument 'ETHUSTD'"),
    ]
    assert "'BTCUSDT'" in e.value.faults[0].hint
    assert "'BTCUSDC'" in e.value.faults[0].hint
    assert "'ETHUSDT'" in e.value.faults[1].hint


def test_a_change_during_a_session_is_an_input_that_names_it() -> None:
    async def during(run: Run) -> None:
        await run.right()
        finer = [one | ({"stepSize": "0.00100000"} if one["filterType"] == "LOT_SIZE" else {}) for one in SPOT_BTC["filters"]]
        run.venue.symbols["BTCUSDT"] = SPOT_BTC | {"filters": finer, "status": "BREAK"}
        await run.until(lambda: bool(run.desk.damage), "the change told")

    with ScriptedVenue("spot") as venue:
        venue.symbols["BTCUSDT"] = SPOT_BTC
        desk = Run(venue, refresh_s=0.1)(during)
    assert desk.damage == [
        "BTCUSDT@binance_spot: instrument changed: status TRADING -> BREAK, lot_size 0.00001000 -> 0.00100000"
    ]
    assert [b'"state":"halted","reason":"its status is BREAK"' in one for one in desk.notes()] == [True]
    assert desk.states == [[BookState.SYNCING, BookState.LIVE]], "its book is as it was"


def test_an_instrument_that_is_not_traded_is_told_so_at_the_start_and_again_when_it_is() -> None:
    async def during(run: Run) -> None:
        await run.until(lambda: len(run.desk.notes()) == 1, "what it is at the start")
        run.venue.symbols["ETHUSDT"] = run.venue.listing("ETHUSDT")
        del run.venue.symbols["BTCUSDT"]
        await run.until(lambda: len(run.desk.notes()) == 3, "what it is then")

    with ScriptedVenue("usdm", ("BTCUSDT", "ETHUSDT")) as venue:
        venue.symbols["ETHUSDT"] = venue.listing("ETHUSDT") | {"status": "SETTLING"}
        desk = Run(venue, refresh_s=0.1)(during)
    said = [msgspec.json.decode(one)["data"] for one in desk.notes()]
    told = [(one["symbol"], one["state"], one["reason"]) for one in said]
    assert told[0] == ("ETHUSDT", "halted", "its status is SETTLING")
    assert sorted(told[1:]) == [
        ("BTCUSDT", "halted", "its status is not listed"),
        ("ETHUSDT", "trading", "its status is TRADING"),
    ]


def test_what_the_venue_said_last_serves_while_it_does_not_answer(tmp_path: Path) -> None:
    with ScriptedVenue("spot") as venue:
        settings: dict[str, Any] = {"instruments": ("BTCUSDT",), "url": venue.url, "cache": "kept", **QUICK}
        Desk(BinanceFeed(**settings), tmp_path)

        async def refuse(request: web.Request) -> web.StreamResponse:
            return web.Response(status=503)

        venue.on_request = refuse  # type: ignore[assignment]
        desk = Desk(BinanceFeed(**settings), tmp_path)
        assert desk.instruments[0].symbol == "BTCUSDT"
        assert "answered 503" in desk.said[0]
        assert "using what it said 0.0 hours ago" in desk.said[0]
        with pytest.raises(ConfigError, match=r"no instruments: .*answered 503"):
            Desk(BinanceFeed(**settings | {"cache": "other"}), tmp_path)
        (file,) = (tmp_path / "kept").iterdir()
        file.write_bytes(b"{damaged")
        with pytest.raises(ConfigError, match="no instruments"):
            Desk(BinanceFeed(**settings), tmp_path)


def test_a_look_asks_nobody(tmp_path: Path) -> None:
    context = FeedContext(codecs={"binance": BinanceCodec}, folder=tmp_path, clock=LiveClock())
    nowhere = "http://127.0.0.1:9"
    assert [one.symbol for one in BinanceFeed(instruments=("BTCUSDT",), url=nowhere).look(context)] == ["BTCUSDT"]
    assert BinanceFeed(instruments=("NEWUSDT",), url=nowhere).look(context) == ()
    with pytest.raises(ConfigError, match=r"no instruments: .*no answer"):
        BinanceFeed(instruments=("BTCUSDT",), url=nowhere).open(context)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"url": "liv"}, "did you mean 'live'"),
        ({"url": "ftp://x"}, "expected 'live', 'testnet', 'embedded' or the base URL"),
        ({"instruments": ("A", "B", "A")}, "'A' is named twice"),
        ({"streams": ("markPrice",)}, "spot has no stream 'markPrice'"),
        ({"depth_ms": 0}, "found 0, spot has 100, 1000"),
        ({"market": "usdm", "depth_ms": 1000}, "found 1000, usdm has 0, 100, 250, 500"),
        ({"market": "usdm", "snapshot_levels": 300}, "found 300, usdm has 5, 10, 20, 50, 100, 500, 1000"),
        ({"market": "usdm", "routes": {"trade": "publik"}}, "usdm has no route 'publik'; did you mean 'public'"),
    ],
)
def test_settings_that_contradict_the_venue_are_refused(tmp_path: Path, settings: dict[str, Any], problem: str) -> None:
    context = FeedContext(codecs={"binance": BinanceCodec}, folder=tmp_path, clock=LiveClock())
    with pytest.raises(ConfigError) as e:
        BinanceFeed(**{"instruments": ("BTCUSDT",), **settings}).look(context)
    assert problem in str(e.value)


def test_places_are_a_table_whose_routes_are_the_markets() -> None:
    for place in PLACES.values():
        for name, market in MARKETS.items():
            assert set(place[name].sockets) == set(market.routes.values())  # type: ignore[index]
            assert place[name].rest.startswith("https://")  # type: ignore[index]
            assert place[name].rest.endswith(market.rest)  # type: ignore[index]
            assert all(root.startswith("wss://") for root in place[name].sockets.values())  # type: ignore[index]
    here = find_place("http://127.0.0.1:8123/", "usdm")
    assert here.rest == "http://127.0.0.1:8123/fapi/v1"
    assert here.sockets == {"public": "ws://127.0.0.1:8123/usdm/public", "market": "ws://127.0.0.1:8123/usdm/market"}
    assert find_place("http://127.0.0.1:8123", "spot").sockets == {"stream": "ws://127.0.0.1:8123/spot"}
    assert MARKETS["spot"].snapshot_weight(5000) == 250
    assert MARKETS["usdm"].snapshot_weight(1000) == 20
    assert Decimal(MARKETS["spot"].weight_limit) == 6000
