"""What must be before the first order: a log-on, user data, an account that may trade and holds nothing of somebody else's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from order_venue import KEY, SECRET, ScriptedVenue
from trading import Trader

from vtframe.api import ConfigError, VtframeError
from vtframe.domain import OrderStatus

MARKETS = pytest.mark.parametrize("market", ["spot", "usdm"])


def pem(key: Any) -> str:
    text: str = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return text


def refused(venue: ScriptedVenue, market: str = "spot", **settings: Any) -> str:
    """Why a trader could not begin."""

    async def play() -> str:
        async with venue:
            trader = Trader(venue, market, **settings)
            with pytest.raises(VtframeError) as caught:
                await trader.adapter.open()
            await trader.adapter.close()
            return str(caught.value)

    return asyncio.run(play())


@MARKETS
@pytest.mark.parametrize("joined", [True, False])
def test_an_ed25519_key_logs_the_connection_on_and_orders_are_not_signed(
    market: str,
    joined: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private = Ed25519PrivateKey.generate()
    text = pem(private)
    monkeypatch.setenv("VENUE_SECRET", text.replace("\n", "\\n") if joined else text)

    async def play() -> None:
        async with ScriptedVenue(public_key=private.public_key()) as venue, Trader(venue, market) as trader:
            await trader.until_status(trader.want(1), OrderStatus.FILLED)
            assert "signature" not in venue.seen[-1][1]
            assert "apiKey" not in venue.seen[-1][1]
            await venue.drop()  # and again after a reconnect
            await trader.until(lambda: not trader.lane.view.trading_available, "the closing of entries")
            await trader.until(lambda: trader.lane.view.trading_available, "the opening of entries")
            await trader.until_status(trader.want(2), OrderStatus.FILLED)
            assert not venue.refusals

    asyncio.run(play())


def test_a_secret_from_a_file_signs_as_one_from_the_environment(tmp_path: Any) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")

    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue, secret=f"file:{tmp_path}/secret") as trader:
            await trader.until_status(trader.want(1), OrderStatus.FILLED)

    asyncio.run(play())


def test_a_wrong_secret_is_told_in_the_venues_words_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_SECRET", "a-wrong-secret-33")
    told = refused(ScriptedVenue())
    assert "-1022" in told
    assert "a-wrong-secret-33" not in told
    assert KEY not in told


def test_a_log_on_that_is_refused_ends_the_start_and_whatever_the_venue_repeats_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private = Ed25519PrivateKey.generate()
    monkeypatch.setenv("VENUE_SECRET", pem(private))
    venue = ScriptedVenue(public_key=private.public_key())
    venue.refuse_logon = {"code": -2015, "msg": f"Invalid API-key {KEY}, IP, or permissions for action."}
    told = refused(venue)
    assert told.startswith("binance spot at http://127.0.0.1:")
    assert "-2015 Invalid API-key ***, IP, or permissions" in told


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("-----BEGIN PRIVATE KEY-----\nnot base64 at all\n-----END PRIVATE KEY-----", "is no private key that can be read"),
        (pem(generate_private_key(65537, 2048)), "is a private key of another kind"),
    ],
)
def test_a_private_key_that_cannot_sign_is_a_fault_of_the_configuration(
    secret: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENUE_SECRET", secret)

    async def play() -> str:
        async with ScriptedVenue() as venue:
            with pytest.raises(ConfigError) as caught:
                Trader(venue)
            return str(caught.value)

    told = asyncio.run(play())
    assert problem in told
    assert secret.splitlines()[1] not in told


def test_a_venue_that_is_not_there_is_told_with_its_address() -> None:
    class Nowhere(ScriptedVenue):
        async def __aenter__(self) -> Any:
            await super().__aenter__()
            self.url = "http://127.0.0.1:9"
            return self

    told = refused(Nowhere())
    assert "http://127.0.0.1:9/api/v3/time: does not answer" in told


def test_a_venue_that_never_answers_is_not_waited_for_longer_than_the_settings_say() -> None:
    venue = ScriptedVenue()

    async def hang(request: Any) -> Any:
        await asyncio.sleep(3600)

    venue._rest = hang  # type: ignore[method-assign]
    assert "was not ready within 1 s" in refused(venue, ready_timeout_s=1)


def test_hedge_mode_is_refused() -> None:
    venue = ScriptedVenue()
    venue.dual = True
    assert "hedge mode" in refused(venue, "usdm")


def test_what_is_open_already_is_refused_unless_it_is_to_be_ignored() -> None:
    venue = ScriptedVenue()
    venue.open_already = [{"symbol": "BTCUSDT", "orderId": 1}] * 2
    venue.held = "-0.5"
    told = refused(venue, "usdm")
    assert "orders are open already (2 in BTCUSDT)" in told
    assert "positions are open already (-0.5 BTCUSDT)" in told
    assert 'existing = "ignore"' in told

    async def play() -> None:
        venue = ScriptedVenue()
        venue.held = "-0.5"
        async with venue, Trader(venue, "usdm", existing="ignore") as trader:
            assert str(trader.adapter.holdings.positions["BTCUSDT"]) == "-0.5"

    asyncio.run(play())


def test_the_account_is_read_and_kept() -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue) as trader:
            assert {asset: str(held) for asset, held in trader.adapter.holdings.balances.items()} == {
                "USDT": "100000",
                "BTC": "5",
            }

    asyncio.run(play())


def test_an_account_that_another_process_trades_is_refused_and_free_once_that_ends() -> None:
    holder = (
        "import sys\n"
        "from vtframe.builtin.binance.execution.account_lock import AccountLock\n"
        "lock = AccountLock(sys.argv[1]).take()\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )

    async def play() -> None:
        async with ScriptedVenue() as venue:
            name = f"spot {venue.url} {KEY}"
            command = [sys.executable, "-c", holder, name]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
                assert other.stdout is not None
                assert await asyncio.to_thread(other.stdout.readline) == "held\n"
                trader = Trader(venue)
                with pytest.raises(VtframeError, match=f"traded by another session, process {other.pid}"):
                    await trader.adapter.open()
                await trader.adapter.close()
                other.kill()
            async with Trader(venue) as trader:
                await trader.until_status(trader.want(1), OrderStatus.FILLED)

    asyncio.run(play())


def test_two_lanes_of_one_session_share_an_account() -> None:
    async def play() -> None:
        async with ScriptedVenue() as venue, Trader(venue) as one, Trader(venue) as other:
            await one.until_status(one.want(1), OrderStatus.FILLED)
            await other.until_status(other.want(1), OrderStatus.FILLED)
            assert (one.position, other.position) == (1, 1)
            await one.until(lambda: one.adapter.report()["foreign"] > 0, "reports of the other's orders")

    asyncio.run(play())
