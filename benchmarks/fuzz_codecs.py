"""Millions of mutated messages through the compiled Binance codec and its reference, with array bounds checked.

    python benchmarks/fuzz_codecs.py RECORDING... [--frames 5_000_000] [--seed 1] [--processes 2]

Kernels are compiled afresh, in a cache of their own, with NUMBA_BOUNDSCHECK=1 (a kernel from a cache ignores the setting). A
planted overrun must be caught first. Ends with exit code 1 at the first difference, and prints the message and its seed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

_REPORT = 100_000  # frames between two lines of progress


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+", type=Path, help="recorded Binance messages, to make mutations of")
    parser.add_argument("--frames", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.child:
        return fuzz(wishes.recordings, wishes.frames, wishes.seed)
    before = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "VTFRAME_CACHE": folder}
        command = [sys.executable, __file__, *map(str, wishes.recordings), "--child"]
        share = -(-wishes.frames // wishes.processes)
        children = [
            subprocess.Popen([*command, "--frames", str(share), "--seed", str(wishes.seed + k)], env=environment)
            for k in range(wishes.processes)
        ]
        codes = [child.wait() for child in children]
    seconds = time.perf_counter() - before
    print(f"{share * wishes.processes:,} frames, {wishes.processes} processes, {seconds:.0f} s, exit codes {codes}")
    return max(codes)


def fuzz(recordings: list[Path], frames: int, seed: int) -> int:
    """One process's share."""
    import numba  # noqa: PLC0415 - after the environment is set

    from vtframe.builtin.binance.codec import BinanceCodec  # noqa: PLC0415
    from vtframe.builtin.binance.known import COINM, SPOT, USDM, known_instrument  # noqa: PLC0415
    from vtframe.builtin.binance.reference import BinanceReferenceCodec  # noqa: PLC0415
    from vtframe.domain import Records  # noqa: PLC0415
    from vtframe.engine.instrument_table import SessionInstruments  # noqa: PLC0415
    from vtframe.errors import DecodeError  # noqa: PLC0415
    from vtframe.testing.mutations import mutations  # noqa: PLC0415

    if not numba.config.BOUNDSCHECK or not planted_overrun_is_caught():
        print("bounds are not checked: a planted overrun was not caught")
        return 1
    markets = [(SPOT, "BTCUSDT"), (USDM, "BTCUSDT"), (COINM, "BTCUSD_PERP"), (SPOT, "ETHUSDT"), (USDM, "ETHUSDT")]
    table = SessionInstruments([i for market in markets if (i := known_instrument(*market)) is not None])
    left, right = Records(), Records()
    seeds = messages(recordings)
    seen: Counter[str] = Counter()
    before = time.perf_counter()
    compiled: Any = None
    reference: Any = None
    for number, data in enumerate(itertools.islice(mutations(seeds, seed), frames)):
        if number % _REPORT == 0:  # two instruments of a market and one; either stream of trades
            alone = number // _REPORT % 2
            settings: Any = {"trades": "aggTrade" if number // _REPORT % 4 > 1 else "trade"}
            compiled, reference = BinanceCodec(**settings), BinanceReferenceCodec(**settings)
            known = SessionInstruments(list(table)[: 3 if alone else 5])
            compiled.open(known)
            reference.open(known)
            if number:
                rate = number / (time.perf_counter() - before)
                print(f"seed {seed}: {number:,} of {frames:,} frames, {rate:,.0f} a second", flush=True)
        answers = []
        for codec, records in ((compiled, left), (reference, right)):
            records.clear()
            try:
                answers.append(codec.decode(data, records))
            except DecodeError:
                answers.append("refused")
        same = answers[0] == answers[1] and (left.n_frames, left.n_events) == (right.n_frames, right.n_events)
        if left.n_frames and same:
            same = left.frames[: left.n_frames].tobytes() == right.frames[: right.n_frames].tobytes()
            same = same and left.events[: left.n_events].tobytes() == right.events[: right.n_events].tobytes()
        if not same:
            print(f"seed {seed}, frame {number}: compiled {answers[0]}, reference {answers[1]}\n{data!r}")
            return 1
        seen[answers[0]] += 1
    known_types = ", ".join(f"{name} {count:,}" for name, count in seen.most_common(8))
    print(f"seed {seed}: no difference and no overrun in {frames:,} frames ({known_types})")
    return 0


def planted_overrun_is_caught() -> bool:
    """Whether reading one byte behind the buffer raises here."""
    import numpy as np  # noqa: PLC0415

    from vtframe.api import scan  # noqa: PLC0415
    from vtframe.domain import Records  # noqa: PLC0415

    def planted(text: Any, out: Any, symbols: Any, cells: Any) -> int:  # noqa: ARG001 - the kernel's contract
        at = 0
        while text[at] == cells[0]:  # the fault: no look at the message's end
            at += 1
        return at

    one = scan.Scanner("planted", planted, symbols=scan.symbol_table({}), cells=np.array([32]))
    one.fill(32)
    try:
        one.scan(b" " * 100, Records())
    except IndexError:
        return True
    return False


def messages(recordings: list[Path]) -> list[bytes]:
    """Some of every kind of message in every file, and the same bare; long ones are left out."""
    from vtframe.wire import read_sample  # noqa: PLC0415

    found: list[bytes] = []
    for path in recordings:
        counts: Counter[bytes] = Counter()
        for data in read_sample(path, 50_000).messages:
            kind = data[: data.find(b":", 12) if data.startswith(b'{"stream"') else 16]
            counts[kind] += 1
            if data.startswith(b'{"lastUpdateId"'):
                found.append(shortened(data))
            elif counts[kind] <= 60 and len(data) < 1_500:
                found.append(data)
    bare = [data[data.index(b'"data":') + 7 : -1] for data in found if data.startswith(b'{"stream"')]
    aggregate = [data.replace(b'"trade"', b'"aggTrade"') for data in found + bare if b'"trade"' in data]
    if not found:
        raise SystemExit("the recordings hold no message")
    return found + bare + aggregate[::2]


def shortened(snapshot: bytes) -> bytes:
    """A snapshot with the first ten levels of each side."""
    middle = snapshot.index(b'"asks"')
    bids, asks = (b"]".join(side.split(b"]", 10)[:10]) + b"]]" for side in (snapshot[:middle], snapshot[middle:]))
    return bids + b"," + asks + b"}"


if __name__ == "__main__":
    sys.exit(main())
