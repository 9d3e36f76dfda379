"""`vtframe check` on lanes that trade at Binance: every fault without a network, and no secret in any of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from vtframe.cli.main import cli

PLAIN = "planted-in-plain-71c0"
GOOD = '{ use = "binance", market = "usdm", url = "testnet", key = "env:VENUE_KEY", secret = "env:VENUE_SECRET" }'
FEED = '[feed]\nuse = "binance"\nmarket = "usdm"\ninstruments = ["BTCUSDT", "ETHUSDT"]\n'


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    text = (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/")
    text = re.sub(r"\[feed\].*?(?=\[sampling\])", FEED, text, flags=re.DOTALL)
    path = tmp_path / "vtframe.toml"
    path.write_text(re.sub(r"execution = \{.*?\}", f"execution = {GOOD}", text))
    return path


def check(config: Path) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["check", str(config)])
    return result.exit_code, result.output


def changed(config: Path, before: str, after: str) -> tuple[int, str]:
    text = config.read_text()
    assert before in text
    config.write_text(text.replace(before, after))
    return check(config)


def test_a_lane_at_the_testnet_passes_without_a_network(config: Path) -> None:
    code, told = check(config)
    assert code == 0, told
    assert "binance" in told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('url = "testnet"', 'url = "live"', "sends orders with real money, which must be asked for; write real_money = true"),
        (
            'url = "testnet"',
            'url = "https://example.com"',
            "or the address of a venue on this machine",
        ),
        ('url = "testnet"', 'url = "http://10.0.0.1:80"', "the address of a venue on this machine"),
        ('url = "testnet"', 'url = "testnet", real_money = true', 'real_money: found true, and url is not "live"'),
        ('market = "usdm", url', 'market = "coinm", url', 'found "coinm" (string), expected one of "spot", "usdm"'),
        ('"env:VENUE_KEY"', '"env:NOT_SET_ANYWHERE"', "the environment variable NOT_SET_ANYWHERE is not set"),
        ('"env:VENUE_SECRET"', '"file:/nowhere/at/all"', "/nowhere/at/all cannot be read"),
        ('"env:VENUE_SECRET"', '"keyring:binance"', "keyring"),
        ('"env:VENUE_SECRET"', f'"{PLAIN}"', "secret: is no reference to a secret"),
        ('"env:VENUE_KEY"', f'"{PLAIN}"', "key: is no reference to a secret"),
        ('market = "usdm", url', 'market = "spot", url', "the lane acts on BTCUSDT@binance_usdm"),
        ('secret = "env:VENUE_SECRET"', 'secret = "env:VENUE_SECRET", recv_window_ms = 70000', "recv_window_ms"),
    ],
)
def test_each_fault_is_told_with_its_line_and_key_and_no_secret(config: Path, before: str, after: str, told: str) -> None:
    code, output = changed(config, before, after)
    assert code == 2
    assert told in output
    assert "vtframe.toml:" in output
    assert PLAIN not in output


def test_real_money_is_taken_where_it_is_asked_for(config: Path) -> None:
    code, told = changed(config, 'url = "testnet"', 'url = "live", real_money = true')
    assert code == 0, told


def test_orders_for_a_venue_on_a_market_that_is_played_are_refused(config: Path) -> None:
    code, told = changed(config, FEED, '[feed]\nuse = "market"\n')
    assert code == 2
    assert "sends orders to a venue, and feed 'market' plays a market that is not there now" in told


def test_two_lanes_of_one_account_do_not_share_an_instrument(config: Path) -> None:
    lane = re.search(r"\[\[lanes\]\].*?(?=\[\[risk\]\])", config.read_text(), re.DOTALL)[0]
    other = lane.replace('id = "demo"', 'id = "other"\ninstruments = ["BTCUSDT@binance_usdm"]')
    code, told = changed(config, lane, lane + other)
    assert code == 2
    assert "trades BTCUSDT@binance_usdm in the account of lane 'demo', which trades it as well" in told
    apart = lane.replace('id = "demo"', 'id = "demo"\ninstruments = ["ETHUSDT@binance_usdm"]')
    code, told = changed(config, lane + other, apart + other)
    assert code == 0, told


def test_a_shadow_does_not_trade_at_a_venue(config: Path) -> None:
    lane = re.search(r"\[\[lanes\]\].*?(?=\[\[risk\]\])", config.read_text(), re.DOTALL)[0]
    code, told = changed(config, lane, lane + lane.replace('id = "demo"', 'id = "other"\nshadow = true'))
    assert code == 2
    assert "in a shadow lane, which trades on paper alone" in told
