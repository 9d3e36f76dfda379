"""A backend in a spawned process: what it answers there, and in how many threads it computes."""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, ModelBackend
from vtframe.testing.verdict import LawBroken

_PATIENCE_S = 120.0
_SHARE = 0.1  # of the time that the asking thread computed: from here on another one counts as computing
_ASK_S = 0.3


def predict_elsewhere(make: type[ModelBackend], bundle: BundleInfo, rows: NDArray[Any]) -> NDArray[Any]:
    """The answer of a spawned process, as its bytes come. Raises LawBroken where none comes."""
    found: NDArray[Any] = _run(_predict, _address(make), bundle, rows)
    return found


def compute_threads(make: type[ModelBackend], bundle: BundleInfo, settings: dict[str, Any], rows: NDArray[Any]) -> int:
    """How many threads of a spawned process compute while it is asked again and again.

    On Linux each thread's own time is read; elsewhere it is only told whether others than the asking one computed (then 2).
    """
    found: int = _run(_count_threads, _address(make), bundle, settings, rows)
    return found


def _run(target: Any, *arguments: Any) -> Any:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(send, target, arguments), daemon=True)
    try:
        process.start()
        send.close()
        if not receive.poll(_PATIENCE_S):
            raise LawBroken(f"a spawned process gave no answer within {_PATIENCE_S:.0f} s")
        try:
            found, problem = receive.recv()
        except EOFError:
            process.join(_PATIENCE_S)
            raise LawBroken(f"a spawned process ended without an answer (exit code {process.exitcode})") from None
    finally:
        if process.is_alive():
            process.join(5.0)
        if process.is_alive():
            process.kill()
    if problem:
        raise LawBroken(f"in a spawned process: {problem}")
    return found


def _report(send: Any, target: Any, arguments: tuple[Any, ...]) -> None:
    try:
        send.send((target(*arguments), ""))
    except Exception as e:  # noqa: BLE001 - whatever a backend raises there is told here
        send.send((None, f"{type(e).__name__}: {e}"))


class _Address(NamedTuple):
    """Where a class is: a file beside its module's name, for a local plugin is no module that can be imported."""

    module: str
    name: str
    file: str


def _address(make: type[ModelBackend]) -> _Address:
    file = getattr(sys.modules.get(make.__module__), "__file__", None)
    return _Address(make.__module__, make.__qualname__, file or "")


def _find(address: _Address) -> type[ModelBackend]:
    try:
        module = importlib.import_module(address.module)
    except ImportError:
        spec = importlib.util.spec_from_file_location(address.module, address.file)
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules[address.module] = module
        spec.loader.exec_module(module)
    found: Any = module
    for name in address.name.split("."):
        found = getattr(found, name)
    cls: type[ModelBackend] = found
    return cls


def _predict(address: _Address, bundle: BundleInfo, rows: NDArray[Any]) -> NDArray[Any]:
    return np.array(_find(address)().open(bundle).predict(rows))


def _count_threads(address: _Address, bundle: BundleInfo, settings: dict[str, Any], rows: NDArray[Any]) -> int:
    model = _find(address)(**settings).open(bundle)
    model.predict(rows)  # pools of threads are made by the first call
    before, process, own = _thread_times(), time.process_time(), time.thread_time()
    until = own + _ASK_S
    while time.thread_time() < until:
        model.predict(rows)
    asked = time.thread_time() - own
    after = _thread_times()
    if not after:
        return 2 if time.process_time() - process - asked > _SHARE * asked else 1
    mine = threading.get_native_id()
    others = [spent - before.get(thread, 0.0) for thread, spent in after.items() if thread != mine]
    return 1 + sum(spent > _SHARE * asked for spent in others)


def _thread_times() -> dict[int, float]:
    """Seconds on a processor by thread of this process; empty where the system does not tell."""
    found = {}
    for task in Path("/proc/self/task").glob("*/schedstat"):
        try:
            found[int(task.parent.name)] = int(task.read_text().split()[0]) / 1e9
        except (OSError, ValueError, IndexError):
            continue
    return found
