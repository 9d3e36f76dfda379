"""What an order costs on its way out: its request, its signature, the socket; beside the plain way of writing it.

    python benchmarks/order_cost.py [--orders N] [--json]

Each order is timed by itself, all kinds in turn. The socket's other end is a process on this machine that reads and forgets.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from urllib.parse import urlencode

import click
import msgspec
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rich.console import Console
from rich.table import Table

from vtframe.builtin.binance.execution.hosts import Hosts
from vtframe.builtin.binance.execution.link import Link
from vtframe.builtin.binance.execution.request import RequestWriter
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.builtin.binance.execution.timing import Timing
from vtframe.builtin.binance.known import USDM, known_instrument
from vtframe.cli.bench.rows import Row, time_row
from vtframe.domain import OrderEvent, OrderType, Side, SubmitOrder, TimeInForce
from vtframe.secret import Secret
from vtframe.transport import Library

_KEY, _SECRET = "k" * 64, "s" * 64
_FORGETFUL = """
import asyncio
from websockets.asyncio.server import serve
async def forget(client):
    async for _ in client:
        pass
async def main():
    async with serve(forget, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""
_BTC = known_instrument(USDM, "BTCUSDT")
_PLAIN = "request and HMAC the plain way (dict, Decimal, urlencode, json)"


def order(number: int) -> SubmitOrder:
    return SubmitOrder(
        client_order_id=f"20260101-000000-abcd-{number}",
        lane="lane1",
        instrument=0,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=10 + number % 90,
        price=6_180_010 + 10 * (number % 1000),
        time_in_force=TimeInForce.GTC,
    )


def signer(secret: str) -> Signer:
    return Signer(Secret(_KEY), Secret(secret))


def ed25519() -> Signer:
    key = Ed25519PrivateKey.generate()
    return signer(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def plainly(one: SubmitOrder, timestamp_ms: int) -> str:
    """As most clients write it."""
    params = {
        "symbol": "BTCUSDT",
        "side": one.side.name,
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": str(Decimal(one.quantity).scaleb(-3)),
        "price": str(Decimal(one.price or 0).scaleb(-2)),
        "newClientOrderId": one.client_order_id,
        "recvWindow": 5000,
        "timestamp": timestamp_ms,
        "apiKey": _KEY,
    }
    params["signature"] = hmac.new(_SECRET.encode(), urlencode(sorted(params.items())).encode(), hashlib.sha256).hexdigest()
    return json.dumps({"id": one.client_order_id, "method": "order.place", "params": params})


def requests() -> dict[str, Callable[[SubmitOrder, int], str]]:
    instruments = {0: _BTC} if _BTC is not None else {}

    def writer(signed: Signer | None) -> Callable[[SubmitOrder, int], str]:
        return RequestWriter("usdm", instruments, recv_window_ms=5000, signer=signed).place

    return {
        _PLAIN: plainly,
        "request and HMAC": writer(signer(_SECRET)),
        "request and Ed25519 signature": writer(ed25519()),
        "request on a connection that is logged on": writer(None),
    }


@contextlib.contextmanager
def forgetful() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", _FORGETFUL], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().strip() if server.stdout is not None else ""
            yield f"ws://127.0.0.1:{port}/"
        finally:
            server.terminate()


def _ignore_event(event: OrderEvent) -> None:
    """Nothing is reported here."""


def _ignore_entries(*, allowed: bool, reason: str = "") -> None:
    """Nor is anything closed."""


async def link(url: str, signed: Signer, library: Library) -> Link:
    """A way to a venue that answers nothing, without the steps that would wait for it."""
    made = Link(
        "usdm",
        Hosts(rest="http://127.0.0.1:9", ws_api=url, private=url),
        signer=signed,
        instruments={0: _BTC} if _BTC is not None else {},
        timing=Timing(recv_window_ms=5000, ack_timeout_ms=1000, stop_timeout_s=0, renew_s=86_400),
        library=library,
        emit=_ignore_event,
        entries=_ignore_entries,
    )
    await made._api.open()  # noqa: SLF001
    made._orders.is_up = True  # noqa: SLF001
    return made


async def measure(count: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    writers = requests()
    with forgetful() as url:
        links = {
            "submit: HMAC, websockets": await link(url, signer(_SECRET), "websockets"),
            "submit: logged on, websockets": await link(url, ed25519(), "websockets"),
            "submit: logged on, picows": await link(url, ed25519(), "picows"),
        }
        gc.collect()
        gc.disable()
        for number in range(count):
            one = order(number)
            for name, write in writers.items():
                before = time.perf_counter_ns()
                write(one, 1_767_225_600_000 + number)
                times.setdefault(name, []).append((time.perf_counter_ns() - before) / 1000)
            for name, way in links.items():
                before = time.perf_counter_ns()
                way.submit(one)
                times.setdefault(name, []).append((time.perf_counter_ns() - before) / 1000)
            await asyncio.sleep(0)
        gc.enable()
        for way in links.values():
            await way.close()
    return times


@click.command()
@click.option("--orders", default=5_000, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list, as vtframe bench does.")
def main(*, orders: int, as_json: bool) -> None:
    """Microseconds an order takes in this process until the kernel has it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        times = runner.run(measure(orders))
    rows: list[Row] = [
        time_row(name, "us", found, _PLAIN if name != _PLAIN else "", times[_PLAIN] if name != _PLAIN else None)
        for name, found in times.items()
    ]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    shown = Table("figure", "us, median", "least", "p99", box=None, pad_edge=False)
    for row, found in zip(rows, times.values(), strict=True):
        shown.add_row(row.name, f"{row.median:,.1f}", f"{min(found):,.1f}", f"{row.p99:,.1f}")
    Console(width=120).print(shown)


if __name__ == "__main__":
    main()
