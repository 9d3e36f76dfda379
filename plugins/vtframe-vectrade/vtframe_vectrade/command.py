"""``vtframe vectrade mock``: both of VecTrade's sockets on loopback, with a market that goes on and mishaps by option."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

import click
import msgspec

from vtframe.api import InputError
from vtframe_vectrade.mock import SYMBOLS, MockVenue, QuotesVenue, StreamVenue

_TURN_S = 0.02
_HEARTBEAT_S = 5.0


@click.group()
def vectrade() -> None:
    """VecTrade: a local venue that speaks its two streams."""


@vectrade.command()
@click.option("--symbol", "symbols", multiple=True, default=SYMBOLS, show_default=True, help="May be given several times.")
@click.option("--rate", type=click.FloatRange(0.1, 50_000), default=20.0, show_default=True, help="Messages a second.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same market.")
@click.option("--key", default="", help='The key that clients must send: "env:NAME" or "file:PATH"; by default one of its own.')
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the books; by default a free one.")
@click.option("--quotes-port", type=click.IntRange(0, 65535), default=0, help="Of the quotes; by default a free one.")
@click.option("--messages", type=click.IntRange(1), help="End after so many; by default with Ctrl-C.")
@click.option("--lose-every", type=click.IntRange(1), help="Lose a message of every symbol after so many: a gap.")
@click.option("--babble-every", type=click.IntRange(1), help="Send a broken message after so many.")
@click.option("--cut-every", type=click.IntRange(1), help="Cut all connections after so many.")
@click.option("--silent-after", type=click.IntRange(1), help="Say nothing more after so many, with open sockets.")
def mock(
    *,
    symbols: tuple[str, ...],
    rate: float,
    seed: int,
    key: str,
    port: int,
    quotes_port: int,
    messages: int | None,
    lose_every: int | None,
    babble_every: int | None,
    cut_every: int | None,
    silent_after: int | None,
) -> None:
    """Serve both streams, and print where as one JSON line when they are ready."""
    stream = StreamVenue(symbols, key=key, seed=seed, port=port)
    quotes = QuotesVenue(symbols, key=key, seed=seed, port=quotes_port)
    venues: tuple[MockVenue, ...] = (stream, quotes)
    try:
        for venue in venues:
            venue.start()
    except OSError as e:
        for venue in venues:
            venue.stop()
        raise InputError("the mock venue", f"cannot listen: {e.strerror or e}", "choose another port") from None
    told = {"stream": stream.url, "quotes": quotes.url, "keys": [stream.key_reference, quotes.key_reference]}
    click.echo(msgspec.json.encode(told).decode())
    over = _until_told()
    try:
        mishaps = (lose_every, babble_every, cut_every, silent_after)
        _play(stream, venues, over, rate=rate, messages=messages, mishaps=mishaps)
    finally:
        for venue in venues:
            venue.stop()


def _play(
    stream: StreamVenue,
    venues: tuple[MockVenue, ...],
    over: threading.Event,
    *,
    rate: float,
    messages: int | None,
    mishaps: tuple[int | None, int | None, int | None, int | None],
) -> None:
    """The market goes on at its rate; each mishap comes after every so many messages."""
    lose, babble, cut, silent = mishaps
    began = beat = time.monotonic()
    done = 0
    while not over.wait(_TURN_S) and (messages is None or done < messages):
        now = time.monotonic()
        if silent is not None and done >= silent:
            continue
        due = min(int((now - began) * rate), messages or 2**62)
        while done < due:
            step = 1 if lose or babble or cut else due - done
            done += step
            for venue in venues:
                venue.advance(step)
                if lose and not done % lose:
                    venue.lose()
                if babble and not done % babble:
                    venue.babble()
                if cut and not done % cut:
                    venue.cut()
        if now - beat >= _HEARTBEAT_S:
            beat = now
            stream.heartbeat()


def _until_told() -> threading.Event:
    """Set by Ctrl-C, and by the signal that ends a process."""
    over = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return over
