"""The worker process: ``python -m vtframe.inference.pool.worker TASK``. It leaves when its parent is gone."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from vtframe.inference.pool import board as b
from vtframe.inference.pool.bell import Bell
from vtframe.inference.pool.serving import Server
from vtframe.inference.pool.task import Task
from vtframe.inference.warm import warm

_PR_SET_PDEATHSIG = 1


def main(path: str) -> int:
    """Serve the board of the task in the file at ``path``."""
    faulthandler.enable()  # a crash in a model's library leaves its trace in the worker's log
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the session's to handle
    task = msgspec.json.decode(Path(path).read_bytes(), type=Task)
    _die_with(task.parent)
    if task.cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {task.cpu})
    arrays = b.open_board(task.shape, Path(task.rows), Path(task.board))
    line = arrays["workers"][task.worker]
    try:
        bundle = task.open_bundle()
        model = task.backend.make().open(bundle)
        warm(model, bundle)
        server = Server(
            arrays,
            task.shape,
            worker=task.worker,
            launch=task.launch,
            columns=task.columns,
            window=bundle.window,
            wait=task.wait,
            spin_us=task.spin_us,
            work=Bell(task.work),
            done=Bell(task.done),
            wanted=lambda: os.getppid() == task.parent,
            keep_warm=task.keep_warm,
        )
    except Exception as e:  # noqa: BLE001 - whatever keeps a model from opening is told to the session, which says it
        data = str(e).encode()[: b.TEXT_BYTES - 1]
        arrays["text"][task.worker, : len(data)] = list(data)
        line[b.STATE] = b.BROKEN
        return 1
    server.report(b.READY)
    server.serve(model)
    model.close()
    line[b.STATE] = b.LEFT
    return 0


def _die_with(parent: int) -> None:
    """Linux kills this process with its parent, however that ends; elsewhere the loop notices."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)  # it was gone before


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
