"""Fits the table of `adjusted_microprice` to recordings of one instrument, and prints it as a configuration takes it.

    python models/fit_microprice.py RECORDING... >> my.toml

Every depth frame is an observation. Fit on the past only: what the table saw must not be in what it is judged on.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import tomli_w
from dataset import collect

from vtframe.api import Codec, FeedContext, Sampling, VtframeError
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.features import Spread, fit_adjusted_microprice
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.clock import EventClock
from vtframe.domain import BookState

CODECS: dict[str, type[Codec]] = {BinanceCodec.name: BinanceCodec}


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--spreads", type=click.IntRange(1, 1000), default=2, show_default=True, help="Widest spread in ticks.")
@click.option("--shares", type=click.IntRange(2, 1000), default=10, show_default=True, help="Classes of imbalance.")
def main(*, recordings: tuple[Path, ...], spreads: int, shares: int) -> None:
    """Print the feature's table, fitted to RECORDINGS, which are played in order."""
    feed = RecordedFeed(paths=tuple(str(path.resolve()) for path in recordings))
    try:
        instruments = feed.look(FeedContext(codecs=CODECS, folder=Path(), clock=EventClock()))
        if len(instruments) != 1:
            names = ", ".join(instrument.instrument_id for instrument in instruments)
            raise click.UsageError(f"a table is of one instrument; these recordings are of {names}")
        meta = collect(feed, [Spread()], sampling=Sampling(), codecs=CODECS).meta
    except VtframeError as e:
        raise click.ClickException(str(e)) from e
    live = meta["state"] == BookState.LIVE  # a lost book breaks the chain, as an empty side does
    sizes = [np.where(live, meta[name], 0) for name in ("bid_quantity", "ask_quantity")]
    try:
        table = fit_adjusted_microprice(
            meta["bid"], meta["ask"], *sizes, tick_size=instruments[0].tick_size, spreads=spreads, shares=shares
        )
    except ValueError as e:
        raise click.ClickException(str(e)) from e
    click.echo(f"# {instruments[0].instrument_id}, {int(live.sum())} books of {', '.join(path.name for path in recordings)}")
    rounded = [[round(value, 6) for value in row] for row in table]
    click.echo(tomli_w.dumps({"features": [{"use": "adjusted_microprice", "table": rounded}]}), nl=False)


if __name__ == "__main__":
    main()
