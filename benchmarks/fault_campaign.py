"""Seeded fault schedules against the embedded venue: after each, every book must be the venue's at the same update id.

Three sessions (spot, USD-M, COIN-M; five books, each with a model that predicts every row) run at once in this process on one
venue process. A schedule is a few faults of one market, drawn from its seed. It has passed when, with the faults over,

- every book is live again and equals ``/venue/truth`` at its update id, level by level;
- every fault that struck and that a client can see is in the client's counters;
- no row with an OK prediction, of a sample, had best prices or quantities that the venue did not have at that update id.

    python benchmarks/fault_campaign.py --schedules 2000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import uvloop
from fault_client import Client
from fault_menu import DEPTH, MALICE, MARKETS, MENU, ON_TWO, REST, Menu

LIMIT_S = 70.0  # for books to be live again: a minute whose request weight is used up is waited for
STRIKE_S = 2.0  # for a fault to strike
SPEED = 3.0


class Campaign:
    """One venue, three clients."""

    def __init__(self, url: str, clients: list[Client], *, redundant: bool, seconds: float, malice: bool = False) -> None:
        self.menu: Menu = MENU | MALICE if malice else MENU
        self.url = url
        self.clients = clients
        self.redundant = redundant
        self.struck: Counter[str] = Counter()
        self.problems: list[str] = []
        self.checked = Counter[str]()
        self.recovery_ms: list[float] = []
        self.done = 0
        self.until_s = time.perf_counter() + seconds

    async def run(self, schedules: int, seed: int, say: Callable[[str], None]) -> None:
        async with aiohttp.ClientSession() as self.http:
            running = []
            for client in self.clients:
                client.session._start()  # noqa: SLF001 - three sessions in one loop, which run() does not offer
                running.append(asyncio.create_task(client.feed.run(client.engine)))
            try:
                await self.until(lambda: all(client.live for client in self.clients), "live at the start")
                await asyncio.gather(*(self.market(client, schedules, seed, say) for client in self.clients))
            finally:
                for client in self.clients:
                    client.engine.stop("the campaign is over")
                await asyncio.gather(*running)
                for client in self.clients:
                    self.problems += [f"{client.market}: {e!r}" for e in client.session._stop()]  # noqa: SLF001
                    self.problems += client.wrong

    async def market(self, client: Client, schedules: int, seed: int, say: Callable[[str], None]) -> None:
        """Every third schedule is this market's."""
        first = list(MARKETS).index(client.market)
        for number in range(first, schedules, len(MARKETS)):
            if time.perf_counter() > self.until_s:
                return
            dice = np.random.default_rng((seed, number))
            before = len(self.problems)
            try:
                await self.schedule(client, number, dice)
            except TimeoutError as e:
                self.problems.append(f"schedule {number} ({client.market}): {e}: {client.describe()}")
            client.session.housekeeping()
            self.done += 1
            say(f"schedule {number} ({client.market}): {'; '.join(self.problems[before:]) or 'passed'}")

    async def schedule(self, client: Client, number: int, dice: np.random.Generator) -> None:
        names = dice.choice(list(self.menu), size=int(dice.integers(1, 4)), replace=False)
        chosen = {str(name): self.menu[name] for name in names}
        if dice.random() < 0.4:
            name = str(dice.choice(list(REST)))
            chosen |= {name: REST[name], "a hole in the ids": MENU["a hole in the ids"]}
        await self.settle(client, "before the faults")
        before = client.counters()
        added = {}
        for name, (fault, _) in chosen.items():
            asked = fault | {"market": client.market, "seed": int(dice.integers(1 << 30))}
            added[name] = (await self.post(asked))[0]["id"]
        hits = await self.strike(added, client)
        if MALICE.keys() & chosen.keys():
            await self.tell_the_truth(client)
        began = time.perf_counter()
        await self.settle(client, f"live again after {', '.join(chosen)}")
        self.recovery_ms.append((time.perf_counter() - began) * 1e3)
        await self.compare(client, number)
        await self.see(client, number, chosen, hits, before)

    async def settle(self, client: Client, what: str) -> None:
        """Every book is live and as new as the venue's is now, on connections that are up; those given up are gone."""
        newest = [(await self.truth(client.market, symbol))["update_id"] for symbol in MARKETS[client.market]]
        books = client.pipeline.books
        await self.until(
            lambda: client.heard and client.up and all(books.update_id(at) >= one for at, one in enumerate(newest)), what
        )
        wanted = len(client.keepers)
        until = time.perf_counter() + LIMIT_S
        while sum(f"/{client.market}/" in one["path"] for one in (await self.get("counters"))["connections"]) > wanted:
            if time.perf_counter() > until:
                raise TimeoutError(f"{what}: the venue has connections that the client gave up")
            await asyncio.sleep(0.1)

    async def tell_the_truth(self, client: Client) -> None:
        """Have every book fetch a snapshot: what was told before may have been read, and not be so."""
        await self.settle(client, "live again after malice")
        added = {}
        for symbol in MARKETS[client.market]:
            gap = {"kind": "gap", "stream": f"{symbol.lower()}{DEPTH[1:]}", "market": client.market, "count": 1}
            added[f"truth of {symbol}"] = (await self.post(gap))[0]["id"]
        await self.strike(added, client)
        await self.settle(client, "live again after the truth")
        client.rows.clear()

    async def strike(self, added: dict[str, int], client: Client) -> dict[str, int]:
        """Wait until the faults are over, or had their time; end them. How often each struck."""
        until = time.perf_counter() + STRIKE_S
        hits: dict[str, int] = {}
        while time.perf_counter() < until:
            await asyncio.sleep(0.05)
            active = {one["id"]: one for one in await self.get("faults")}
            hits = {name: active[number]["hits"] for name, number in added.items()}
            if all(active[number]["hits"] >= (active[number]["count"] or 1) for number in added.values()):
                break
        for number in added.values():
            await self.delete(number)
        for name, count in hits.items():
            self.struck[name] += count
        return hits

    async def compare(self, client: Client, number: int) -> None:
        """Every book, and a sample of the rows that were predicted on."""
        for index, symbol in enumerate(MARKETS[client.market]):
            for _ in range(50):
                at, mine = client.levels(index)
                truth = await self.truth(client.market, symbol, at)
                if truth is not None:
                    break
                await asyncio.sleep(0.02)
            else:
                self.problems.append(f"schedule {number}: {client.market}:{symbol} has no truth at {at}")
                continue
            self.checked["books"] += 1
            for side in ("bids", "asks"):
                theirs = {Decimal(p): Decimal(q) for p, q in truth[side]}
                if mine[side] != theirs and not self._cut(mine[side], theirs, side):
                    wrong = sorted(set(mine[side].items()) ^ set(theirs.items()))[:4]
                    self.problems.append(f"schedule {number}: {client.market}:{symbol} {side} at {at}: {wrong}")
        rows, client.rows = list(client.rows)[-8:], deque(maxlen=400)
        for row in rows:
            truth = await self.truth(client.market, MARKETS[client.market][row.instrument], row.update_id)
            if truth is not None:
                self.checked["rows"] += 1
                instrument = client.session.feed._live._instruments[row.instrument]  # noqa: SLF001
                mine_top = [instrument.price(row.top[0]), instrument.quantity(row.top[1])]
                mine_top += [instrument.price(row.top[2]), instrument.quantity(row.top[3])]
                theirs_top = [Decimal(text) for side in ("bids", "asks") for text in truth[side][0]]
                if mine_top != theirs_top:
                    self.problems.append(f"schedule {number}: an OK prediction on {mine_top}, the venue had {theirs_top}")

    def _cut(self, mine: dict[Decimal, Decimal], theirs: dict[Decimal, Decimal], side: str) -> bool:
        """Whether they differ only in levels beyond those of a snapshot, which nobody told us of."""
        best = sorted(theirs, reverse=side == "bids")[:250]
        return all(mine.get(price) == theirs[price] for price in best) and all(theirs.get(p) == q for p, q in mine.items())

    async def see(
        self, client: Client, number: int, chosen: dict[str, Any], hits: dict[str, int], before: Counter[str]
    ) -> None:
        """Every fault that struck is in one of its counters at least, soon."""
        for name, (_, counters) in chosen.items():
            if not hits[name] or not counters or (self.redundant and name in ON_TWO):
                continue
            if len(chosen) > 1:  # it may have struck while another had the book down, which is told as well
                counters = (*counters, "losses", "gaps")  # noqa: PLW2901
            try:
                await self.until(lambda counters=counters: self._grown(client, before, counters), name, 15.0)  # type: ignore[misc]
                self.checked["faults"] += 1
            except TimeoutError:
                told = f"{name} struck {hits[name]} times, in no counter; with {', '.join(chosen)}"
                self.problems.append(f"schedule {number} ({client.market}): {told}")

    def _grown(self, client: Client, before: Counter[str], counters: tuple[str, ...]) -> bool:
        now = client.counters()
        return any(now[name] > before[name] for name in counters)

    async def until(self, condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        until = time.perf_counter() + limit_s
        while not condition():
            if time.perf_counter() > until:
                raise TimeoutError(f"not {what} within {limit_s:g} s")
            await asyncio.sleep(0.005)

    async def truth(self, market: str, symbol: str, update_id: int | None = None) -> Any:
        """The venue's book, now or at an update id; None where that is forgotten, or where it has nothing just there."""
        asked = {"market": market, "symbol": symbol} | ({} if update_id is None else {"update_id": str(update_id)})
        async with self.http.get(f"{self.url}/venue/truth", params=asked) as answer:
            return await answer.json() if answer.status == 200 else None

    async def get(self, what: str) -> Any:
        async with self.http.get(f"{self.url}/venue/{what}") as answer:
            return await answer.json()

    async def post(self, fault: dict[str, Any]) -> Any:
        async with self.http.post(f"{self.url}/venue/faults", json=fault) as answer:
            if answer.status != 200:
                raise ValueError(await answer.text())
            return await answer.json()

    async def delete(self, number: int) -> None:
        async with self.http.delete(f"{self.url}/venue/faults", params={"id": str(number)}) as answer:
            await answer.read()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--schedules", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=86_400.0, help="begin no schedule after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", choices=("websockets", "picows"), default="websockets")
    parser.add_argument("--redundant", action="store_true", help="every connection twice")
    parser.add_argument("--malice", action="store_true", help="edited messages, nested brackets and bad frames besides")
    parser.add_argument("--json", action="store_true", help="nothing but the result")
    asked = parser.parse_args()
    instruments = [f"{market}:{symbol}" for market, symbols in MARKETS.items() for symbol in symbols]
    settings = {"port": 0, "speed": SPEED, "instruments": instruments, "parent": os.getpid()}  # it leaves with us
    command = [sys.executable, "-m", "vtframe.venue", json.dumps(settings)]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        noise = subprocess.DEVNULL if asked.json else None
        venue = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True)
        try:
            url = json.loads(venue.stdout.readline() if venue.stdout is not None else "{}")["url"]
            clients = [
                Client(market, url, Path(folder), transport=asked.transport, redundant=asked.redundant, seed=asked.seed)
                for market in MARKETS
            ]
            campaign = Campaign(url, clients, redundant=asked.redundant, seconds=asked.seconds, malice=asked.malice)
            say: Callable[[str], None] = str if asked.json else lambda text: print(text, file=sys.stderr, flush=True)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(campaign.run(asked.schedules, asked.seed, say))
        finally:
            venue.terminate()
            try:
                venue.wait(10)
            except subprocess.TimeoutExpired:
                venue.kill()
                venue.wait(10)
            if venue.stdout is not None:
                venue.stdout.close()
    found = {
        "schedules": campaign.done,
        "seconds": round(time.perf_counter() - began, 1),
        "struck": dict(campaign.struck),
        "checked": dict(campaign.checked),
        "predictions": sum(client.predicted for client in clients),
        "live_again_ms": {
            "p50": round(float(np.median(campaign.recovery_ms)), 1),
            "max": round(max(campaign.recovery_ms), 1),
        },
        "gap_to_live_in_round_trips": {
            client.market: client.feed.report()["snapshots"]["gap_to_live_in_round_trips"] for client in clients
        },
        "counters": {client.market: dict(client.counters()) for client in clients},
        "problems": campaign.problems,
    }
    print(json.dumps(found, indent=2))
    return 1 if campaign.problems else 0


if __name__ == "__main__":
    sys.exit(main())
