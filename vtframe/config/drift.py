"""``[[drift]]``: when the rows or scores of a model no longer look as they did in training, and what is done then."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vtframe.sampling import Clash

ANSWERS = ("warn", "shrink", "reduce_only", "halt")
"""Mildest first."""

_MEASURES = {"inputs": ("psi", "ks", "adwin"), "scores": ("log_loss", "adwin")}


class DriftTable(msgspec.Struct, frozen=True, kw_only=True):
    """``[[drift]]``: what is watched of a model's rows or scores, and from which value on what is done."""

    model: str = ""  # a model's name; required
    watch: Literal["inputs", "scores"] = "inputs"
    measure: Literal["psi", "ks", "adwin", "log_loss"] = "psi"
    columns: tuple[str, ...] = ()  # empty: all that the model reads
    window: Annotated[int, Meta(ge=100, le=1_000_000)] = 5_000  # valid rows, or scored predictions, of one instrument
    every: Annotated[int, Meta(ge=10, le=1_000_000)] = 250  # rows between two judgements
    delta: Annotated[float, Meta(gt=0, lt=1)] = 0.002  # of ADWIN
    factor: Annotated[float, Meta(gt=0, lt=1)] = 0.5  # of the size, once it shrinks
    warn: Annotated[float, Meta(gt=0)] | None = None
    shrink: Annotated[float, Meta(gt=0)] | None = None
    reduce_only: Annotated[float, Meta(gt=0)] | None = None
    halt: Annotated[float, Meta(gt=0)] | None = None

    def thresholds(self) -> dict[str, float]:
        """Those that are given, by answer, mildest first."""
        values = ((answer, getattr(self, answer)) for answer in ANSWERS)
        return {answer: value for answer, value in values if value is not None}


def drift_clashes(rule: DriftTable, given: Collection[str]) -> list[Clash]:
    """Settings of a rule that do not go together; ``given`` are the keys that were written."""
    found = []
    measures = _MEASURES[rule.watch]
    if rule.measure not in measures:
        expected = " or ".join(f'"{measure}"' for measure in measures)
        problem = f'found "{rule.measure}"' if "measure" in given else "missing"
        found.append(Clash("measure", f"{problem}, expected {expected}", f'the measures of watch = "{rule.watch}"'))
    if rule.watch == "scores" and rule.columns:
        found.append(Clash("columns", 'found columns with watch = "scores"', "leave them out: scores have no columns"))
    if rule.window % rule.every:
        problem = f"found {rule.window}, expected a multiple of every = {rule.every}"
        found.append(Clash("window" if "window" in given else "every", problem, "a window is judged after whole steps"))
    for key, needed in (("delta", rule.measure == "adwin"), ("factor", rule.shrink is not None)):
        if key in given and not needed:
            hint = {"delta": 'it is a setting of measure = "adwin"', "factor": "say from which value on: shrink = ..."}[key]
            found.append(Clash(key, f"found {getattr(rule, key)}, which nothing uses", hint))
    if not any(answer in given for answer in ANSWERS):
        found.append(Clash("warn", "missing; expected a number, more than 0", f"give at least one of {', '.join(ANSWERS)}"))
    for (mild, low), (strict, high) in itertools.pairwise(rule.thresholds().items()):
        if high < low:
            problem = f"found {high:g}, under {mild} = {low:g}"
            found.append(Clash(strict, problem, f"answers become stricter: {', '.join(ANSWERS)}"))
    if rule.measure in ("ks", "adwin"):
        for answer, value in rule.thresholds().items():
            if value > 1:
                hint = f"{rule.measure} lies between 0 and 1"
                found.append(Clash(answer, f"found {value:g}, which is never reached", hint))
    return found
