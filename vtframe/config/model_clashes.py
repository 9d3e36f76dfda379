"""Settings of ``[[models]]`` that do not go together: most are for models outside the engine's thread."""

from __future__ import annotations

import os
from collections.abc import Collection

from vtframe.config.tables import ModelTable
from vtframe.sampling import Clash

_ELSEWHERE = ("overload", "queue", "max_batch", "hang_ms", "keep_warm")
_PROCESS = ("workers", "wait", "spin_us", "memory_mb", "cpus")


def model_clashes(model: ModelTable, given: Collection[str]) -> list[Clash]:
    """``given`` are the keys that were written."""
    found = []
    unused = {
        **{key: 'it is for where = "thread" or "process"' for key in _ELSEWHERE if model.where not in ("thread", "process")},
        **{key: 'it is for where = "process"' for key in _PROCESS if model.where != "process"},
    }
    for key, hint in unused.items():
        if key in given:
            found.append(Clash(key, f'found it with where = "{model.where}", which does not use it', hint))
    if "queue" in given and "queue" not in unused and model.overload != "queue":
        found.append(Clash("queue", f"found {model.queue}, which nothing uses", 'it is a setting of overload = "queue"'))
    if "spin_us" in given and "spin_us" not in unused and model.wait == "busy":
        found.append(Clash("spin_us", f"found {model.spin_us}, which nothing uses", 'it is a setting of wait = "sleep"'))
    cores = os.cpu_count() or 1
    beyond = [cpu for cpu in model.cpus if cpu >= cores]
    if beyond and "cpus" not in unused:
        found.append(Clash("cpus", f"found {beyond[0]}, expected numbers under {cores}", f"this machine has {cores} cores"))
    return found
