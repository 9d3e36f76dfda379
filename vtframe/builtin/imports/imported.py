"""Feeds of other people's files: named in order, of one instrument whose units somebody states, played in blocks of frames."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import msgspec
import numpy as np

from vtframe.api import ConfigError, Fault, Feed, FeedContext, FeedSink, RecordingError
from vtframe.domain import Instrument, InstrumentKind, Records, SequenceRule, decimals
from vtframe.wire import load_sidecar, sidecar_path

_QUOTES = ("USDT", "USDC", "USD", "EUR", "BTC")
_STATE_THEM = "state venue, symbol, tick_size and lot_size (in [feed], or --venue, --symbol, --tick-size, --lot-size), or in {}"


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of its instrument; empty where it says nothing."""

    venue: str = ""
    symbol: str = ""
    tick_size: str = ""
    lot_size: str = ""
    price_decimals: int | None = None  # where prices are finer than ticks


class Reader(Protocol):
    """Reads one format; made once for all files of a feed, with the instrument whose units count."""

    def __init__(self, files: Sequence[Path], instrument: Instrument) -> None:
        """Look at the files. Raises RecordingError where one is not of the format."""

    @staticmethod
    def stated(path: Path) -> Stated:
        """What the file says of its instrument. Raises RecordingError where it is not of the format."""
        ...

    def blocks(self, path: Path, on_damage: Callable[[str], None]) -> Iterator[Records]:
        """The frames of one file, in blocks that are overwritten by the next. Raises RecordingError where it is broken."""
        ...


class ImportedFeed(Feed):
    """Plays files of one instrument, in the order given, as fast as possible.

    The instrument is what these settings say, else what the sidecar FILE.toml says (its ``codec`` is this feed's name), else
    what the file says of itself, else what a codec knows by heart of ``symbol`` at ``venue``.
    """

    market_time: ClassVar[bool] = True
    reader: ClassVar[str]  # the module whose ``Reader`` reads the format; imported when the feed is opened

    paths: tuple[str, ...]
    venue: str | None = None
    symbol: str | None = None
    kind: Literal["spot", "linear", "inverse"] | None = None
    tick_size: str | None = None  # decimals, as strings, so that they are exact
    lot_size: str | None = None
    base: str | None = None
    quote: str | None = None
    settlement: str | None = None

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        self._latest = 0
        self._went_back = 0
        found = self.look(context)
        reader: type[Reader] = importlib.import_module(self.reader).Reader
        self._reader = reader(self._files, found[0])
        return found

    def look(self, context: FeedContext) -> Sequence[Instrument]:
        """What the files say of themselves at their beginning."""
        self._files = [context.folder / Path(path).expanduser() for path in self.paths]
        if not self._files:
            raise ConfigError(Fault(table="[feed]", key="paths", problem="no file is named", hint='paths = ["FILE"]'))
        for path in self._files:
            if not path.is_file():
                raise RecordingError(str(path), "no such file")
        reader: type[Reader] = importlib.import_module(self.reader).Reader
        found = [self._instrument(path, reader, context) for path in self._files]
        for path, instrument in zip(self._files, found, strict=True):
            if instrument != found[0]:
                problem = (
                    f"is of {instrument.instrument_id}, or in other units than the first file, of {found[0].instrument_id}"
                )
                raise RecordingError(str(path), problem, "play the files of one instrument at a time")
        return (found[0],)

    def sequence_rule(self, instrument: int) -> SequenceRule:
        """Such files carry no update ids: whoever wrote them has checked."""
        return SequenceRule.NONE

    def files(self) -> Sequence[Path]:
        """The files, each followed by its sidecar, where there is one."""
        return [path for file in self._files for path in (file, sidecar_path(file)) if path.is_file()]

    async def run(self, sink: FeedSink) -> None:
        for path in self._files:
            for records in self._reader.blocks(path, partial(sink.on_damage, str(path))):
                if sink.stopping:
                    return
                if records.n_frames:
                    self._keep_order(records)
                    sink.on_records(records)
                await asyncio.sleep(0)
            if self._went_back:
                frames = "1 frame" if self._went_back == 1 else f"{self._went_back} frames"
                sink.on_damage(str(path), f"time goes back: in {frames}; read as the time before")
                self._went_back = 0

    def _keep_order(self, records: Records) -> None:
        """The clock never goes back."""
        arrivals = records.frames["ts_recv"][: records.n_frames]
        raised = np.maximum(np.maximum.accumulate(arrivals), self._latest)
        self._went_back += int((raised != arrivals).sum())
        arrivals[:] = raised
        self._latest = int(raised[-1])

    def _instrument(self, path: Path, reader: type[Reader], context: FeedContext) -> Instrument:
        beside = sidecar_path(path)
        if beside.is_file() and not (self.tick_size and self.lot_size):
            return self._from_sidecar(beside)
        told = reader.stated(path)
        venue, symbol = self.venue or told.venue, self.symbol or told.symbol
        if not venue or not symbol:
            raise RecordingError(str(path), "does not say what it is of", _STATE_THEM.format(beside.name))
        if not (self.tick_size or self.lot_size):
            for cls in context.codecs.values():
                known = cls.known_instrument(venue, symbol) if venue in cls.venues else None
                if known is not None:
                    return known
        tick, lot = self.tick_size or told.tick_size, self.lot_size or told.lot_size
        if not tick or not lot:
            problem = f"does not say the tick size and lot size of {symbol}@{venue}, and no codec knows them"
            raise RecordingError(str(path), problem, _STATE_THEM.format(beside.name))
        finer = told.price_decimals if self.tick_size is None else None
        return self._made(venue, symbol, _positive("tick_size", tick), _positive("lot_size", lot), finer)

    def _made(self, venue: str, symbol: str, tick: Decimal, lot: Decimal, price_decimals: int | None) -> Instrument:
        places, quantity_decimals = price_decimals or decimals(tick), decimals(lot)
        quote = self.quote or next((q for q in _QUOTES if symbol.upper().endswith(q)), "USD")
        base = self.base or symbol.upper().removesuffix(quote).rstrip("-_/") or symbol
        kind = InstrumentKind(self.kind or "spot")
        return Instrument(
            venue=venue,
            symbol=symbol,
            kind=kind,
            base=base,
            quote=quote,
            settlement=self.settlement or (base if kind is InstrumentKind.INVERSE else quote),
            price_decimals=places,
            quantity_decimals=quantity_decimals,
            tick_size=int(tick.scaleb(places)),
            lot_size=int(lot.scaleb(quantity_decimals)),
        )

    def _from_sidecar(self, path: Path) -> Instrument:
        sidecar = load_sidecar(path)
        if sidecar.codec != self.name:
            raise RecordingError(str(path), f'says codec = "{sidecar.codec}", expected "{self.name}"')
        chosen = [i for i in sidecar.instruments if self.symbol in (None, i.symbol) and self.venue in (None, i.venue)]
        if len(chosen) != 1:
            names = ", ".join(i.instrument_id for i in sidecar.instruments)
            raise RecordingError(str(path), f"describes {names}; expected one instrument, the file's")
        return chosen[0]


def _positive(key: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0 or not -18 <= value.adjusted() <= 18 or decimals(value) > 18:
        raise ConfigError(Fault(table="[feed]", key=key, problem=f"found {text!r}, expected a positive decimal such as 0.01"))
    return value
