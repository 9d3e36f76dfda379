"""Runs the importing process on a job, and reads what came of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.errors import InputError
from vtframe.inference.importing.job import ANSWERS, FACTS, JOB, ROWS, Facts, Job, Refusal
from vtframe.inference.importing.source import FORMS

_PICKLED = ("pickle", "torch_pickle")


def convert(job: Job, rows: NDArray[Any], folder: Path, *, trust_pickle: bool) -> tuple[Facts, NDArray[np.float64]]:
    """Convert in ``folder``, which holds the model's file afterwards; the facts and the original's answers to ``rows``.

    Raises InputError where the source is a pickle and is not trusted, and with what the importing process says.
    """
    where = str(job.source)
    if job.source.kind in _PICKLED and not trust_pickle:
        problem = "is a pickle, and a pickle runs code when it is read"
        better = "save it as skops (scikit-learn) or as text or JSON (boosters)"
        if job.source.kind == "torch_pickle":
            better = "save it with torch.jit.save or torch.export.save, or name its code: FILE.py:NAME --weights FILE.pt"
        hint = f"{better}; --trust-pickle if you made it yourself"
        raise InputError(where, problem, hint)
    if job.form not in FORMS[job.source.kind]:
        problem = f"is of kind {job.source.kind}, which cannot be kept as {job.form}"
        raise InputError(where, problem, f"it can be kept as {' or '.join(FORMS[job.source.kind])}")
    (folder / JOB).write_bytes(msgspec.json.encode(job, enc_hook=str))
    np.save(folder / ROWS, rows, allow_pickle=False)
    code, last = _open_elsewhere(folder)
    if code not in {0, 2} or not (folder / FACTS).is_file():
        raise InputError(where, f"ended the process that opened it (exit code {code}): {last}"[:500])
    found = msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts | Refusal, strict=True)
    if isinstance(found, Refusal):
        raise InputError(found.where, found.problem, found.hint)
    return found, np.load(folder / ANSWERS, allow_pickle=False)


def _open_elsewhere(folder: Path) -> tuple[int, str]:
    """Do the job in a process of its own: its exit code, and the last that it said."""
    command = [sys.executable, "-m", "vtframe.inference.importing.child", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    return done.returncode, (done.stderr.strip().splitlines() or [""])[-1]
