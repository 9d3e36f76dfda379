"""``vtframe venue``: becomes the venue's own process, so that a signal that stops the command stops the venue."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with these settings and more: accounts, faults.")
@click.option("--host", help="Address to listen on; default 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 (the default) lets the system choose.")
@click.option("--print-url", is_flag=True, help="Only print one JSON line with every URL when the venue is ready.")
@click.option("--seed", type=click.IntRange(min=0), help="Same seed, same market; default 7.")
@click.option("--regime", type=click.Choice(["busy", "calm"]), help="Which recording's intensities the flow has.")
@click.option("--instrument", "instruments", multiple=True, help="market:SYMBOL, such as usdm:BTCUSDT. Repeatable.")
@click.option("--recording", "recordings", multiple=True, type=click.Path(), help="Play this file as the market. Repeatable.")
@click.option("--speed", type=float, help="Venue seconds in a second; 1 is real time.")
@click.option(
    "--clock",
    type=click.Choice(["real", "virtual"]),
    help="virtual: time moves only by POST /venue/clock, and the same requests get the same bytes.",
)
@click.option("--load", type=click.IntRange(min=0), help="Send so many messages a second, made beforehand; 0: as fast as read.")
@click.option("--fault", "faults", multiple=True, help="Such as 'kind=drop share=0.01 stream=*@depth*'. Repeatable.")
@click.option(
    "--trade-route",
    type=click.Choice(["public", "market", "both"]),
    help="Where USD-M's trade stream is served: sources disagree. Default market.",
)
def venue(*, print_url: bool, clock: str | None, trade_route: str | None, **options: Any) -> NoReturn:
    """Run a venue on this machine that speaks Binance's protocols, with a simulated market.

    Spot, USD-M and COIN-M: streams, REST, order entry. No network, no account. Stops with Ctrl-C or SIGTERM.
    The first line that it prints is its URLs, as JSON.
    """
    given = {key: str(value) if isinstance(value, Path) else value for key, value in options.items() if value not in (None, ())}
    if clock is not None:
        given["virtual"] = clock == "virtual"
    if trade_route is not None:
        given["trade_routes"] = ("public", "market") if trade_route == "both" else (trade_route,)
    if not print_url:
        click.echo("starting; stop with Ctrl-C", err=True)
    sys.stdout.flush()
    settings = msgspec.json.encode(given).decode()
    os.execv(sys.executable, [sys.executable, "-m", "vtframe.venue", settings])  # noqa: S606 - this Python, no shell
