"""One market's session of the campaign: its books, its counters, and the rows that it predicted on."""

from __future__ import annotations

import json
from collections import Counter, deque
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from fault_feed import FEED
from fault_menu import MARKETS

from vtframe.assemble.session import Wishes, assemble
from vtframe.domain import BookState, Side, Verdict

ROOT = Path(__file__).resolve().parent.parent


class Seen(NamedTuple):
    """One row that was predicted on."""

    instrument: int
    update_id: int
    top: tuple[int, int, int, int]


class Client:
    """One market's session, its counters, and the rows that it predicted on."""

    def __init__(self, market: str, url: str, folder: Path, *, transport: str, redundant: bool, seed: int) -> None:
        self.market = market
        text = (ROOT / "btcusdt.toml").read_text()
        head, _, rest = text.partition("[feed]")
        rest = "[sampling]" + rest.partition("[sampling]")[2].replace("models/", f"{ROOT}/models/")
        feed = FEED.format(
            market=market,
            symbols=json.dumps(MARKETS[market]),
            url=url,
            transport=transport,
            redundant=str(redundant).lower(),
            seed=seed,
        )
        config = folder / f"{market}.toml"
        config.write_text(head + feed + rest.replace("deadline_us = 5_000", "deadline_us = 1_000_000"))
        self.session = assemble(config, Wishes(folder=folder / market)).session
        self.engine, self.pipeline, self.feed = self.session.engine, self.session.pipeline, self.session.feed
        self.rows: deque[Seen] = deque(maxlen=400)
        self.predicted = 0
        self.wrong: list[str] = []
        for served in self.engine.models:
            for lane in served.lanes:
                self._listen(lane)

    def _listen(self, lane: Any) -> None:
        told = lane.on_prediction

        def on_prediction(prediction: Any, **more: Any) -> None:
            if prediction.verdict is Verdict.OK:
                self.predicted += 1
                index = prediction.instrument
                if self.pipeline.books.state(index) is not BookState.LIVE:
                    self.wrong.append(f"{self.market}: OK on a book that is {self.pipeline.books.state(index).name}")
                self.rows.append(Seen(index, prediction.update_id, tuple(self.pipeline.books.top(index))))
            told(prediction, **more)

        lane.on_prediction = on_prediction

    @property
    def keepers(self) -> list[Any]:
        """What its connections are kept by."""
        found: list[Any] = self.feed._live._keepers  # noqa: SLF001 - nobody else asks a feed for its connections
        return found

    @property
    def up(self) -> bool:
        return all(keeper.line is not None and keeper.line.up and not keeper.line.over for keeper in self.keepers)

    @property
    def live(self) -> bool:
        return all(self.pipeline.books.state(index) is BookState.LIVE for index in range(len(self.pipeline.books)))

    @property
    def heard(self) -> bool:
        """Every book is live, and every stream has said something on the connections of now. What is lost before that is part
        of the loss that was told when they were lost: nobody knows the number of a stream's first message."""
        streams = self.feed._live._streams  # noqa: SLF001
        return self.live and all(stream.verified for stream in streams)

    def counters(self) -> Counter[str]:
        """What a fault can be seen in."""
        report, counts = self.feed.report(), self.pipeline.counts()
        rest = report["rest"]
        return Counter(
            gaps=counts.gaps,
            losses=sum(report["losses"].values()),
            stale=sum(count for name, count in report["losses"].items() if name.startswith("stale")),
            damage=sum(self.engine.damage.values()),
            duplicates=report["duplicates"],
            missing=report["missing"],
            reconnects=report["reconnects"] + report["renewals"],
            too_old=report["snapshots"]["too_old"],
            rest=sum(rest["failures"].values()) + sum(rest["refused"].values()),
            refused=sum(rest["refused"].values()),
            slow=rest["slow"],
            late=report["lateness"]["late"],
        )

    def describe(self) -> str:
        """Where it stands, for those who look for the fault."""
        live, books = self.feed._live, self.pipeline.books  # noqa: SLF001
        said = [f"{i}: {books.state(i).name} {self.engine.books.oldest_waiting(i)}" for i in range(len(books))]
        said += [f"{one.name} carried {one.carried} verified {one.verified} last {one.last}" for one in live._streams]  # noqa: SLF001
        for keeper in live._keepers:  # noqa: SLF001
            for line in keeper.lines:
                held = {tap.stream.name: len(tap.held) for tap in line.taps.values() if tap.held is not None}
                said.append(f"line {line.number} over {line.over} up {line.up} held {held}")
        return "; ".join([*said, json.dumps(self.feed.report())])

    def levels(self, index: int) -> tuple[int, dict[str, dict[Decimal, Decimal]]]:
        """Update id and levels, at one moment."""
        instrument = self.session.feed._live._instruments[index]  # noqa: SLF001 - the same table as the session's
        found = {}
        for name, side in (("bids", Side.BUY), ("asks", Side.SELL)):
            prices, quantities = self.pipeline.books.levels(index, side, 1 << 20)
            found[name] = {
                instrument.price(int(p)): instrument.quantity(int(q)) for p, q in zip(prices, quantities, strict=True)
            }
        return self.pipeline.books.update_id(index), found
