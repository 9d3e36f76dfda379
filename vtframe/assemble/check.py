"""Everything about a configuration that can be checked without opening a feed, a model or an order's way.

A session starts from this look, and ``vtframe check`` from this one and from ``trial``, which opens what a session would.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vtframe.api import BundleError, BundleInfo, Feature, InputFeature, KernelError
from vtframe.assemble.drift import check_drift
from vtframe.assemble.live_lanes import check_live_lanes
from vtframe.assemble.parts import Parts, decode_features, decode_parts, load_registries
from vtframe.builtin import PLUGINS
from vtframe.builtin.parquet.schema import PREDICTION_FIELDS
from vtframe.config import Config, Place, decode_part, in_order, read_config
from vtframe.dataset.row_columns import ROW_FIELDS
from vtframe.errors import ConfigError, Fault, nearest
from vtframe.features.inputs import unmet
from vtframe.features.plan import Asked, ask
from vtframe.features.schema import describe
from vtframe.inference.bundle import load_bundle
from vtframe.inference.schema import compare_schema
from vtframe.plugins import Plugins

_FIXED = {name for name, _ in ROW_FIELDS}
_FIXED_PREDICTIONS = {name for name, _ in PREDICTION_FIELDS}


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration looked at from all sides. Fit to run only where ``faults`` is empty."""

    config: Config
    plugins: Plugins
    parts: Parts | None
    features: tuple[tuple[Asked, Place], ...]  # those that have no fault
    schema: tuple[InputFeature, ...]  # the same as a row's schema, in order
    bundles: dict[str, BundleInfo]  # by model name
    faults: tuple[Fault, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row."""
        return tuple(column for feature in self.schema for column in feature.columns)

    def usable_parts(self) -> Parts:
        """The parts, to run with; raises ConfigError with every fault where there is one."""
        if self.faults or self.parts is None:
            raise ConfigError(*self.faults)
        return self.parts


def examine(path: Path, *, overrides: Mapping[str, Any] | None = None, builtin: Sequence[str] = PLUGINS) -> Examined:
    """Read ``path``, load its plugins, make its parts, and check them against each other.

    Raises ConfigError only where the file cannot be read as TOML; every other fault is in the answer.
    """
    config, faults = read_config(path, overrides=overrides)
    plugins = load_registries(config, faults, builtin=builtin)
    features = decode_features(config, plugins.registries, faults)
    parts = decode_parts(config, plugins.registries, faults, features=[feature for feature, _ in features])
    asked = _ask_features(features, len(config.features), faults)
    schema = [describe(one.feature, one.columns) for one, _ in asked]
    bundles = _bundles(config, plugins, faults)
    wanted = config.document.data.get("features")
    if isinstance(wanted, list) and 0 < len(schema) == len(wanted):  # else the difference is a fault that is told already
        _compare(config, asked, bundles, faults)
        if parts is not None:
            _ask_strategies(config, parts, bundles, schema, faults)
    _check_rule(config, features, faults)
    _check_lanes(config, faults)
    _check_shadows(config, faults)
    if parts is not None:
        check_live_lanes(config, parts, faults)
    check_drift(config, bundles, faults)
    _ask_plugins(config, plugins, faults)
    return Examined(
        config=config,
        plugins=plugins,
        parts=parts,
        features=tuple(asked),
        schema=tuple(schema),
        bundles=bundles,
        faults=tuple(in_order(faults)),
    )


def _ask_features(features: Sequence[tuple[Feature, Place]], wanted: int, faults: list[Fault]) -> list[tuple[Asked, Place]]:
    """What a row is made of; a feature that cannot say so, a column made twice, and an input that is not there are faults."""
    asked = []
    owners: dict[str, Place] = {}
    for feature, place in features:
        try:
            one = ask(feature)
            described = describe(feature, one.columns)
        except KernelError as e:
            faults.append(place.fault(str(e)))
            continue
        before = len(faults)
        for column in described.columns:
            if column in owners:
                problem = f"column {column!r} is made twice, first on line {owners[column].line}"
                faults.append(place.at("as").fault(problem, 'tell them apart with as = "..."'))
            elif column in _FIXED:
                problem = f"column {column!r} has the name of a fixed column of row files"
                faults.append(place.at("as").fault(problem, 'give it another name with as = "..."'))
            else:
                owners[column] = place
        if len(faults) == before:
            asked.append((one, place))
    if len(asked) == len(features) == wanted:  # else a column may be missing for a fault that is told
        for fault in unmet([one.columns for one, _ in asked], [one.kernel.inputs for one, _ in asked]):
            one, place = asked[fault.feature]
            keys = [key for key, value in one.feature.settings().items() if value == fault.column]
            faults.append((place.at(keys[0]) if keys else place).fault(fault.problem, fault.hint))
    return asked


def _bundles(config: Config, plugins: Plugins, faults: list[Fault]) -> dict[str, BundleInfo]:
    bundles = {}
    for index, model in enumerate(config.models):
        if not model.bundle:  # a fault already
            continue
        place = config.place("models", index, "bundle")
        try:
            bundle = load_bundle(config.resolve(model.bundle))
        except BundleError as e:
            faults.append(place.fault(f"{e.where}: {e.problem}", e.hint))
            continue
        try:
            backend = plugins.registries.model_backends.get(bundle.backend)
            faults += decode_part(backend, model.backend, config.place("models", index, "backend"))[1]
        except ConfigError as e:
            problem = f"bundle {bundle.name!r} needs model backend {bundle.backend!r}, which no plugin gives"
            faults += [place.fault(problem, fault.hint) for fault in e.faults]
        if bundle.window > config.rows.ring:
            problem = f"model {model.name!r} sees {bundle.window} rows, [rows] ring keeps {config.rows.ring}"
            faults.append(place.fault(problem, f"set ring to {bundle.window} or more"))
        for name in bundle.classes:
            if name in _FIXED_PREDICTIONS:
                faults.append(place.fault(f"class {name!r} has the name of a fixed column of prediction files", "rename it"))
        bundles[model.name] = bundle
    return bundles


def _compare(
    config: Config, asked: Sequence[tuple[Asked, Place]], bundles: Mapping[str, BundleInfo], faults: list[Fault]
) -> None:
    """What every bundle was trained on must be in the rows that this pipeline makes; more may be."""
    for index, model in enumerate(config.models):
        bundle = bundles.get(model.name)
        if bundle is None:
            continue
        difference = other_rows(config, asked, bundle)
        if difference:
            problem = "\n    ".join(["the model was trained on other rows than the pipeline makes:", *difference])
            hint = "make [[features]], [sampling] and [rows] hold what `vtframe model inspect` shows, or train again"
            faults.append(config.place("models", index, "bundle").fault(problem, hint))


def other_rows(config: Config, asked: Sequence[tuple[Asked, Place]], bundle: BundleInfo) -> list[str]:
    """How the rows that the bundle was trained on differ from the pipeline's, in words; empty where they do not."""
    schema = [describe(one.feature, one.columns) for one, _ in asked]
    inputs = {one.feature.label: one.kernel.inputs for one, _ in asked}
    return compare_schema(bundle, schema, str(config.sampling), dtype=config.rows.dtype) + [
        f"~ {feature.label}: reads {column}, which the bundle does not state: nobody can say whether it is still the same"
        for feature in bundle.features
        for column in inputs.get(feature.label, ())
        if column not in bundle.columns
    ]


def _check_rule(config: Config, features: Sequence[tuple[Feature, Place]], faults: list[Fault]) -> None:
    """Rows at leaders' events need a leader."""
    if config.sampling.leaders and len(features) == len(config.features) and not any(one.instrument for one, _ in features):
        problem = "found true, and no feature follows another instrument"
        hint = 'give a feature instrument = "SYMBOL@venue", or leave it out'
        faults.append(config.place("sampling", "leaders").fault(problem, hint))


def _check_lanes(config: Config, faults: list[Fault]) -> None:
    names = [model.name for model in config.models]
    if "" in names:  # a model whose name is not known is a fault already; a lane may mean it
        return
    for lane in config.lanes:
        wanted = lane.table.model
        if wanted and wanted not in names:
            hint = nearest(wanted, names) or (f"models: {', '.join(names)}" if names else "")
            faults.append(config.place(*lane.path, "model").fault(f"no model {wanted!r}", hint))


def _check_shadows(config: Config, faults: list[Fault]) -> None:
    """They trade on paper alone, and beside a lane that trades."""
    for lane in config.lanes:
        if lane.table.shadow and lane.execution is not None and lane.execution.use != "paper":
            problem = f"found {lane.execution.use!r} in a shadow lane, which trades on paper alone"
            place = config.place(*lane.execution.path).at("use")
            faults.append(place.fault(problem, 'use = "paper", or leave out shadow = true'))
    if config.lanes and all(lane.table.shadow for lane in config.lanes):
        problem = "found true in every lane: a session needs one that trades for its account"
        faults.append(config.place(*config.lanes[0].path, "shadow").fault(problem, "leave it out of one of them"))


def check_lane_instruments(config: Config, instruments: Sequence[str], faults: list[Fault]) -> None:
    """What lanes are limited to must be among the session's ``instruments``, which only its feed knows."""
    for lane in config.lanes:
        for index, name in enumerate(lane.table.instruments):
            if name not in instruments:
                hint = nearest(name, instruments) or f"it has {', '.join(instruments[:10])}"
                place = config.place(*lane.path, "instruments", index)
                faults.append(place.fault(f"the session has no instrument {name!r}", hint))
            elif name in lane.table.instruments[:index]:
                faults.append(config.place(*lane.path, "instruments", index).fault(f"{name!r} is named twice"))


def _ask_strategies(
    config: Config, parts: Parts, bundles: Mapping[str, BundleInfo], schema: Sequence[InputFeature], faults: list[Fault]
) -> None:
    """Whether each lane's strategy goes together with its model and the rows."""
    columns = tuple(column for feature in schema for column in feature.columns)
    paths = {lane.id: lane.path for lane in config.lanes}
    for lane in parts.lanes:
        bundle = bundles.get(lane.table.model)
        if bundle is None:
            continue
        place = config.place(*paths[lane.id], "strategy")
        try:
            found = [place.complete(fault) for fault in lane.strategy.check(bundle, columns)]
        except Exception as e:  # noqa: BLE001 - a strategy's own code may raise anything; it is that strategy's fault, and is told
            found = [place.fault(f"strategy {type(lane.strategy).name!r}: check() failed: {type(e).__name__}: {e}")]
        faults += found


def _ask_plugins(config: Config, plugins: Plugins, faults: list[Fault]) -> None:
    """What only plugins can see. Each gets a copy: a check changes nothing."""
    for answer in plugins.call("check_config", config=copy.deepcopy(config.document.data)):
        if answer.error is not None:
            faults.append(Fault(file=str(config.path), problem=str(answer.error)))
            continue
        found = answer.value if isinstance(answer.value, (list, tuple)) else [answer.value]
        for fault in found:
            if isinstance(fault, Fault):
                faults.append(fault if fault.file else msgspec.structs.replace(fault, file=str(config.path)))
            else:
                problem = f"plugin {answer.plugin!r}: check_config returned {answer.value!r}, expected a list of Fault"
                faults.append(Fault(file=str(config.path), problem=problem))
                break
