"""The adapter on the embedded venue, whose matching, balances and protocols are somebody else's work: they must agree."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from embedded import KEY, SECRET, Embedded, accounts_file, embedded_venue
from trading import Trader

from vtframe.domain import OrderStatus, TimeInForce
from vtframe.journal import JournalReader
from vtframe.journal.records import OrderApproved, OrderReported

S = OrderStatus
MARKETS = pytest.mark.parametrize("market", ["spot", "usdm"])


@pytest.fixture(scope="module")
def venue() -> Iterator[Embedded]:
    with embedded_venue() as running:
        yield running


@pytest.fixture(autouse=True)
def embedded_keys(planted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_KEY", KEY)
    monkeypatch.setenv("VENUE_SECRET", SECRET)


def trading(venue: Embedded, market: str, scenario: Callable[[Trader], Awaitable[None]], **settings: Any) -> None:
    async def play() -> None:
        async with Trader(venue, market, **settings) as trader:  # type: ignore[arg-type]
            trader.venue.refusals = []  # type: ignore[misc]
            await scenario(trader)
            assert not trader.lane.failed

    asyncio.run(play())


def held(venue: Embedded, market: str) -> Decimal:
    return venue.position() if market == "usdm" else venue.balance("BTC")


@MARKETS
def test_a_round_trip_ends_where_it_began_at_the_venue_and_in_the_ledger(venue: Embedded, market: str) -> None:
    before = held(venue, market)

    async def scenario(trader: Trader) -> None:
        name = trader.want(1)
        await trader.until_status(name, S.FILLED)
        assert trader.events(name)[-1] == "OrderFilled"
        bought = await asyncio.to_thread(held, venue, market) - before
        fees = [one for one in trader.bench.journal.of(OrderReported) if one.fee != "0"]
        assert fees
        in_base = sum((Decimal(one.fee) for one in fees if one.fee_currency == "BTC"), start=Decimal(0))
        assert bought == Decimal("0.01") - in_base
        await trader.until_status(trader.want(0), S.FILLED)
        assert trader.position == 0

    trading(venue, market, scenario)
    assert abs(held(venue, market) - before) <= Decimal("0.00005")  # spot takes fees out of what was bought


@MARKETS
def test_an_order_rests_and_is_canceled(venue: Embedded, market: str) -> None:
    async def scenario(trader: Trader) -> None:
        price = await near(venue, market, "0.985")
        name = trader.want(1, price=price)
        await trader.until_status(name, S.ACCEPTED)
        (resting,) = await asyncio.to_thread(venue.open_orders, market)
        assert resting["clientOrderId"] == name
        assert Decimal(resting["price"]) * 100 == price
        trader.cancel(name)
        await trader.until_status(name, S.CANCELED)
        assert await asyncio.to_thread(venue.open_orders, market) == []

    trading(venue, market, scenario)


@MARKETS
@pytest.mark.parametrize(("tif", "status"), [(TimeInForce.IOC, S.EXPIRED), (TimeInForce.FOK, S.EXPIRED)])
def test_an_order_that_does_not_rest_and_meets_nothing_expires(
    venue: Embedded, market: str, tif: TimeInForce, status: OrderStatus
) -> None:
    async def scenario(trader: Trader) -> None:
        name = trader.want(1, price=await near(venue, market, "0.985"), tif=tif)
        await trader.until_status(name, status)
        assert trader.position == 0

    trading(venue, market, scenario)


@MARKETS
def test_a_post_only_order_that_would_take_is_refused_by_the_venue(venue: Embedded, market: str) -> None:
    async def scenario(trader: Trader) -> None:
        name = trader.want(1, price=await near(venue, market, "1.01"), post_only=True)
        await trader.until(lambda: trader.status(name) in {S.REJECTED, S.EXPIRED}, "the end")
        assert trader.position == 0

    trading(venue, market, scenario)


@pytest.mark.parametrize(
    ("market", "words"), [("spot", "-1013: Filter failure: PERCENT_PRICE"), ("usdm", "-4024: Limit price")]
)
def test_a_price_that_the_venue_does_not_take_is_rejected_in_its_words(venue: Embedded, market: str, words: str) -> None:
    async def scenario(trader: Trader) -> None:
        name = trader.want(1, price=await near(venue, market, "0.5"))
        await trader.until_status(name, S.REJECTED)
        assert trader.reasons(name)[0].startswith(words)

    trading(venue, market, scenario)


def test_more_than_the_account_can_pay_is_rejected_in_the_venues_words(venue: Embedded) -> None:
    async def scenario(trader: Trader) -> None:
        name = trader.want(90_000)
        await trader.until_status(name, S.REJECTED)
        assert re.match(r"-\d+: ", trader.reasons(name)[0])

    trading(venue, "spot", scenario)


@MARKETS
def test_a_session_that_logged_on_with_ed25519_trades(market: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = Ed25519PrivateKey.generate()
    monkeypatch.setenv("VENUE_SECRET", private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    async def scenario(trader: Trader) -> None:
        await trader.until_status(trader.want(1), S.FILLED)
        await trader.until_status(trader.want(0), S.FILLED)

    with embedded_venue("--config", str(accounts_file(tmp_path, public))) as own:
        trading(own, market, scenario)


@MARKETS
@pytest.mark.parametrize("library", ["websockets", "picows"])
def test_many_orders_end_with_the_venues_position(venue: Embedded, market: str, library: str) -> None:
    before = held(venue, market)
    base_fees: list[Decimal] = []

    async def scenario(trader: Trader) -> None:
        for target in (1, 2, 3, 1, 4, 0, 2, 0):
            trader.want(target)
            await trader.until(lambda: not trader.lane.working_orders(), "the ends")
            assert trader.position == target
        rows = trader.bench.journal.of(OrderReported)
        base_fees.extend(Decimal(one.fee) for one in rows if one.fee_currency == "BTC")

    trading(venue, market, scenario, transport=library, existing="ignore")
    assert held(venue, market) - before == -sum(base_fees, start=Decimal(0))


async def near(venue: Embedded, market: str, share: str) -> int:
    """A whole price around the venue's own, fixed point with two decimals."""
    path = {"spot": "/api/v3/depth", "usdm": "/fapi/v1/depth"}[market]
    book = await asyncio.to_thread(lambda: venue.ask(path, symbol="BTCUSDT", limit=5))
    return int(Decimal(book["bids"][0][0]) * Decimal(share)) * 100


