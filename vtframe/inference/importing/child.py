"""The process that opens a foreign model file; nothing else does. ``python -m vtframe.inference.importing.child FOLDER``."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

import msgspec
import numpy as np

from vtframe.errors import InputError
from vtframe.inference.importing.job import ANSWERS, FACTS, JOB, ROWS, Facts, Job, Refusal, as_path
from vtframe.inference.importing.open_source import open_original
from vtframe.inference.importing.original import pick


def run_job(folder: Path) -> Facts | Refusal:
    """Do the job that lies in ``folder``, and put what comes of it beside it."""
    job = msgspec.json.decode((folder / JOB).read_bytes(), type=Job, dec_hook=as_path)
    rows = np.load(folder / ROWS, allow_pickle=False)
    try:
        original = open_original(job, window=rows.shape[1], dtype=str(rows.dtype), rows=rows)
        answers = original.ask(pick(job, original.columns, rows))
        file = original.write(folder)
    except InputError as e:
        return Refusal(where=e.where, problem=e.problem, hint=e.hint)
    except Exception as e:  # noqa: BLE001 - a stranger's file through a stranger's library: anything may be raised, and is told
        return Refusal(where=str(job.source), problem=f"cannot be converted: {type(e).__name__}: {_short(e)}")
    np.save(folder / ANSWERS, np.ascontiguousarray(answers, np.float64), allow_pickle=False)
    return Facts(
        file=file,
        backend=original.backend,
        columns=original.columns,
        heads=original.heads,
        versions=original.versions,
    )


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) < 400 else f"{text[:200]} ... {text[-200:]}"


def main() -> int:
    """Exit code 0 with facts, 2 with a refusal."""
    warnings.simplefilter("ignore")  # of libraries about each other; what matters is checked on rows
    logging.disable(logging.WARNING)
    folder = Path(sys.argv[1])
    found = run_job(folder)
    (folder / FACTS).write_bytes(msgspec.json.encode(found))
    return 0 if isinstance(found, Facts) else 2


if __name__ == "__main__":
    sys.exit(main())
