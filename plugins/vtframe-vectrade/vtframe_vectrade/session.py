"""What both feeds do alike: the key in a header, losses told in the dialect's own form, refusals that end the feed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from vtframe.api import ConfigError, Fault, FeedSink, InputError, TransportError, VtframeError
from vtframe.domain import Instrument
from vtframe_vectrade.known import Units, instrument_of
from vtframe_vectrade.messages import NOTE_TYPE

_REFUSED = re.compile(r"\b(401|402|403)\b")
_WHY = {
    "401": "the key is not accepted",
    "402": "the plan does not include this stream",
    "403": "the key may not use this stream",
}
_SHOWN = 200  # bytes of a venue's message that are told


def headers(key: str) -> dict[str, str]:
    """Of the request that opens the socket."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def instruments_of(symbols: Sequence[str], units: Mapping[str, Units]) -> list[Instrument]:
    """In the order of the symbols. Raises ConfigError for units of a symbol that is not asked for."""
    strangers = sorted(set(units) - set(symbols))
    if strangers:
        problem = f"has units of {', '.join(strangers)}, which symbols does not name"
        raise ConfigError(Fault(key="units", problem=problem, hint=f"symbols are {', '.join(symbols)}"))
    return [instrument_of(symbol, units.get(symbol)) for symbol in symbols]


def refusal(url: str) -> Callable[[TransportError], VtframeError | None]:
    """A key that is refused does not become right by waiting."""

    def judge(error: TransportError) -> VtframeError | None:
        found = _REFUSED.search(error.problem)
        if found is None:
            return None
        return InputError(url, f"{_WHY[found[1]]} (HTTP {found[1]})", "look at what [feed] key refers to")

    return judge


def loss_notes(symbols: Iterable[str], sink: FeedSink) -> Callable[[str, int], None]:
    """Tells the sink, symbol by symbol, that something is missing from here on: as a message, so that a recording has it."""

    def tell(reason: str, ts: int) -> None:
        at = timestamp(ts)
        for symbol in symbols:
            said = {"type": NOTE_TYPE, "symbol": symbol, "state": "gap", "timestamp": at, "reason": reason}
            sink.on_message(msgspec.json.encode(said), ts)

    return tell


def tell_error(data: bytes, sink: FeedSink) -> None:
    """An error frame of the venue is told as damage: something that was asked for is not coming."""
    if data.startswith((b'{"type":"error"', b'{"error"', b'{"error_code"')):
        sink.on_damage("vectrade", f"the venue refuses: {data[:_SHOWN].decode(errors='replace')}")


def timestamp(ns: int) -> str:
    """RFC 3339 in UTC, to the nanosecond."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
