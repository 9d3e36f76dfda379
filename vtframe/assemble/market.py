"""A configuration's market side alone: feed, codec, instruments and the pipeline; no model, no lane, no order's way.

A session is assembled on it; data sets and parity need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vtframe.api import Codec, Feature, Feed, FeedContext
from vtframe.assemble.parts import decode_features, decode_feed, load_registries
from vtframe.builtin import PLUGINS
from vtframe.clock import Clock, EventClock
from vtframe.config import Config, in_order, read_config
from vtframe.domain import ChecksumRule, Instrument, SequenceRule
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.errors import ConfigError, Fault
from vtframe.features.pipeline import Pipeline, RowMemory
from vtframe.kernels import announcing
from vtframe.plugins import Plugins
from vtframe.wire import SourceFile, read_source

_TRADING = ("[[models]]", "[[lanes]]", "[[risk]]", "[[sinks]]")


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """An opened feed and what it brings."""

    feed: Feed
    codec: Codec | None  # opened; None where the feed delivers records
    instruments: SessionInstruments
    rules: tuple[SequenceRule, ...]

    def checksums(self) -> tuple[ChecksumRule | None, ...]:
        """How each instrument's checksums are made; empty where the feed delivers records, which it has checked itself."""
        return () if self.codec is None else tuple(self.codec.checksum_rule(index) for index in range(len(self.instruments)))

    def sources(self) -> tuple[SourceFile, ...]:
        """The files that the feed reads, each read once for its hash."""
        return tuple(read_source(path) for path in self.feed.files())


class DataSide(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of a configuration that makes rows, opened."""

    config: Config
    plugins: Plugins
    features: tuple[Feature, ...]
    market: Market

    def pipeline(self, on_compile: Callable[[str], None] | None = None) -> Pipeline:
        """A pipeline as a session's: the same features, units, sampling and number type. Raises KernelError."""
        return make_pipeline(self.config, self.features, self.market, on_compile)


def open_data_side(
    path: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    builtin: Sequence[str] = PLUGINS,
    announce: Callable[[str], None] | None = None,
) -> DataSide:
    """Open the market side of the configuration at ``path``, whose relative paths start from ``folder`` (by default its own).

    Tables of models, lanes, risk and sinks may be missing or wrong: nothing of them is looked at.
    Raises ConfigError with every other fault, and what opening the feed raises.
    """
    config, found = read_config(path, overrides=overrides, folder=folder)
    faults: list[Fault] = [fault for fault in found if not fault.table.startswith(_TRADING)]
    plugins = load_registries(config, faults, builtin=builtin)
    features = tuple(feature for feature, _ in decode_features(config, plugins.registries, faults))
    feed = decode_feed(config, plugins.registries, faults)
    if faults or feed is None:
        raise ConfigError(*in_order(faults))
    market = open_market(feed, config, plugins, EventClock(), announce=announce)
    return DataSide(config=config, plugins=plugins, features=features, market=market)


def open_market(
    feed: Feed, config: Config, plugins: Plugins, clock: Clock, *, announce: Callable[[str], None] | None = None
) -> Market:
    """Open ``feed`` and its codec. Raises ConfigError for its settings, RecordingError for its files."""
    context = FeedContext(codecs=plugins.registries.codecs.classes(), folder=config.folder, clock=clock)
    if announce is not None:
        context = msgspec.structs.replace(context, announce=announce)
    place = config.place("feed")
    with announcing(context.announce):
        try:
            opened: Sequence[Instrument] = feed.open(context)
        except ConfigError as e:
            raise ConfigError(*(place.complete(fault) for fault in e.faults)) from None
        if not opened:
            raise ConfigError(place.fault("the feed has no instrument"))
        instruments = SessionInstruments(opened)
        codec = feed.codec()
        if codec is not None:
            codec.open(instruments)
    rule = codec.sequence_rule if codec is not None else feed.sequence_rule
    rules = tuple(rule(index) for index in range(len(instruments)))
    return Market(feed=feed, codec=codec, instruments=instruments, rules=rules)


def make_pipeline(
    config: Config,
    features: Sequence[Feature],
    market: Market,
    on_compile: Callable[[str], None] | None = None,
    *,
    memory: RowMemory | None = None,
) -> Pipeline:
    """The pipeline that ``config`` asks for. Raises KernelError."""
    return Pipeline(
        features,
        tuple(market.instruments),
        market.rules,
        checksums=market.checksums(),
        sampling=config.sampling,
        dtype=config.rows.dtype,
        ring_rows=config.rows.ring,
        on_compile=on_compile,
        memory=memory,
    )
