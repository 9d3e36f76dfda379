"""The embedded market as a feed: no network, no account, no file; the same seed gives the same session."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from vtframe.api import ConfigError, Fault, Feed, FeedContext, FeedSink
from vtframe.domain import Instrument, InstrumentKind, Records, SequenceRule
from vtframe.kernels import announcing
from vtframe.sim import Merger, SimulatedMarket, read_calibration, tables

START_NS = 1_723_161_600_000_000_000  # 2024-08-09 00:00 UTC, the evening of the recording behind the busy regime
BLOCK = 4096  # frames between two looks at whether the session wants to stop
SLICE_NS = 1_000_000_000  # several books are merged in slices of so much market time
PACE_S = 0.01  # how often a paced feed delivers
_STRIDE = 0x9E3779B97F4A7C15  # between the seeds of several books
PRICE_DECIMALS = 1


def _instrument(index: int) -> Instrument:
    return Instrument(
        venue="sim",
        symbol="SIMUSDT" if index == 0 else f"SIM{index + 1}USDT",
        kind=InstrumentKind.LINEAR,
        base="SIM" if index == 0 else f"SIM{index + 1}",
        quote="USDT",
        settlement="USDT",
        price_decimals=PRICE_DECIMALS,
        quantity_decimals=3,
        tick_size=1,
        lot_size=1,
        minimum_notional=Decimal(100),
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.0005"),
    )


class EmbeddedMarket(Feed):
    """A seeded order-flow market in this process: a queue-reactive model with price-time matching, calibrated on recorded
    USD-M BTCUSDT (docs/market.md). Instruments SIMUSDT, SIM2USDT, ... of venue ``sim``: tick 0.1, lot 0.001, USD-M's fees.
    """

    name: ClassVar[str] = "market"
    market_time: ClassVar[bool] = True

    seed: Annotated[int, Meta(ge=0, le=2**63 - 1, description="same seed and settings, same market, byte for byte")] = 7
    duration_s: Annotated[float, Meta(gt=0.0, le=1e8, description="simulated seconds")] = 1200.0
    max_frames: Annotated[int, Meta(ge=1, description="end after so many frames, if that is sooner")] | None = None
    instruments: Annotated[int, Meta(ge=1, le=64, description="independent books")] = 1
    regime: Annotated[Literal["busy", "calm"], Meta(description="which recording's intensities")] = "busy"
    start_price: Annotated[
        float, Meta(ge=10_000.0, le=10_000_000.0, description="first reference price, a multiple of 0.1")
    ] = 61_800.0
    speed: Annotated[float, Meta(gt=0.0, le=1e6, description="1 is real time; unset is as fast as possible")] | None = None
    latency_us: Annotated[float, Meta(ge=0.0, le=1e7, description="of the feed: ts_recv - ts_event at least")] = 1000.0
    jitter_us: Annotated[float, Meta(ge=0.0, le=1e7, description="mean of the exponential delay on top")] = 200.0

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        ticks = round(self.start_price * 10**PRICE_DECIMALS)
        if abs(ticks - self.start_price * 10**PRICE_DECIMALS) > 1e-6:
            raise ConfigError(
                Fault(
                    table="feed",
                    key="start_price",
                    problem=f"{self.start_price} is not a multiple of the tick 0.1",
                    hint=f"the nearest is {ticks / 10**PRICE_DECIMALS}",
                )
            )
        chosen = tables(read_calibration(), self.regime)
        with announcing(context.announce):  # the first market of a first start compiles the kernel
            self._markets = [
                SimulatedMarket(
                    chosen,
                    seed=(self.seed + index * _STRIDE) % 2**64,
                    start_price=ticks,
                    start_ns=START_NS,
                    instrument=index,
                    latency_ns=round(self.latency_us * 1000),
                    jitter_ns=round(self.jitter_us * 1000),
                )
                for index in range(self.instruments)
            ]
        return [_instrument(index) for index in range(self.instruments)]

    def look(self, context: FeedContext) -> Sequence[Instrument]:
        """Opening it needs nothing but its kernel."""
        return self.open(context)

    def sequence_rule(self, instrument: int) -> SequenceRule:
        """Every depth frame names the one before it, as on Binance's futures."""
        return SequenceRule.PREVIOUS

    def total(self) -> int | None:
        return self.max_frames

    async def run(self, sink: FeedSink) -> None:
        loop = asyncio.get_running_loop()
        began, slice_ns = loop.time(), SLICE_NS
        if self.speed is not None:
            slice_ns = min(SLICE_NS, max(1, int(PACE_S * 1e9 * self.speed)))
        left = self.max_frames if self.max_frames is not None else sys.maxsize
        for until_ns, records in self._blocks(slice_ns):
            while self.speed is not None and not sink.stopping:
                wait = (until_ns - START_NS) / (self.speed * 1e9) - (loop.time() - began)
                if wait <= 0:
                    break
                await asyncio.sleep(min(wait, 0.1))
            if sink.stopping:
                return
            if records.n_frames > left:
                records.n_events = int(records.frames["first_event"][left])
                records.n_frames = left
            left -= records.n_frames
            if records.n_frames:
                sink.on_records(records)
            if left == 0:
                return
            await asyncio.sleep(0)

    def _blocks(self, slice_ns: int) -> Iterator[tuple[int, Records]]:
        """Market time in slices: each with the time that it reaches, in blocks of some thousand frames."""
        end = START_NS + round(self.duration_s * 1e9)
        alone = len(self._markets) == 1
        parts = [Records(frames=BLOCK + 64) for _ in self._markets]
        merger = Merger()
        until = START_NS
        while until < end:
            until = end if alone and self.speed is None else min(end, until + slice_ns)
            done = False
            while not done:
                for market, part in zip(self._markets, parts, strict=True):
                    part.clear()
                    done = market.generate(part, frames=BLOCK, until_ns=until)
                    while not (done or alone):
                        done = market.generate(part, frames=BLOCK, until_ns=until)
                yield until, (parts[0] if alone else merger.merge(parts))
