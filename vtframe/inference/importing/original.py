"""A loaded original: what the importing process asks, and converts. Runs there only."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.errors import InputError
from vtframe.inference.importing.job import Job, SourceHead

_NUMBERED = re.compile(r"(Column_|f|x|feature_?)?\d+")
"""What libraries call columns that nobody named."""


class Original(msgspec.Struct, kw_only=True):
    """An original model. ``ask`` takes (n, window, columns) of the model's own columns and answers (n, outputs), float64."""

    ask: Callable[[NDArray[Any]], NDArray[np.float64]]
    write: Callable[[Path], str]  # writes the model file into a folder, in the form that is wanted, and names it
    columns: tuple[str, ...]
    heads: tuple[SourceHead, ...]
    backend: str
    versions: str


def library(name: str, *, install: str = "") -> Any:
    """The module ``name``; raises InputError that says what to install where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as e:
        package = install or name.partition(".")[0]
        raise InputError(
            package, f"is needed to import this model, and cannot be used: {e}", f"pip install {package}"
        ) from None


def choose_columns(job: Job, names: Sequence[str] | None, width: int | None, *, window: int) -> tuple[str, ...]:
    """The columns that the model reads: those asked for, those that it names itself, or all where the width says so.

    ``names`` and ``width`` are what the model says of its inputs, None where it says nothing. Raises InputError.
    """
    where = str(job.source)
    there = ", ".join(job.columns)
    if job.asked:
        chosen = job.asked
    else:
        own = [str(name) for name in (() if names is None else names) if not _NUMBERED.fullmatch(str(name))]
        missing = [name for name in own if name not in job.columns]
        if missing:
            problem = f"was fitted on columns that the rows do not have: {', '.join(missing)}; the rows have {there}"
            raise InputError(
                where, problem, "configure these features, or name the rows' columns in the model's order: --columns"
            )
        chosen = tuple(own) if own and window == 1 else job.columns
    if width is not None and width != window * len(chosen):
        problem = f"reads {width} numbers a row, and {window} row(s) of {len(chosen)} columns are {window * len(chosen)}"
        raise InputError(where, problem, f"name the columns in the model's order with --columns; the rows have {there}")
    return chosen


def pick(job: Job, columns: Sequence[str], rows: NDArray[Any]) -> NDArray[Any]:
    """The model's columns of the rows, in its order."""
    return np.ascontiguousarray(rows[:, :, [job.columns.index(name) for name in columns]])
