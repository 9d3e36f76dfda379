"""What the importing process is told and what it answers, as JSON files and arrays in a folder that both see."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from vtframe.inference.importing.source import Form, Source

Precision = Literal["float32", "float64"]
JOB, FACTS, ROWS, ANSWERS = "job.json", "facts.json", "rows.npy", "answers.npy"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Convert ``source``. The rows to ask the original about lie in ``ROWS``: (n, window, columns), of the bundle's dtype."""

    source: Source
    form: Form
    columns: tuple[str, ...]  # of the rows
    asked: tuple[str, ...] = ()  # of those, what the model reads, in its order; empty: what its own names or its width say
    weights: Path | None = None  # of a module
    softmax: bool = False  # put a softmax behind the model
    precision: Precision = "float32"  # in which a scikit-learn graph computes


class SourceHead(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs that belong together, as far as the source says."""

    name: str
    width: int
    kind: Literal["classification", "regression", ""] = ""  # empty where the source does not say
    classes: tuple[str, ...] = ()  # their names in the source; empty where it has none


class Facts(msgspec.Struct, frozen=True, kw_only=True, tag="facts"):
    """What came out: the model's file, and the original's answers in ``ANSWERS``, shape (n, outputs), float64."""

    file: str
    backend: str
    columns: tuple[str, ...]
    heads: tuple[SourceHead, ...]
    versions: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    """Why nothing came out."""

    where: str
    problem: str
    hint: str = ""


def as_path(kind: type[Any], value: Any) -> Any:
    """Paths are text in a job's file."""
    return kind(value)
