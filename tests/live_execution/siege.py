"""A session under siege, as a process of its own: its venue sends it anything at all for a while, and then the truth again.

    python siege.py '{"config": ..., "session": ..., "url": ..., "market": "usdm", "faults": [...], "seconds": 6}'

Prints one JSON object: the report, the resident size before, during and after, and whether the book is the venue's.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin import PLUGINS
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.domain import BookState, Side

PATIENCE_S = 60.0
SETTLE_S = 3.0
OFTEN = 3
SYMBOL = "BTCUSDT"
_PARTS = (*PLUGINS, "vtframe.cli.bench.load_parts")  # for its strategy, which sends many orders


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


class Siege:
    """Beside the session's feed, in its event loop."""

    def __init__(self, wish: dict[str, Any], session: Any) -> None:
        self.wish = wish
        self.session = session
        self.sizes: list[float] = []
        self.told: dict[str, Any] = {}

    async def run(self) -> None:
        try:
            await self.until(lambda: self.live and self.session.look().orders > 0, "the first order")
            await asyncio.sleep(SETTLE_S)
            self.told["before_mib"] = resident_mib()
            await self.ask("POST", "/venue/faults", body=self.wish["faults"])
            began = time.monotonic()
            while not await self.over(time.monotonic() - began):
                for _ in range(10):
                    await asyncio.sleep(0.05)
                    self.sizes.append(resident_mib())
            await self.ask("DELETE", "/venue/faults")
            await self.recover()
            await asyncio.sleep(SETTLE_S)
            self.told["orders_after"] = self.session.look().orders
            await self.until(lambda: self.session.look().orders > self.told["orders_after"], "an order after the siege")
            self.told |= {"most_mib": max(self.sizes), "after_mib": resident_mib()}
        finally:
            self.session.engine.stop("the siege is over")

    async def over(self, seconds: float) -> bool:
        """Whether it has been long enough, and every kind of fault has struck a few times."""
        self.told["struck"] = struck = (await self.ask("GET", "/venue/counters"))["faults"]
        often = all(struck.get(one["kind"], 0) >= OFTEN for one in self.wish["faults"] if one["kind"] != "oversize")
        return seconds >= PATIENCE_S / 2 or (seconds >= self.wish["seconds"] and often)

    async def recover(self) -> None:
        """A lie that could be read stands in the book until its next snapshot: have it fetch one, and compare."""
        await self.until(lambda: self.live, "the book live again")
        gap = {"kind": "gap", "stream": "*@depth*", "market": self.wish["market"], "count": 1}
        gaps = self.session.pipeline.counts().gaps
        await self.ask("POST", "/venue/faults", body=gap)
        await self.until(lambda: self.session.pipeline.counts().gaps > gaps and self.live, "a new snapshot")
        for _ in range(100):
            await asyncio.sleep(0.05)
            at, mine = self.book()
            truth = await self.ask("GET", f"/venue/truth?market={self.wish['market']}&symbol={SYMBOL}&update_id={at}")
            if truth is not None:
                theirs = [{Decimal(p): Decimal(q) for p, q in truth[side]} for side in ("bids", "asks")]
                self.told["right"] = mine == theirs
                return

    @property
    def live(self) -> bool:
        return self.session.pipeline.books.state(0) is BookState.LIVE

    def book(self) -> tuple[int, list[dict[Decimal, Decimal]]]:
        books = self.session.pipeline.books
        one = self.session.lanes[0].view.instrument(0)
        sides = []
        for side in (Side.BUY, Side.SELL):
            prices, quantities = books.levels(0, side, 1 << 20)
            sides.append({one.price(int(p)): one.quantity(int(q)) for p, q in zip(prices, quantities, strict=True)})
        return books.update_id(0), sides

    async def until(self, condition: Any, what: str) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > give_up:
                raise TimeoutError(f"{what} did not come: {self.session.feed.report()}, {self.session.lanes[0].closed_for!r}")
            await asyncio.sleep(0.01)

    async def ask(self, method: str, path: str, *, body: Any = None) -> Any:
        return await asyncio.to_thread(self._ask, method, path, body)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.wish["url"] + path, method=method, data=data)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as e:
            if e.code in {404, 410}:
                return None  # no truth just there
            raise


def main() -> None:
    wish = json.loads(sys.argv[1])
    session = assemble(
        Path(wish["config"]), Wishes(folder=Path(wish["session"]), venue_url=wish["url"], builtin=_PARTS)
    ).session
    siege = Siege(wish, session)
    run = BinanceFeed.run

    async def besieged(self: BinanceFeed, sink: Any) -> None:
        beside = asyncio.create_task(siege.run())
        await run(self, sink)
        await beside

    BinanceFeed.run = besieged  # type: ignore[method-assign]
    report = session.run().report
    sys.stdout.write(json.dumps(siege.told | {"report": report}))


if __name__ == "__main__":
    main()
