"""The rules on drift of a configuration: checked against models and bundles, and made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vtframe.api import BundleInfo
from vtframe.config import Config, DriftTable, Place
from vtframe.domain import Answer
from vtframe.errors import Fault, nearest
from vtframe.inference.drift import DriftRule, Thresholds
from vtframe.inference.drift.change import available
from vtframe.inference.drift.reference import by_chance
from vtframe.inference.quality import predicts_direction
from vtframe.journal.reader import JournalReader
from vtframe.journal.records import DriftJudged


def check_drift(config: Config, bundles: Mapping[str, BundleInfo], faults: list[Fault]) -> None:
    """What rules ask of models, of their bundles and of this installation."""
    names = [model.name for model in config.models]
    for index, rule in enumerate(config.drift):
        place = config.place("drift", index)
        if rule.measure == "adwin" and not available():
            hint = "pip install vtframe[drift]"
            faults.append(place.at("measure").fault('found "adwin", which needs the library river; it is not installed', hint))
        if rule.model and "" not in names and rule.model not in names:
            hint = nearest(rule.model, names) or (f"models: {', '.join(names)}" if names else "")
            faults.append(place.at("model").fault(f"no model {rule.model!r}", hint))
        bundle = bundles.get(rule.model)
        if bundle is not None:
            faults += _against_bundle(rule, bundle, place)


def drift_warnings(config: Config, bundles: Mapping[str, BundleInfo]) -> list[str]:
    """Rules that would speak without drift: rows that follow each other are alike, and a short window of them is no sample."""
    told = []
    for number, rule in enumerate(config.drift, 1):
        bundle = bundles.get(rule.model)
        thresholds = rule.thresholds().values()
        if bundle is None or rule.watch != "inputs" or not thresholds:
            continue
        known = [(name, bundle.training[name]) for name in rule.columns or bundle.columns if name in bundle.training]
        if not known:
            continue
        size = "bin_memory" if rule.measure == "psi" else "memory"
        memories = {name: float(getattr(column, size)) for name, column in known}
        name = max(memories, key=lambda one: memories[one])
        column, memory = bundle.training[name], memories[name]
        alike = f"rows of {name} resemble those {memory:,.0f} rows before"
        if rule.measure == "adwin":
            if rule.every < memory:
                told.append(f"drift rule {number}: {alike}, and every = {rule.every:,}: ADWIN may tell changes that are none")
            continue
        expected = by_chance(column, rule.measure, rule.window)
        if min(thresholds) < expected:
            told.append(
                f"drift rule {number}: {alike}, so {rule.measure} over {rule.window:,} rows may reach {expected:.2g} by "
                f"chance: {min(thresholds):g} is too low, or the window too short"
            )
    return told


def drift_rules(config: Config) -> list[DriftRule]:
    """The rules as the monitor takes them."""
    return [
        DriftRule(
            number=number,
            model=rule.model,
            watch=rule.watch,
            measure=rule.measure,
            columns=rule.columns,
            window=rule.window,
            every=rule.every,
            delta=rule.delta,
            factor=rule.factor,
            thresholds=Thresholds(warn=rule.warn, shrink=rule.shrink, reduce_only=rule.reduce_only, halt=rule.halt),
        )
        for number, rule in enumerate(config.drift)
    ]


def restrained(rules: list[DriftRule]) -> set[str]:
    """Models of which a rule may hold back the lanes."""
    return {rule.model for rule in rules if any(answer > Answer.WARN for answer, _ in rule.thresholds.given())}


def recorded_verdicts(folder: Path) -> list[DriftJudged]:
    """The verdicts that the session in ``folder`` took, with the numbers of their inputs. Raises JournalError."""
    return [record for record in JournalReader(folder / "journal") if isinstance(record, DriftJudged)]


def lost_rules(config: Config, model: str, bundle: BundleInfo) -> list[str]:
    """Why rules on drift of ``model`` could not be held against ``bundle`` in its place; empty where they can."""
    faults = [
        f"drift rule {index + 1} could not go on: {fault.problem}"
        for index, rule in enumerate(config.drift)
        if rule.model == model
        for fault in _against_bundle(rule, bundle, config.place("drift", index))
    ]
    return list(dict.fromkeys(faults))


def _against_bundle(rule: DriftTable, bundle: BundleInfo, place: Place) -> list[Fault]:
    if rule.watch == "scores":
        return _against_scores(rule, bundle, place)
    unknown = [(index, name) for index, name in enumerate(rule.columns) if name not in bundle.columns]
    faults = [
        place.at("columns", index).fault(
            f"model {rule.model!r} reads no column {name!r}",
            nearest(name, bundle.columns) or f"it reads {', '.join(bundle.columns)}",
        )
        for index, name in unknown
    ]
    missing = [name for name in rule.columns or bundle.columns if name in bundle.columns and name not in bundle.training]
    if missing:
        problem = f"bundle {bundle.name!r} does not say how {', '.join(missing)} lay in training"
        hint = "make the bundle again with this vtframe: [input.training] of bundle.toml has it"
        faults.append(place.at("model").fault(problem, hint))
    return faults


def _against_scores(rule: DriftTable, bundle: BundleInfo, place: Place) -> list[Fault]:
    if not predicts_direction(bundle):
        return [place.at("watch").fault(f"predictions of model {rule.model!r} are not scored as classes", 'watch = "inputs"')]
    if rule.measure == "log_loss" and "log_loss" not in bundle.metrics:
        problem = f"bundle {bundle.name!r} does not say its log_loss out of sample"
        return [place.at("measure").fault(problem, 'measure = "adwin" needs none')]
    return []
