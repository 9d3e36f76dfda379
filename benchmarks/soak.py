"""Soak: many instruments at a rate of frames for long, cut off again and again. Memory flat, no frame lost, no wrong book.

A session as it is run (feed, books, twelve features, a model, a lane on paper, recording, journal, row log) on the embedded
venue, which is a process of its own under load. It has passed when

- what either process holds in memory of its own has grown by no more than 10 MB since the warm-up;
- every frame that the venue put into a socket came out of it, connection by connection, went on once, and is in the recording;
- what was not sent while there was no connection is a gap of every book (with ``--redundant`` there is none);
- every book that was looked at was the venue's at the same update id.

    python benchmarks/soak.py --minutes 60
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from soak_memory import Memory
from soak_session import SoakSession, venue_symbols
from soak_venue import SoakVenue

from vtframe.sampling import Sampling

LIMIT_S = 60.0  # to be live, at the start and after a cut
LOOK_S = 10.0  # between two samples of memory, and lines of progress
BOOKS_AT_ONCE = 3
CLOCK_MS = 10
ROUTES = ("/usdm/public/*", "/usdm/market/*")  # a connection of each is cut: books and trades


class Soak:
    """The watch over one session and its venue, in the session's own event loop."""

    def __init__(self, venue: SoakVenue, client: SoakSession, asked: argparse.Namespace) -> None:
        self.venue = venue
        self.client = client
        self.asked = asked
        self.problems: list[str] = []
        self.recovery_s: list[float] = []
        self.cuts = 0
        self.books = Counter[str]()
        self.memory = {"client": Memory(os.getpid()), "venue": Memory(venue.pid)}
        self.frames: dict[str, int] = {}
        self.seconds = 0.0
        self._next_book = 0

    async def run(self) -> None:
        asked, client = self.asked, self.client
        async with self.venue, client:
            client.begin()
            if not await self._until(lambda: client.live and client.up, "live at the start"):
                return
            client.begin()
            self._began = time.perf_counter()
            self._end = self._began + asked.minutes * 60
            beside: list[Coroutine[Any, Any, None]] = [self._cut(), self._look_at_books(), self._look()]
            tasks = [asyncio.create_task(one) for one in beside]
            try:
                whole = asyncio.ensure_future(_all(tasks))
                await asyncio.wait([whole, client.running], return_when=asyncio.FIRST_COMPLETED)
                if not whole.done():
                    client.running.result()  # it failed: say why
                    raise RuntimeError("the session ended by itself")
                whole.result()
                await self._settle()
            finally:
                for task in tasks:
                    task.cancel()
                self.seconds = time.perf_counter() - self._began

    async def _cut(self) -> None:
        """Every so often one connection of each route."""
        every = self.asked.disconnect_every_s
        due = self._began + every
        while due < self._end - min(5.0, every / 4):
            await asyncio.sleep(due - time.perf_counter())
            due += every
            before = self.client.gaps()
            reconnects = self.client.reconnects
            began = time.perf_counter()
            struck = sum([await self.venue.cut(route) for route in ROUTES])
            self.cuts += struck
            if struck != len(ROUTES):
                self.problems.append(f"{struck} connections were cut, expected {len(ROUTES)}")
            whole = await self._until(
                lambda wanted=reconnects + struck: self.client.reconnects >= wanted and self.client.up and self.client.live,  # type: ignore[misc]
                f"live again after cut {self.cuts}",
            )
            if whole:
                self.recovery_s.append(time.perf_counter() - began)
            told = self.client.gaps() - before
            untold = [one for one, count in zip(self.client.symbols, told, strict=True) if (count > 0) is self.asked.redundant]
            if untold:
                what = "gaps, with two connections" if self.asked.redundant else "no gap"
                self.problems.append(f"cut {self.cuts}: {what}: {', '.join(untold)}")
            await asyncio.sleep(min(2.0, every / 10))
            for index in range(len(self.client.symbols)):
                await self._compare(index)

    async def _look_at_books(self) -> None:
        while time.perf_counter() < self._end:
            await asyncio.sleep(min(LOOK_S, self.asked.minutes * 6))
            for _ in range(BOOKS_AT_ONCE):
                await self._compare(self._next_book)
                self._next_book = (self._next_book + 1) % len(self.client.symbols)

    async def _compare(self, index: int) -> None:
        """One book with the venue's, where it is live."""
        await asyncio.sleep(0.02)  # frames come first
        if not self.client.is_live(index):
            self.books["not live"] += 1
            return
        at, mine = self.client.levels(index)
        theirs = await self.venue.levels(self.client.symbols[index], at)
        if theirs is None:
            self.problems.append(f"{self.client.symbols[index]}: the venue has no book at {at}")
            return
        self.books["compared"] += 1
        for side in ("bids", "asks"):
            if mine[side] != theirs[side] and not self.client.is_cut(mine[side], theirs[side], side):
                self.books["wrong"] += 1
                wrong = sorted(set(mine[side].items()) ^ set(theirs[side].items()))[:4]
                self.problems.append(f"{self.client.symbols[index]} {side} at {at}: {wrong}")

    async def _look(self) -> None:
        """Memory, and a line of progress: a run that is killed has said something."""
        every = min(LOOK_S, self.asked.minutes * 3)
        frames, at = self.client.frames, time.perf_counter()
        while time.perf_counter() < self._end:
            await asyncio.sleep(every)
            now = time.perf_counter()
            for memory in self.memory.values():
                memory.look(now - self._began)
            rate = (self.client.frames - frames) / (now - at)
            frames, at = self.client.frames, now
            held = ", ".join(f"{name} {memory.newest:.1f} MB" for name, memory in self.memory.items())
            self._say(
                f"{now - self._began:6.0f} s  {rate:,.0f} frames/s  {held}  cuts {self.cuts}  books {dict(self.books)}"
                f"  problems {len(self.problems)}"
            )

    async def _settle(self) -> None:
        """No stream says anything more: what was sent and what came must be equal, connection by connection."""
        await self.venue.silence()
        last, still = -1, 0
        until = time.perf_counter() + LIMIT_S / 4
        while still < 10 and time.perf_counter() < until:
            await asyncio.sleep(0.05)
            still = still + 1 if self.client.frames == last else 0
            last = self.client.frames
        outside, problems = self.client.account(await self.venue.tallies())
        inside, more = self.client.account_inside()
        self.frames = outside | inside | {"lost": outside["lost"] + inside["lost"]}
        self.problems += problems + more
        self.problems += self.client.problems(redundant=self.asked.redundant)

    async def _until(self, condition: Callable[[], bool], what: str) -> bool:
        until = time.perf_counter() + LIMIT_S
        while not condition():
            if self.client.running.done():
                self.client.running.result()
                raise RuntimeError("the session ended by itself")
            if time.perf_counter() > until:
                self.problems.append(f"not {what} within {LIMIT_S:g} s: {self.client.describe()}")
                return False
            await asyncio.sleep(0.01)
        return True

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def result(self) -> dict[str, Any]:
        """Numbers, demands and whether each was met."""
        grown = {name: memory.report(self.asked.minutes * 60) for name, memory in self.memory.items()}
        lost = self.frames.get("lost", -1)
        most = self.asked.growth_mb
        verdict = {
            f"memory of the {name} flat within {most:g} MB": one["grown_mb"] is not None and one["grown_mb"] <= most
            for name, one in grown.items()
        }
        verdict["no frame lost"] = lost == 0
        verdict["no wrong book"] = self.books["compared"] > 0 and not self.books["wrong"]
        told = self.client.report()
        verdict["recording and row log whole"] = not told["recorder"].get("lost") and not told["row_log"]["lost"]
        verdict["no other problem"] = not self.problems
        recovery = np.array(self.recovery_s or [np.nan])
        return {
            "seconds": round(self.seconds, 1),
            "frames_per_s": round(self.client.frames / self.seconds) if self.seconds else 0,
            "instruments": len(self.client.symbols),
            "cuts": self.cuts,
            "frames": self.frames,
            "books": dict(self.books),
            "live_again_s": {"p50": _plain(np.median(recovery)), "max": _plain(recovery.max())},
            "memory": grown,
            **told,
            "problems": self.problems[:50],
            "verdict": verdict,
            "passed": all(verdict.values()),
        }


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)