def test_vtframe_run_trades_on_the_venue_and_both_have_the_same_position(root: Path, tmp_path: Path) -> None:
    with embedded_venue() as own:
        text = (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/")
        feed = '[feed]\nuse = "binance"\nmarket = "usdm"\ninstruments = ["BTCUSDT"]\nduration_s = 15\n\n'
        text = re.sub(r"\[feed\].*?(?=\[sampling\])", feed, text, flags=re.DOTALL)
        keys = 'key = "env:VENUE_KEY", secret = "env:VENUE_SECRET"'
        text = re.sub(
            r"execution = \{.*?\}", f'execution = {{ use = "binance", market = "usdm", url = "testnet", {keys} }}', text
        )
        text = text.replace("enter = 0.5", "min_edge_bps = 0, enter = 0.4").replace("max_age_ms = 250", "max_age_ms = 60000")
        text = text.replace("deadline_us = 5_000", "deadline_us = 30_000_000\nstale_ms = 60_000")
        config = tmp_path / "vtframe.toml"
        config.write_text(text)
        command = [sys.executable, "-m", "vtframe.cli.main", "run", str(config), "--session", str(tmp_path / "session")]
        done = subprocess.run(
            [*command, "--venue-url", own.url, "--json"],
            capture_output=True,
            text=True,
            check=False,
            env=dict(os.environ),
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["counts"]["orders"] > 3
        assert report["orders"]["open"] == 0
        held = Decimal(report["lanes"]["demo"]["positions"].get("BTCUSDT@binance_usdm", "0"))
        assert held == own.position()
        trades = own.ask("/fapi/v1/userTrades", signed=True, symbol="BTCUSDT", limit=1000)
        assert len(trades) == report["counts"]["fills"]
        fees = sum(Decimal(row["commission"]) for row in trades)
        assert report["pnl"]["USDT"]["fees"] == pytest.approx(float(fees))
        journal = list(JournalReader(tmp_path / "session" / "journal"))
        assert sum(isinstance(one, OrderApproved) for one in journal) == report["counts"]["orders"]
