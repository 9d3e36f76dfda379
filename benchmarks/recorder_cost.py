"""What recording costs: nanoseconds per frame on the engine's thread, and megabytes of lines a second in the recorder's.

    python benchmarks/recorder_cost.py [RECORDING]

The frames are those of RECORDING (a foreign file or a recorder's), or of the embedded kind where none is named. Beside each
figure stands its naive alternative in the same run: the same lines written as they are to a plain file, on the thread that
received them.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from vtframe.api import MarketInfo
from vtframe.assemble.recorder import make_recorder
from vtframe.builtin.binance.known import USDM, known_instrument
from vtframe.config import RecorderTable
from vtframe.domain import Records
from vtframe.engine.market_log import MarketTap
from vtframe.engine.recorder import Recorder
from vtframe.wire import RecordingReader, read_sample, unit_of

FRAMES = 200_000
RATE = 20_000  # frames a second, where the thread works beside the engine
BURST = 20


class Nowhere:
    """The engine, without its work."""

    stopping = False

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None: ...
    def on_records(self, records: Records) -> None: ...
    def on_damage(self, where: str, problem: str) -> None: ...
    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None: ...


def frames(path: Path | None) -> list[tuple[int, bytes]]:
    """Times and frames, repeated until there are enough."""
    if path is None:
        text = (
            b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255041,"s":"BTCUSDT","t":%d,"p":"61803.30","q":"0.002"}}'
        )
        return [(1_723_161_255_041_000_000 + n, text % n) for n in range(FRAMES)]
    unit = unit_of(read_sample(path, 1).stamps[0][1]) or "ns"
    found = [(ts, data) for _, ts, data in RecordingReader(path, unit, print)]
    return (found * (FRAMES // len(found) + 1))[:FRAMES]


def recorder(folder: Path) -> Recorder:
    instrument = known_instrument(USDM, "BTCUSDT")
    assert instrument is not None  # noqa: S101 - it is in the box
    market = MarketInfo(instruments=(instrument,), rules=(), codec="binance")
    table = RecorderTable(buffer_mb=4_096)
    return make_recorder(folder, table, market, name="bench", now=time.monotonic_ns, on_failure=print)


def per_frame(sink: Any, batch: list[tuple[int, bytes]]) -> float:
    """ns for one call of the sink."""
    call = sink.on_message
    began = time.perf_counter_ns()
    for ts_recv, data in batch:
        call(data, ts_recv, connection=0)
    return (time.perf_counter_ns() - began) / len(batch)


class Plain(Nowhere):
    """Writes each line as it comes."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb", buffering=1 << 16)

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self.file.write(b"%d %b\n" % (ts_recv, data))


def hot_path(batch: list[tuple[int, bytes]], folder: Path) -> None:
    bare, tapped, written = [], [], []
    for turn in range(7):
        nowhere = Nowhere()
        made = recorder(folder / f"hot{turn}")  # its thread does not run: what is measured is the engine's side
        plain = Plain(folder / f"plain{turn}")
        bare.append(per_frame(nowhere, batch))
        tapped.append(per_frame(MarketTap(nowhere, made), batch))
        written.append(per_frame(plain, batch))
        plain.file.close()
    base = statistics.median(bare)
    cost, naive = statistics.median(tapped) - base, statistics.median(written) - base
    print(f"engine's thread, per frame: {cost:,.0f} ns; a plain write there: {naive:,.0f} ns; ratio {naive / cost:.2f}")


def throughput(batch: list[tuple[int, bytes]], folder: Path) -> None:
    raw = sum(len(data) + 21 for _, data in batch)
    began = time.perf_counter()
    plain = Plain(folder / "lines")
    per_frame(plain, batch)
    plain.file.close()
    naive = raw / (time.perf_counter() - began) / 1e6
    made = recorder(folder / "through")
    per_frame(MarketTap(Nowhere(), made), batch)
    began = time.perf_counter()
    made.start()
    made.close()
    speed = raw / (time.perf_counter() - began) / 1e6
    told = made.report()
    print(
        f"recorder's thread: {speed:,.0f} MB of lines a second, packed {raw / told['bytes']:.1f} times; "
        f"plain lines: {naive:,.0f} MB/s; {told['lost']} lost"
    )


def pauses(batch: list[tuple[int, bytes]], folder: Path) -> None:
    """How long the engine's thread is kept from the interpreter, at ``RATE`` frames a second, with a recorder and without."""
    for name, recorded in (("without", False), ("with", True)):
        made = recorder(folder / f"pause-{name}")
        sink: Any = MarketTap(Nowhere(), made) if recorded else Nowhere()
        if recorded:
            made.start()
        gaps = []
        due = before = time.perf_counter_ns()
        for n in range(0, min(len(batch), 5 * RATE), BURST):
            due += BURST * 1_000_000_000 // RATE
            while (now := time.perf_counter_ns()) < due:
                gaps.append(now - before)
                before = now
            for ts_recv, data in batch[n : n + BURST]:
                sink.on_message(data, ts_recv, connection=0)
            before = time.perf_counter_ns()
        if recorded:
            made.close()
        gaps.sort()
        shown = ", ".join(f"p{share:g} {gaps[int(len(gaps) * share / 100)] / 1e3:,.1f}" for share in (99, 99.9, 99.99))
        print(f"pauses of a busy engine's thread, {name} a recorder, us: {shown}, longest {gaps[-1] / 1e3:,.0f}")


def main() -> None:
    batch = frames(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    with tempfile.TemporaryDirectory() as folder:
        hot_path(batch, Path(folder))
        throughput(batch, Path(folder))
        pauses(batch, Path(folder))


if __name__ == "__main__":
    main()
