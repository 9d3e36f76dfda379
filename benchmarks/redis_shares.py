"""What sharing through Redis costs: rows a second, CPU a row, in the row log's thread, the publisher's and a reader's.

Starts a redis-server of its own on a free loopback port (`--url` names another). Each figure stands beside a plain XADD a row
with a field of text a column, through the same client, in the same run. `--json` prints it for machines.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import redis
from vtframe_redis import RedisSink, SharedRows, read

from vtframe.api import RowBlock, SessionInfo
from vtframe.domain import ROW, Records
from vtframe.engine.market_log import MarketLog, MarketTap

COLUMNS = 40
BLOCK = 256  # rows that the row log hands over at once
WAYS: dict[str, dict[str, Any]] = {
    "64 rows an entry": {},
    "1 row an entry": {"rows_per_entry": 1},
    "readable": {"readable": True},
}


class Nobody:
    """Where a tap hands on to."""

    stopping = False

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        """Costs a call."""

    def on_records(self, records: Records) -> None:
        """Likewise."""

    def on_damage(self, where: str, problem: str) -> None:
        """Likewise."""

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """Likewise."""


def session(name: str) -> SessionInfo:
    return SessionInfo(
        session_id=name,
        folder=Path(),
        instruments=("BTCUSDT@binance",),
        columns=tuple(f"feature_{i}" for i in range(COLUMNS)),
        dtype="float32",
        schema_hash="bench",
        fingerprint="bench",
    )


def blocks(count: int) -> list[RowBlock]:
    values = np.random.default_rng(1).normal(size=(BLOCK, COLUMNS)).astype(np.float32)
    made = []
    for first in range(0, count, BLOCK):
        meta = np.zeros(BLOCK, ROW)
        meta["number"] = meta["input"] = np.arange(first, first + BLOCK)
        made.append(RowBlock(meta=meta, values=values))
    return made


def publish(url: str, made: list[RowBlock], name: str, settings: dict[str, Any]) -> dict[str, float]:
    """Publish as fast as it goes; the CPU of the publisher's thread is this process's without the caller's."""
    rows = len(made) * BLOCK
    sink = RedisSink(url=url, buffer_mb=1024, close_s=8, keep_rows=10**9, **settings)
    sink.start(session(name))
    own, everything, began = time.thread_time(), time.process_time(), time.perf_counter()
    for block in made:
        sink.rows(block)
    handed = time.thread_time() - own
    while (counts := sink.report()["streams"]["rows"])["published"] + counts["dropped"] < rows:
        time.sleep(0.002)
    wall = time.perf_counter() - began
    cpu = time.process_time() - everything - (time.thread_time() - own)
    sink.close()
    if sink.report()["streams"]["rows"]["published"] != rows:
        raise SystemExit("Redis did not take everything; the figures would mean nothing")
    return {"rows/s": rows / wall, "publisher us/row": cpu / rows * 1e6, "row log us/row": handed / rows * 1e6}


def read_back(url: str, name: str) -> dict[str, float]:
    own, began = time.process_time(), time.perf_counter()
    rows = sum(len(item.meta) for item in read(url, session=name) if isinstance(item, SharedRows))
    return {"read rows/s": rows / (time.perf_counter() - began), "reader us/row": (time.process_time() - own) / rows * 1e6}


def plain(client: redis.Redis, made: list[RowBlock]) -> dict[str, float]:
    """A pipeline of XADDs a block, a row each, a field of text a column."""
    names = session("x").columns
    rows = len(made) * BLOCK
    cpu, began = time.process_time(), time.perf_counter()
    for block in made:
        pipe = client.pipeline(transaction=False)
        for meta, values in zip(block.meta, block.values, strict=True):
            fields: dict[Any, Any] = {"input": int(meta["input"]), **dict(zip(names, map(str, values), strict=True))}
            pipe.xadd("plain", fields)
        pipe.execute()
    return {"rows/s": rows / (time.perf_counter() - began), "publisher us/row": (time.process_time() - cpu) / rows * 1e6}


def tap_ns(count: int = 100_000) -> float:
    """What noting a message adds to the hot path, less the bare call."""
    data = b"x" * 300
    nobody, times = Nobody(), []
    for _ in range(5):
        log = MarketLog()
        tap = MarketTap(nobody, log)
        spent = []
        for target in (nobody, tap):
            began = time.perf_counter_ns()
            for _ in range(count):
                target.on_message(data, 1, connection=0)
            spent.append((time.perf_counter_ns() - began) / count)
        times.append(spent[1] - spent[0])
    return statistics.median(times)


def measure(url: str, rows: int, rounds: int) -> list[dict[str, Any]]:
    client = redis.Redis.from_url(url)
    found: dict[str, list[dict[str, float]]] = {}
    for number in range(rounds):  # side by side: every way in every round
        for place, (way, settings) in enumerate(WAYS.items()):
            made = blocks(rows if not settings else rows // 8)
            name = f"bench-{number}-{place}"
            figures = publish(url, made, name, settings)
            found.setdefault(way, []).append(figures | read_back(url, name))
            client.delete(*(f"vtframe:{name}:{key}" for key in ("rows", "share")))
        found.setdefault("plain XADD, text", []).append(plain(client, blocks(rows // 16)))
        client.delete("plain")
    table = [{"way": way, **{key: statistics.median(f[key] for f in all_) for key in all_[0]}} for way, all_ in found.items()]
    return [*table, {"way": "tap of market inputs", "ns/message": tap_ns()}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an empty Redis to use; by default one is started")
    parser.add_argument("--rows", type=int, default=131_072)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    server = None
    with tempfile.TemporaryDirectory() as folder:
        url = options.url
        if url is None:
            program = shutil.which("redis-server")
            if program is None:
                parser.error("no redis-server is installed, and no --url is given")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            url = f"redis://127.0.0.1:{port}/0"
            command = [
                program,
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--dir",
                folder,
                "--save",
                "",
                "--loglevel",
                "warning",
            ]
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.01)
        try:
            table = measure(url, options.rows, options.rounds)
        finally:
            if server is not None:
                server.terminate()
                server.wait()
    if options.as_json:
        print(json.dumps(table))
        return
    for line in table:
        print(f"{line.pop('way'):22}" + "  ".join(f"{key} {value:,.2f}" for key, value in line.items()))


if __name__ == "__main__":
    main()