def _plain(number: float) -> float | None:
    return None if np.isnan(number) else round(float(number), 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--frames-per-s", type=int, default=20_000, help="of all streams")
    parser.add_argument("--instruments", type=int, default=20)
    parser.add_argument("--disconnect-every-s", type=float, default=60.0)
    parser.add_argument("--transport", choices=("websockets", "picows"), default="websockets")
    parser.add_argument("--redundant", action="store_true", help="every connection twice")
    parser.add_argument("--sampling", choices=("frame", "bbo", "trade", "clock"), default="clock", help="when a row is made")
    parser.add_argument("--growth-mb", type=float, default=10.0, help="that memory may grow after the warm-up")
    parser.add_argument("--no-record", action="store_true", help="no recording")
    parser.add_argument(
        "--folder", type=Path, help="where the session writes; by default a temporary folder, removed at the end"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="nothing but the result")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vtframe-soak-")) if asked.folder is None else asked.folder
    symbols = venue_symbols(asked.instruments)
    venue = SoakVenue(symbols, frames_per_s=asked.frames_per_s, seed=asked.seed, quiet=asked.json)
    try:
        client = SoakSession(
            folder,
            symbols,
            venue.url,
            transport=asked.transport,
            redundant=asked.redundant,
            sampling=Sampling(every=asked.sampling, interval_ms=CLOCK_MS if asked.sampling == "clock" else None),
            record=not asked.no_record,
            seed=asked.seed,
        )
        soak = Soak(venue, client, asked)
        if asked.json:
            soak._say = lambda text: None  # type: ignore[method-assign]  # noqa: SLF001, ARG005
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(soak.run())
        soak.problems += client.stop()
        found = soak.result()
    finally:
        venue.stop()
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(found, indent=2))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
