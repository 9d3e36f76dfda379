"""Bench of memory: does a session that runs for long stay as large as it was."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from vtframe.assemble.session import Wishes, assemble
from vtframe.cli.bench.rows import Row, time_row
from vtframe.errors import ConfigError, Fault

_WARM_EVENTS = 2_000_000
_EVENTS = 20_000_000
_PAGE = os.sysconf("SC_PAGE_SIZE")


def run(config: Path, say: Callable[[str], None]) -> Iterator[Row]:
    """Growth of the resident size over 20 million events of the embedded market, after 2 million of warm-up: models, lanes,
    journal, row log, quality and reports included."""
    text, changed = re.subn(r"(?m)^duration_s = [0-9.e_]+", "duration_s = 1e7", config.read_text())
    if not changed:
        raise ConfigError(Fault(file=str(config), table="[feed]", key="duration_s", problem="there is none: use the market"))
    sizes: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        longer = Path(folder) / "memory.toml"
        longer.write_text(re.sub(r'"models/', f'"{config.resolve().parent}/models/', text))
        session = assemble(longer, Wishes(folder=Path(folder) / "session")).session
        inner = session.housekeeping

        def watch() -> None:
            inner()
            events = session.pipeline.counts().events
            if events >= _WARM_EVENTS:
                sizes.append(_resident_mb())
            if events >= _WARM_EVENTS + _EVENTS:
                session.engine.stop("the bench has seen enough")

        session.housekeeping = watch  # type: ignore[method-assign]
        session.run()
    third = max(1, len(sizes) // 10)
    early, late = sorted(sizes[:third])[third // 2], sorted(sizes[-third:])[third // 2]
    say(f"resident: {early:.1f} MB in the first tenth after warm-up, {late:.1f} MB in the last, {max(sizes):.1f} MB at most")
    yield time_row("memory: growth of a session over 20 M simulated events", "MB", [late - early])


def _resident_mb() -> float:
    """Linux: what the kernel counts now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6
