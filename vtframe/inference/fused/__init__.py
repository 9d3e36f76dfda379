"""Models compiled into the features' kernel: a graph of operators becomes one function from a window of rows to the outputs."""

from vtframe.inference.fused.check import TOLERANCE, Agreement, check_against, rows_like_training
from vtframe.inference.fused.executor import FusedExecutor
from vtframe.inference.fused.model import FusedModel
from vtframe.inference.fused.open import open_fused

__all__ = ["TOLERANCE", "Agreement", "FusedExecutor", "FusedModel", "check_against", "open_fused", "rows_like_training"]
