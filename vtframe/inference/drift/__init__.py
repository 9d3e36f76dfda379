"""Do rows and scores still look as they did in training? Off the hot path; its verdicts enter the engine as numbered inputs."""

from vtframe.inference.drift.monitor import DriftMonitor
from vtframe.inference.drift.reference import training_columns
from vtframe.inference.drift.rule import DriftRule, Thresholds

__all__ = ["DriftMonitor", "DriftRule", "Thresholds", "training_columns"]
