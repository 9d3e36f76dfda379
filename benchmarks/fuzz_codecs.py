"""Millions of mutated messages through a compiled codec and its plain twin, with array bounds checked.

    python benchmarks/fuzz_codecs.py CODEC... [--recording FILE]... [--frames 5_000_000] [--seed 1] [--processes 2]

Mutations are made of the codec's examples, and of recorded messages where they are named. Kernels are compiled afresh, in a
cache of their own, with NUMBA_BOUNDSCHECK=1. A planted overrun must be caught first. Ends with exit code 1 at the first
difference, and prints the message and its seed.
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

_ROUND = 100_000  # frames with one choice of instruments and settings, and between two lines of progress
_LONGEST = 1_500  # bytes of a recorded message that is worth mutating
_EACH = 60  # recorded messages of a kind
_SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {"binance": ({}, {"trades": "aggTrade"}), "bybit": ({}, {"depth": 50})}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "codecs", nargs="+", metavar="CODEC", help="by name; a plugin of that name is loaded where there is one"
    )
    parser.add_argument("--recording", action="append", type=Path, default=[], help="messages to make mutations of, too")
    parser.add_argument("--frames", type=int, default=5_000_000, help="of each codec")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.child:
        return max(fuzz(name, wishes.recording, wishes.frames, wishes.seed) for name in wishes.codecs)
    before = time.perf_counter()
    share = -(-wishes.frames // wishes.processes)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "VTFRAME_CACHE": folder}
        command = [sys.executable, __file__, *wishes.codecs, "--child", "--frames", str(share)]
        command += [text for path in wishes.recording for text in ("--recording", str(path))]
        children = [
            subprocess.Popen([*command, "--seed", str(wishes.seed + k)], env=environment) for k in range(wishes.processes)
        ]
        codes = [child.wait() for child in children]
    seconds = time.perf_counter() - before
    print(
        f"{share * wishes.processes:,} frames of each codec, {wishes.processes} processes, {seconds:.0f} s, exit codes {codes}"
    )
    return max(codes)


def fuzz(name: str, recordings: list[Path], frames: int, seed: int) -> int:
    """One process's share of one codec."""
    import numba  # noqa: PLC0415 - after the environment is set

    from vtframe.testing.mutations import mutations  # noqa: PLC0415

    if not numba.config.BOUNDSCHECK or not planted_overrun_is_caught():
        print("bounds are not checked: a planted overrun was not caught")
        return 1
    cls, twin = codec_and_twin(name)
    instruments, examples = cls.examples()
    seeds = messages(examples, recordings)
    seen: Counter[str] = Counter()
    before = time.perf_counter()
    pair: Any = None
    for number, data in enumerate(itertools.islice(mutations(seeds, seed), frames)):
        if number % _ROUND == 0:
            pair = Twins(cls, twin, instruments, number // _ROUND)
            if number:
                rate = number / (time.perf_counter() - before)
                print(f"{name}, seed {seed}: {number:,} of {frames:,} frames, {rate:,.0f} a second", flush=True)
        answer, other = pair.read(data)
        if answer != other:
            print(f"{name}, seed {seed}, frame {number}: compiled {answer[0]}, reference {other[0]}\n{data!r}")
            return 1
        seen[answer[0]] += 1
    known_types = ", ".join(f"{kind} {count:,}" for kind, count in seen.most_common(8))
    print(f"{name}, seed {seed}: no difference and no overrun in {frames:,} frames ({known_types})")
    return 0


class Twins:
    """A codec and its plain twin, with the same settings, instruments and past; choices differ from round to round."""

    def __init__(self, cls: Any, twin: Any, instruments: Any, number: int) -> None:
        import msgspec  # noqa: PLC0415

        from vtframe.domain import Records  # noqa: PLC0415
        from vtframe.engine.instrument_table import SessionInstruments  # noqa: PLC0415

        choices = _SETTINGS.get(cls.name, ({},))
        known = list(instruments)
        if number % 2:  # two of a market: a message may not say which of them it is of
            known += [msgspec.structs.replace(one, symbol=f"X{one.symbol}") for one in known]
        codec, other = (made(**choices[number // 2 % len(choices)]) for made in (cls, twin or cls))
        for one in (codec, other):
            one.open(SessionInstruments(known))
        plain = other if twin is not None else other._reference  # noqa: SLF001 - the twin that every codec of ours holds
        self._decoders = codec.decode, plain.decode
        self._records = Records(), Records()

    def read(self, data: bytes) -> list[Any]:
        """What each says: (name, frames, events), or that it refuses, or what else it raised."""
        from vtframe.errors import DecodeError  # noqa: PLC0415

        answers: list[Any] = []
        for decode, records in zip(self._decoders, self._records, strict=True):
            records.clear()
            try:
                name = decode(data, records)
            except DecodeError:
                answers.append(("refused", records.n_frames, records.n_events))
                continue
            except Exception as e:  # noqa: BLE001 - whatever it is, it is a fault, and is told with its message
                answers.append((repr(e), decode))
                continue
            frames, events = records.frames[: records.n_frames], records.events[: records.n_events]
            answers.append((name, frames.tobytes(), events.tobytes()) if records.n_frames else (name,))
        return answers


def codec_and_twin(name: str) -> tuple[Any, Any]:
    """The codec's class, and that of its plain twin; None where the twin is inside the codec."""
    from vtframe.builtin import PLUGINS  # noqa: PLC0415
    from vtframe.plugins import installed_plugins, load_plugins  # noqa: PLC0415

    found = load_plugins(PLUGINS, named=[name] if name in installed_plugins() else [], local=[], folder=Path())
    classes = found.registries.codecs.classes()
    if name not in classes:
        raise SystemExit(f"no codec {name!r}; there are {', '.join(sorted(classes))}")
    return classes[name], next((cls for cls in classes.values() if cls.reference_of == name), None)


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


def messages(examples: Any, recordings: list[Path]) -> list[bytes]:
    """The examples, and some recorded messages of every kind; what is wrapped in a stream stands there bare as well."""
    from vtframe.wire import read_sample  # noqa: PLC0415

    found = list(examples)
    for path in recordings:
        counts: Counter[bytes] = Counter()
        for data in read_sample(path, 50_000).messages:
            kind = data[: data.find(b":", 12) if data.startswith(b'{"stream"') else 16]
            counts[kind] += 1
            if counts[kind] <= _EACH and len(data) < _LONGEST:
                found.append(data)
    bare = [data[data.index(b'"data":') + 7 : -1] for data in found if data.startswith(b'{"stream"')]
    aggregate = [data.replace(b'"trade"', b'"aggTrade"') for data in found + bare if b'"e":"trade"' in data]
    return found + bare + aggregate[::2]


if __name__ == "__main__":
    sys.exit(main())
