"""Recorded frames, sent again over real sockets, give the counts and rows that the recording gives when it is played."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import WSMsgType, web
from desk import LIMIT_S, Desk
from numpy.typing import NDArray

from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.feed import BinanceFeed
from vtframe.builtin.binance.known import COINM, SPOT, USDM, known_instrument
from vtframe.builtin.features.order_flow_imbalance import OrderFlowImbalance
from vtframe.builtin.features.spread import Spread
from vtframe.builtin.features.trade_imbalance import TradeImbalance
from vtframe.domain import Instrument, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.features.pipeline import Pipeline

FILES = {
    "spot": ("spot_btcusdt_20240808.gz", SPOT, "BTCUSDT", 100),
    "usdm": ("usdm_btcusdt_20240808.gz", USDM, "BTCUSDT", 0),
    "coinm": ("cm_btcusd_perp_20240808.gz", COINM, "BTCUSD_PERP", 0),
}
LINES = 20_000
FEATURES = (Spread(), OrderFlowImbalance(), TradeImbalance())


class RecordedVenue:
    """Sends a recording's lines once every route is subscribed, up to where its snapshot stands; answers that as REST; and goes
    on when the client has it. ``delivered`` says how many messages the client has handled."""

    def __init__(self, market: str, lines: list[bytes], instrument: Instrument) -> None:
        self.market = market
        self.lines = lines
        self.instrument = instrument
        self.sent = 0
        self.delivered: Callable[[], int] = lambda: 0
        self._sockets: dict[str, tuple[web.WebSocketResponse, set[str]]] = {}
        self._asked = asyncio.Event()
        self._may_answer = asyncio.Event()
        self._routes = {"usdm": {"public", "market"}}.get(market, {"stream"})

    async def start(self) -> str:
        api = {"spot": "api/v3", "usdm": "fapi/v1", "coinm": "dapi/v1"}[self.market]
        app = web.Application()
        app.router.add_get(f"/{api}/exchangeInfo", self._info)
        app.router.add_get(f"/{api}/depth", self._depth)
        for route in self._routes:
            app.router.add_get(f"/{self.market}{'' if route == 'stream' else '/' + route}/stream", self._stream)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self._sending = asyncio.create_task(self._send())
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def stop(self) -> None:
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        await self.runner.cleanup()

    async def _info(self, request: web.Request) -> web.StreamResponse:
        one = self.instrument
        entry: dict[str, Any] = {"symbol": one.symbol, "status": "TRADING", "baseAsset": one.base, "quoteAsset": one.quote}
        lot = f"{one.quantity(one.lot_size):f}"
        entry["filters"] = [
            {"filterType": "PRICE_FILTER", "tickSize": f"{one.price(one.tick_size):f}"},
            {"filterType": "LOT_SIZE", "stepSize": lot, "maxQty": "9000"},
        ]
        entry |= {"pricePrecision": one.price_decimals, "quantityPrecision": one.quantity_decimals}
        return web.json_response({"symbols": [entry]})

    async def _depth(self, request: web.Request) -> web.StreamResponse:
        self._asked.set()
        await self._may_answer.wait()
        return web.Response(body=next(line for line in self.lines if line.startswith(b'{"lastUpdateId"')))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                said = json.loads(message.data)
                self._sockets[request.path] = (socket, set(said["params"]))
                await socket.send_str(json.dumps({"result": None, "id": said["id"]}))
                self.sent += 1
        return socket

    async def _send(self) -> None:
        while len(self._sockets) < len(self._routes):
            await asyncio.sleep(0.01)
        by_name = {name.encode(): socket for socket, names in self._sockets.values() for name in names}
        before: web.WebSocketResponse | None = None
        for line in self.lines:
            if line.startswith(b'{"lastUpdateId"'):
                await self._asked.wait()
                await self._handled()
                self._may_answer.set()
                self.sent += 1
                await self._handled()
                continue
            socket = by_name[line[11 : line.index(b'"', 11)]]
            if socket is not before:
                await self._handled()  # two sockets: arrival in the recording's order
            before = socket
            await socket.send_str(line.decode())
            self.sent += 1

    async def _handled(self) -> None:
        """Return when the client has handled all that was sent."""
        while self.delivered() < self.sent:
            await asyncio.sleep(0)


def lines_of(folder: Path, name: str) -> list[bytes]:
    found = []
    with gzip.open(folder / "binance" / name) as file:
        for line in file:
            found.append(line.rstrip(b"\n").partition(b" ")[2])
            if len(found) == LINES:
                break
    return found


def rows_of(pipeline: Pipeline, keep: list[tuple[NDArray[Any], NDArray[Any]]], rows: int) -> None:
    """Copy the newest rows: what must be the same whenever it is made."""
    if rows:
        meta, values = pipeline.ring.meta, pipeline.ring.values
        head = pipeline.ring.head(0)
        for number in range(head - rows, head):
            at = number % pipeline.ring.capacity
            keep.append((meta[0, at].copy(), values[0, at].copy()))


FIELDS = ["number", "update_id", "bid", "bid_quantity", "ask", "ask_quantity", "instrument", "state", "valid", "ts_event"]


def comparable(rows: list[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[NDArray[Any], NDArray[Any]]:
    meta = np.array([one[0][FIELDS].tolist() for one in rows])
    return meta, np.array([one[1] for one in rows])


def played(lines: list[bytes], instrument: Instrument) -> tuple[Pipeline, list[tuple[NDArray[Any], NDArray[Any]]]]:
    codec = BinanceCodec()
    codec.open(SessionInstruments([instrument]))
    pipeline = Pipeline(FEATURES, [instrument], [codec.sequence_rule(0)])
    rows: list[tuple[NDArray[Any], NDArray[Any]]] = []
    records = Records()
    for number, line in enumerate(lines):
        records.clear()
        codec.decode(line, records)
        records.stamp(number=number, ts_recv=number)
        rows_of(pipeline, rows, pipeline.process(records))
    return pipeline, rows


@pytest.mark.parametrize("market", list(FILES))
def test_recorded_frames_over_sockets_give_the_recordings_counts_and_rows(data: Path, market: str) -> None:
    name, venue_name, symbol, speed = FILES[market]
    routes = 2 if market == "usdm" else 1
    lines = lines_of(data, name)[: LINES // routes]
    instrument = known_instrument(venue_name, symbol)
    assert instrument is not None
    expected, expected_rows = played(lines, instrument)
    rows: list[tuple[NDArray[Any], NDArray[Any]]] = []

    async def main() -> Desk:
        venue = RecordedVenue(market, lines, instrument)
        url = await venue.start()
        feed = BinanceFeed(instruments=(symbol,), market=market, url=url, depth_ms=speed, silence_s=60.0, request_s=30.0)  # type: ignore[arg-type]
        desk = await asyncio.to_thread(Desk, feed)
        desk.pipeline = Pipeline(FEATURES, [instrument], [desk.codec.sequence_rule(0)])
        process = desk.pipeline.process

        def keep(*arguments: Any) -> int:
            made = process(*arguments)
            rows_of(desk.pipeline, rows, made)
            return made

        desk.pipeline.process = keep  # type: ignore[method-assign, assignment]
        venue.delivered = lambda: len(desk.messages)
        running = asyncio.create_task(feed.run(desk))
        until = asyncio.get_running_loop().time() + 3 * LIMIT_S
        while len(desk.messages) < len(lines) + routes and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
        desk.stop()
        await running
        await venue.stop()
        return desk

    desk = asyncio.run(main())
    assert len(desk.messages) == len(lines) + routes  # and the acknowledgements
    assert desk.damage == []
    assert desk.pipeline.counts() == expected.counts()
    (meta, values), (expected_meta, expected_values) = comparable(rows), comparable(expected_rows)
    assert np.array_equal(meta, expected_meta)
    assert values.tobytes() == expected_values.tobytes()
    assert meta[:, FIELDS.index("valid")].sum() > 700
