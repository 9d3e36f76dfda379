"""Another bundle for a model of a running session: everything that a session's start would refuse is refused here as well."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from vtframe.api import BundleInfo
from vtframe.assemble.check import Examined, other_rows
from vtframe.assemble.drift import drift_warnings, lost_rules
from vtframe.assemble.served_models import NextVersion, ServedModels
from vtframe.clock import Clock
from vtframe.config import ModelTable
from vtframe.engine.served_model import ServedModel
from vtframe.errors import BundleError
from vtframe.features.pipeline import Pipeline
from vtframe.inference.bundle import load_bundle
from vtframe.inference.executor import Executor

_log = logging.getLogger("vtframe.lifecycle")


class Prepared:
    """An ``engine.lifecycle.Ready``."""

    def __init__(self, bundle: BundleInfo, version: NextVersion) -> None:
        self.bundle = bundle
        self.executor: Executor = version.executor
        self.switch = version.switch
        self.retire = version.retire
        self.discard = version.discard


class NewVersions:
    """Makes them ready for one session; ``prepare`` is called in a thread of its own."""

    def __init__(self, examined: Examined, models: ServedModels, pipeline: Pipeline, clock: Clock, log: Path) -> None:
        self._examined = examined
        self._models = models
        self._pipeline = pipeline
        self._clock = clock
        self._log = log
        self._tables = {table.name: table for table in examined.config.models}
        self._began = examined.bundles

    def prepare(self, model: ServedModel, folder: Path) -> Prepared:
        """Load, check, open and warm the bundle in ``folder``. Raises BundleError with every reason why it cannot take the
        place of the model, ConfigError or SessionError where it does not open."""
        bundle = load_bundle(folder)
        self._check(self._tables[model.name], model, bundle)
        for warning in drift_warnings(self._examined.config, {model.name: bundle}):
            _log.warning("%s: %s", bundle.path, warning)
        version = self._models.next_version(
            model.name, bundle, model.executor, pipeline=self._pipeline, clock=self._clock, log=self._log
        )
        return Prepared(bundle, version)

    def _check(self, table: ModelTable, model: ServedModel, bundle: BundleInfo) -> None:
        config, began = self._examined.config, self._began[table.name]
        problems = []
        if bundle.backend not in self._examined.plugins.registries.model_backends.names():
            problems.append(f"needs model backend {bundle.backend!r}, which no plugin of the session gives")
        difference = other_rows(config, self._examined.features, bundle)
        if difference:
            problems.append("\n    ".join(["was trained on other rows than the session makes:", *difference]))
        if bundle.window > config.rows.ring:
            problems.append(f"sees {bundle.window} rows, [rows] ring keeps {config.rows.ring}")
        if bundle.classes != began.classes or bundle.output_heads != began.output_heads:
            problems.append(f"answers {_outputs(bundle)}, the session logs {_outputs(began)} of this model")
        if bundle.label != began.label:
            problems.append(f"predicts {_label(bundle)}, the session scores {_label(began)}")
        for lane in model.lanes:
            faults = lane.strategy.check(bundle, self._examined.columns)
            problems += [f"does not suit the strategy of lane {lane.lane_id}: {fault.key}: {fault.problem}" for fault in faults]
        problems += lost_rules(config, table.name, bundle)
        if problems:
            raise BundleError(str(bundle.path), "; and ".join(problems), f"model {table.name!r} goes on as it was")


def _outputs(bundle: BundleInfo) -> str:
    return ", ".join(f"{head.kind} {', '.join(head.outputs)}" for head in bundle.output_heads)


def _label(bundle: BundleInfo) -> str:
    return ", ".join(f"{key} {value}" for key, value in msgspec.to_builtins(bundle.label).items() if value is not None)
