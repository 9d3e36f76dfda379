"""From names in a configuration to configured parts: plugins are loaded as it says, and every part's table is decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from vtframe.api import ExecutionAdapter, Feature, Feed, Part, PluginError, RiskPolicy, Sink, Strategy
from vtframe.builtin import PLUGINS
from vtframe.config import Config, LaneTable, ModelTable, Place, Use, decode_part
from vtframe.errors import ConfigError, Fault
from vtframe.plugins import Plugins, Registries, Registry, load_plugins

P = TypeVar("P", bound=Part | Feature)


class LaneParts(msgspec.Struct, frozen=True, kw_only=True):
    """One lane's settings, and its parts made and configured."""

    id: str
    table: LaneTable
    strategy: Strategy
    execution: ExecutionAdapter
    limits: tuple[RiskPolicy, ...] = ()
    account: tuple[RiskPolicy, ...] = ()  # of a shadow lane: the account's policies over again, for itself


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a configuration asks for, made and configured; nothing is opened or started yet."""

    feed: Feed
    features: tuple[Feature, ...]
    models: tuple[ModelTable, ...]
    lanes: tuple[LaneParts, ...]
    risk: tuple[RiskPolicy, ...]
    sinks: tuple[Sink, ...]


def load_registries(config: Config, faults: list[Fault], *, builtin: Sequence[str] = PLUGINS) -> Plugins:
    """Load the built-in plugins and those that ``config`` names. What is broken is added to ``faults`` and left out."""
    session = config.session
    plugins = load_plugins(builtin, named=session.plugins, local=session.local, folder=config.folder)
    faults += [_plugin_fault(config, error) for error in plugins.errors]
    return plugins


def decode_features(config: Config, registries: Registries, faults: list[Fault]) -> list[tuple[Feature, Place]]:
    """Make the features, each with its place. Those with a fault are added to ``faults`` and left out."""
    maker = _Maker(config, faults)
    made = [(maker.make(registries.features, use), config.place(*use.path)) for use in config.features]
    return [(feature, place) for feature, place in made if feature is not None]


def decode_feed(config: Config, registries: Registries, faults: list[Fault]) -> Feed | None:
    """Make the feed; None beside a fault, which is added to ``faults``."""
    return _Maker(config, faults).make(registries.feeds, config.feed)


def decode_parts(
    config: Config, registries: Registries, faults: list[Fault], *, features: Sequence[Feature] | None = None
) -> Parts | None:
    """Make every part of ``config`` (with ``features`` where they are made already).

    Adds every fault found to ``faults``; the answer is None where there is no feed, and incomplete beside any fault.
    """
    maker = _Maker(config, faults)
    if features is None:
        features = [feature for feature, _ in decode_features(config, registries, faults)]
    feed = maker.make(registries.feeds, config.feed)
    lanes = []
    for lane in config.lanes:
        strategy = maker.make(registries.strategies, lane.strategy)
        execution = maker.make(registries.execution_adapters, lane.execution)
        limits = maker.make_all(registries.risk_policies, lane.limits)
        if strategy is not None and execution is not None:
            account = _Maker(config, []).make_all(registries.risk_policies, config.risk) if lane.table.shadow else ()
            lanes.append(
                LaneParts(id=lane.id, table=lane.table, strategy=strategy, execution=execution, limits=limits, account=account)
            )
    risk = maker.make_all(registries.risk_policies, config.risk)
    sinks = maker.make_all(registries.sinks, config.sinks)
    if feed is None:
        return None
    return Parts(feed=feed, features=tuple(features), models=config.models, lanes=tuple(lanes), risk=risk, sinks=sinks)


class _Maker:
    def __init__(self, config: Config, faults: list[Fault]) -> None:
        self._config = config
        self._faults = faults

    def make(self, registry: Registry[P], use: Use | None) -> P | None:
        if use is None:  # a fault already
            return None
        place = self._config.place(*use.path)
        try:
            cls = registry.get(use.use)
        except ConfigError as e:
            self._faults += [place.at("use").fault(fault.problem, fault.hint) for fault in e.faults]
            return None
        part, faults = decode_part(cls, use.settings, place, besides=("use",))
        self._faults += faults
        return part

    def make_all(self, registry: Registry[P], uses: Sequence[Use]) -> tuple[P, ...]:
        made = [self.make(registry, use) for use in uses]
        return tuple(part for part in made if part is not None)


def _plugin_fault(config: Config, error: PluginError) -> Fault:
    """Where the configuration names the plugin; a built-in one stands nowhere in it."""
    named: Mapping[str, tuple[str, ...]] = {"plugins": config.session.plugins, "local": config.session.local}
    problem: dict[str, Any] = {"problem": f"plugin {error.plugin!r}: {error.problem}", "hint": error.hint}
    for key, names in named.items():
        if error.plugin in names:
            return config.place("vtframe", key, names.index(error.plugin)).fault(**problem)
    return Fault(**problem)
