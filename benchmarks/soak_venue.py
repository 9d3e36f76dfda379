"""The venue of a soak: a process of its own under load, its faults, its books and what it sent to whom."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any, Self

import aiohttp

MADE_S = 6  # of frames at the rate, made beforehand
SILENT_S = 600.0
STRIKE_S = 2.0


class SoakVenue:
    """Started when it is made; ``async with`` gives the client for its control endpoints."""

    def __init__(self, symbols: list[str], *, frames_per_s: int, seed: int, quiet: bool) -> None:
        settings = {
            "port": 0,
            "seed": seed,
            "instruments": [f"usdm:{symbol}" for symbol in symbols],
            "load": frames_per_s,
            "load_frames": max(60_000, MADE_S * frames_per_s),
            "parent": os.getpid(),  # it leaves with us
        }
        command = [sys.executable, "-m", "vtframe.venue", json.dumps(settings)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else None, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError("the venue did not start")
        self.url: str = json.loads(line)["url"]
        self.pid = self._process.pid

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def cut(self, path: str) -> int:
        """Cut the oldest connection of a path; how many were."""
        number = await self._add({"kind": "disconnect", "path": path, "count": 1})
        until = asyncio.get_running_loop().time() + STRIKE_S
        hits = 0
        while not hits and asyncio.get_running_loop().time() < until:
            hits = next(one["hits"] for one in await self._get("faults") if one["id"] == number)
        async with self._http.delete(f"{self.url}/venue/faults", params={"id": str(number)}) as answer:
            await answer.read()
        return int(hits)

    async def silence(self) -> None:
        """From here on no stream says anything."""
        await self._add({"kind": "silence", "seconds": SILENT_S})

    async def levels(self, symbol: str, update_id: int) -> dict[str, dict[Decimal, Decimal]] | None:
        """The venue's book at an update id; None where it has none there."""
        asked = {"market": "usdm", "symbol": symbol, "update_id": str(update_id)}
        async with self._http.get(f"{self.url}/venue/truth", params=asked) as answer:
            if answer.status != 200:
                return None
            truth = await answer.json()
        if truth["update_id"] != update_id:
            return None
        return {side: {Decimal(p): Decimal(q) for p, q in truth[side]} for side in ("bids", "asks")}

    async def tallies(self) -> list[dict[str, Any]]:
        """What went out to each client, those that are gone included."""
        counters = await self._get("counters")
        if counters["slow_dropped"]:
            raise RuntimeError(f"the venue dropped {counters['slow_dropped']} connections that did not read")
        return [*counters["ended"], *counters["connections"]]

    async def _add(self, fault: dict[str, Any]) -> int:
        async with self._http.post(f"{self.url}/venue/faults", json=fault) as answer:
            if answer.status != 200:
                raise ValueError(await answer.text())
            return int((await answer.json())[0]["id"])

    async def _get(self, what: str) -> Any:
        async with self._http.get(f"{self.url}/venue/{what}") as answer:
            return await answer.json()
