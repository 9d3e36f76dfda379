"""The session of a soak, its books, and what came on each of its connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vtframe.assemble.session import Wishes, assemble
from vtframe.domain import BookState, Side
from vtframe.sampling import Sampling

ROOT = Path(__file__).resolve().parent.parent
MODEL = "embedded_direction"
KNOWN = ("BTCUSDT", "ETHUSDT")  # the others have units of the venue's own
SNAPSHOT_LEVELS = 1000
ENTER = 0.6  # orders are rare: those that have ended are kept for ten minutes, longer than the warm-up
CUT = "connection N is over"  # a loss that is told so is a cut
NO_SNAPSHOT = "no snapshot"  # a request that failed is made again, until the book is live
Levels = dict[Decimal, Decimal]

FEED = """
[feed]
use = "binance"
market = "usdm"
instruments = {symbols}
url = "{url}"
transport = "{transport}"
redundant = {redundant}
snapshot_levels = {levels}
seed = {seed}

[recorder]
record = "{record}"

[sampling]
{sampling}

[[features]]
use = "volume_adjusted_mid"

[[features]]
use = "depth_weighted_imbalance"

[[features]]
use = "spread"

[[features]]
use = "ewm_volatility"

[[features]]
use = "log_return"
rows = 10

"""


def venue_symbols(count: int) -> list[str]:
    return [*KNOWN, *(f"C{number}USDT" for number in range(count - len(KNOWN)))][:count]


class SoakSession:
    """Made, started with ``async with``, and stopped with ``stop``: its files are whole then."""

    def __init__(
        self,
        folder: Path,
        symbols: list[str],
        url: str,
        *,
        transport: str,
        redundant: bool,
        sampling: Sampling,
        record: bool,
        seed: int,
    ) -> None:
        self.symbols = symbols
        self._records = record
        head, _, rest = (ROOT / "vtframe.toml").read_text().partition("[feed]")
        rest = "[[features]]" + rest.partition("[[features]]")[2].replace("models/", f"{folder}/")
        rest = rest.replace(
            'execution = { use = "binance", market = "usdm", url = "embedded" }', 'execution = { use = "paper" }'
        )
        rest = rest.replace("enter = 0.5,", f"enter = {ENTER},")
        feed = FEED.format(
            symbols=json.dumps(symbols),
            url=url,
            transport=transport,
            redundant=str(redundant).lower(),
            levels=SNAPSHOT_LEVELS,
            record="live" if record else "never",
            sampling=f'every = "{sampling.every}"'
            + (f"\ninterval_ms = {sampling.interval_ms}" if sampling.interval_ms else ""),
            seed=seed,
        )
        _copy_model(folder, sampling)
        config = folder / "soak.toml"
        config.write_text(head + feed + rest.replace('where = "inline"', 'where = "fused"'))
        self.folder = folder / "session"
        self.session = assemble(config, Wishes(folder=self.folder)).session
        self.engine, self.pipeline, self.feed = self.session.engine, self.session.pipeline, self.session.feed
        self._live = self.feed._live  # type: ignore[attr-defined]  # noqa: SLF001 - nobody else asks a feed for its connections
        self._lines: list[Any] = []
        self._ports: dict[int, int] = {}  # by line
        self._make_line = self._live._line  # noqa: SLF001
        self._live._line = self._note_line  # noqa: SLF001

    async def __aenter__(self) -> Self:
        self.session._start()  # noqa: SLF001 - in a loop that others share, which run() does not offer
        self.running = asyncio.create_task(self.feed.run(self.session._inputs))  # noqa: SLF001
        self._watch = asyncio.create_task(self._watch_lines())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()
        self.engine.stop("the soak is over")
        with contextlib.suppress(asyncio.CancelledError):
            await self.running

    def _note_line(self, streams: Any) -> Any:
        line = self._make_line(streams)
        self._lines.append(line)
        return line

    def stop(self) -> list[str]:
        """Close its files; what went wrong."""
        return [repr(e) for e in self.session._stop()]  # noqa: SLF001

    async def _watch_lines(self) -> None:
        """A connection is known to the venue by its port, which a socket tells while it is open."""
        while True:
            for line in self._lines:
                if line.number not in self._ports and line._connection is not None and not line.over:  # noqa: SLF001
                    sock = line._connection._socket()  # noqa: SLF001
                    if sock is not None:
                        self._ports[line.number] = sock.getsockname()[1]
            await asyncio.sleep(0.02)

    def begin(self) -> None:
        """What is measured begins here."""
        self._gaps = self.gaps()

    @property
    def up(self) -> bool:
        keepers = self._live._keepers  # noqa: SLF001
        return all(keeper.line is not None and keeper.line.up and not keeper.line.over for keeper in keepers)

    @property
    def live(self) -> bool:
        return all(self.is_live(index) for index in range(len(self.symbols)))

    def is_live(self, index: int) -> bool:
        return self.pipeline.books.state(index) is BookState.LIVE

    def gaps(self) -> NDArray[np.int64]:
        """By instrument."""
        return np.array([self.pipeline.books.counts(index).gaps for index in range(len(self.symbols))])

    @property
    def reconnects(self) -> int:
        return int(self.feed.report()["reconnects"])

    @property
    def frames(self) -> int:
        """Messages of streams that came, copies included."""
        return sum(_came(line) for line in self._lines)

    def describe(self) -> str:
        """Where it stands, for those who look for the fault."""
        states = Counter(self.pipeline.books.state(index).name for index in range(len(self.symbols)))
        feed = self.feed.report()
        told = {name: feed[name] for name in ("reconnects", "renewals", "losses", "failures", "snapshots", "most_unread_bytes")}
        dropped = self.pipeline.counts().dropped_pending
        return json.dumps({"books": states, "dropped_pending": dropped, "busy": self.session.headroom.report()["busy"], **told})

    def levels(self, index: int) -> tuple[int, dict[str, Levels]]:
        """Update id and levels, at one moment."""
        instrument = self._live._instruments[index]  # noqa: SLF001
        found = {}
        for name, side in (("bids", Side.BUY), ("asks", Side.SELL)):
            prices, quantities = self.pipeline.books.levels(index, side, 1 << 20)
            found[name] = {
                instrument.price(int(p)): instrument.quantity(int(q)) for p, q in zip(prices, quantities, strict=True)
            }
        return self.pipeline.books.update_id(index), found

    def is_cut(self, mine: Levels, theirs: Levels, side: str) -> bool:
        """Whether they differ only in levels beyond those of a snapshot, which nobody told us of."""
        best = sorted(theirs, reverse=side == "bids")[: SNAPSHOT_LEVELS // 2]
        return all(mine.get(price) == theirs[price] for price in best) and all(theirs.get(p) == q for p, q in mine.items())

    def account(self, tallies: list[dict[str, Any]]) -> tuple[dict[str, int], list[str]]:
        """What the venue put into sockets beside what came out of them, connection by connection."""
        problems: list[str] = []
        found = Counter[str](opened=len(self._lines), lost=0, cut_off=0, given_up=0)
        sent = {tally["port"]: tally for tally in tallies if tally["sent"] or tally["port"] in self._ports.values()}
        for line in self._lines:
            came = _came(line)
            tally = sent.pop(self._ports.get(line.number, -1), None)
            if tally is None:
                if came:
                    problems.append(f"connection {line.number}: {came} frames of nobody that the venue knows")
                continue
            found["sent"] += tally["sent"]
            found["came"] += came
            missing = tally["sent"] - came
            if not missing:
                continue
            if line._closing is not None:  # noqa: SLF001 - what came afterwards was not wanted
                found["given_up"] += missing
            elif tally["unsent"] and missing > 0:
                found["cut_off"] += missing  # they waited in the venue when it cut the connection
            else:
                found["lost"] += abs(missing)
                problems.append(f"connection {line.number}: {tally['sent']} frames were sent, {came} came")
        for tally in sent.values():
            found["lost"] += tally["sent"]
            problems.append(f"connection {tally['number']} of the venue: {tally['sent']} frames to nobody that we know")
        return dict(found), problems

    def account_inside(self) -> tuple[dict[str, int], list[str]]:
        """What came out of sockets beside what books and features were told: each message once."""
        report, streams = self.feed.report(), self._live._streams  # noqa: SLF001
        handed = sum(stream.frames for stream in streams)
        more = sum(report["losses"].values()) + report["snapshots"]["synced"]  # notes and snapshots are frames as well
        found = {
            "held_and_dropped": self.frames - handed,  # by a connection that was cut before it was needed
            "copies": report["duplicates"],
            "taken": self.pipeline.counts().frames - more,
        }
        wanted = handed - report["duplicates"]
        problems = [f"{wanted} frames went on, {found['taken']} were taken"] * (found["taken"] < wanted)
        return {**found, "lost": max(0, wanted - found["taken"])}, problems

    def problems(self, *, redundant: bool) -> list[str]:
        """What the session says of itself that it must not."""
        report, counts = self.feed.report(), self.pipeline.counts()
        problems = [f"{what}: {count}" for what, count in report["losses"].items() if redundant or CUT not in what]
        problems += [f"damage: {what}: {count}" for what, count in self.engine.damage.items() if what != NO_SNAPSHOT]
        problems += [f"missing by their ids: {report['missing']}"] * bool(report["missing"])
        problems += [f"dropped before a snapshot: {counts.dropped_pending}"] * bool(counts.dropped_pending)
        if self.frames != sum(stream.frames for stream in self._live._streams) and not redundant:  # noqa: SLF001
            problems.append("frames were held back, with one connection")
        return problems

    def report(self) -> dict[str, Any]:
        """For the result; after ``stop``, while its files are there."""
        session, feed = self.session, self.feed.report()
        latencies, recorder = session.meters.report(), session._recorder  # noqa: SLF001
        told = {} if recorder is None else recorder.report()
        return {
            "gaps": int((self.gaps() - self._gaps).sum()),
            "counts": session.counters().report()["counts"],
            "prediction_age_ms": _ms(latencies["prediction_age_ns"]),
            "stages_us": {name: _us(found) for name, found in latencies["latency_ns"].items() if found["count"]},
            "headroom": session.headroom.report(),
            "feed": {name: feed[name] for name in ("reconnects", "renewals", "losses", "failures", "missing", "duplicates")},
            "snapshots": feed["snapshots"],
            "most_unread_bytes": feed["most_unread_bytes"],
            "recorder": told,
            "row_log": session.row_log.report()["row_log"],
            "written_bytes": sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()),
        }


def _copy_model(folder: Path, sampling: Sampling) -> None:
    """The demo model, as if it were trained on rows of this rule: what it says is of no matter here."""
    copy = folder / MODEL
    shutil.copytree(ROOT / "models" / MODEL, copy)
    bundle = copy / "bundle.toml"
    bundle.write_text(bundle.read_text().replace('sampling = "frame"', f'sampling = "{sampling}"'))


def _came(line: Any) -> int:
    return sum(tap.frames for tap in line.taps.values())


def _ms(found: dict[str, int]) -> dict[str, float]:
    return {name: round((found[name] or 0) / 1e6, 3) for name in ("p50", "p99", "max")}


def _us(found: dict[str, int]) -> dict[str, float]:
    return {name: round((found[name] or 0) / 1e3, 1) for name in ("p50", "p99")}
