"""A venue that sends anything at all makes damage that is counted: no crash, no unbounded memory, no live book is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from desk import Run
from scripted_venue import Client, ScriptedVenue

from vtframe.book import books as book_limits
from vtframe.book.pending import PendingFrames
from vtframe.builtin.binance.streams import NO_ID, Stream
from vtframe.domain import EVENT, FRAME, BookState

NAME = "btcusdt@depth@100ms"
DIFF = '{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":%s,"u":%s,"b":%s,"a":[]}'


def wrapped(data: str, stream: str = NAME) -> str:
    return f'{{"stream":"{stream}","data":{data}}}'


RUBBISH = (
    "",
    "\x00" * 50,
    "{",
    "[" * 100_000,
    '{"stream":"' + "[" * 50_000,
    wrapped("[" * 60_000),
    wrapped('{"a":' * 60_000),
    wrapped("null"),
    wrapped("7"),
    wrapped("{}"),
    wrapped(DIFF % ("9" * 30, "9" * 30, "[]")),
    wrapped(DIFF % ("9" * 5000, "9" * 5000, "[]")),
    wrapped(DIFF % ("-1", "-5", "[]")),
    wrapped(DIFF % (1, 2, '[["1e999","1"]]')),
    wrapped(DIFF % (1, 2, '[["NaN","1"]]')),
    wrapped(DIFF % (1, 2, '[["100.00","999999999999999999999999"]]')),
    wrapped(DIFF % (1, 2, "[" + '["1",' * 30_000)),
    wrapped('{"u":1,"s":"BTCUSDT","b":"200","B":"1","a":"100","A":"1"}', "btcusdt@bookTicker"),
    wrapped('{"e":"trade","s":"BTCUSDT","t":99999999999999999999,"p":"1","q":"1","T":1,"m":true,"M":true}', "btcusdt@trade"),
    wrapped('{"lastUpdateId":5,"bids":[],"asks":[]}', "btcusdt@depthSnapshot"),
    wrapped('{"lastUpdateId":' + "9" * 18 + ',"bids":[["1.00","1"]],"asks":[]}', "btcusdt@depthSnapshot"),
    wrapped('{"e":"vtframe.note","venue":"binance_spot","symbol":"BTCUSDT","state":"gap"}', "btcusdt@note"),
    wrapped('{"e":"vtframe.note","venue":[],"symbol":7,"state":"live"}', "btcusdt@note"),
    '{"id":1,"result":null}',
    '{"error":{"code":1e400}}',
    "\ud83d\ude00" * 500 if False else "\U0001f600" * 500,
)


@pytest.mark.parametrize("transport", ["websockets", "picows"])
def test_rubbish_is_counted_and_every_book_is_right_afterwards(transport: str) -> None:
    sent: list[str] = []

    def disturb(client: Client, stream: str, text: str) -> list[str]:
        if armed and len(sent) < len(RUBBISH) and "depth" in stream:
            sent.append(RUBBISH[len(sent)])
            return [sent[-1], text]
        return [text]

    armed: list[bool] = []

    async def during(run: Run) -> None:
        await run.right()
        armed.append(True)
        await run.until(lambda: len(sent) == len(RUBBISH), "all rubbish sent")
        await run.more(100)
        await run.right()

    with ScriptedVenue("spot") as venue:
        venue.on_send = disturb
        desk = Run(venue, transport=transport)(during)
    assert len(desk.damage) >= 10
    assert venue.connections == 1


def test_a_message_over_the_limit_ends_the_connection_and_no_more() -> None:
    sent: list[bool] = []

    def flood(client: Client, stream: str, text: str) -> list[str]:
        if armed and not sent:
            sent.append(True)
            return [wrapped('"' + "x" * (9 << 20) + '"')]
        return [text]

    armed: list[bool] = []

    async def during(run: Run) -> None:
        await run.right()
        armed.append(True)
        await run.until(lambda: BookState.GAP in run.desk.states[0], "the gap")
        await run.right()

    with ScriptedVenue("spot") as venue:
        venue.on_send = flood
        desk = Run(venue)(during)
    assert venue.connections == 2
    assert max(map(len, desk.messages)) < 1 << 20


def test_random_bytes_in_messages_never_leave_a_live_book_wrong() -> None:
    random = np.random.default_rng(11)
    spoilt = [0]

    def spoil(client: Client, stream: str, text: str) -> list[str]:
        if armed and random.random() < 0.1 and spoilt[0] < 40:
            spoilt[0] += 1
            data = bytearray(text.encode())
            at = int(random.integers(len(data)))
            data[at : at + 3] = b'"}' if random.random() < 0.5 else b"[,["
            return [data.decode(errors="replace")]
        return [text]

    armed: list[bool] = []

    async def during(run: Run) -> None:
        await run.right()
        armed.append(True)
        await run.until(lambda: spoilt[0] == 40, "all spoilt")
        armed.clear()
        await run.more(150)
        await run.right()

    with ScriptedVenue("usdm") as venue:
        venue.on_send = spoil
        desk = Run(venue)(during)
    assert len(desk.damage) > 10


def test_a_book_larger_than_any_is_refused_and_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bool] = []

    def flood(client: Client, stream: str, text: str) -> list[str]:
        if armed and not sent and "depth" in stream:
            sent.append(True)
            message = json.loads(text)
            message["data"]["b"] = [[f"{k / 100:.2f}", "1.000"] for k in range(1, 3000)]
            return [json.dumps(message, separators=(",", ":"))]
        return [text]

    armed: list[bool] = []
    monkeypatch.setattr("vtframe.features.pipeline.MAX_CAPACITY", 1024)
    assert book_limits.MAX_CAPACITY > 1024

    async def during(run: Run) -> None:
        await run.right()
        armed.append(True)
        await run.until(lambda: BookState.GAP in run.desk.states[0], "the gap")
        await run.right()

    with ScriptedVenue("spot") as venue:
        venue.on_send = flood
        desk = Run(venue)(during)
    assert desk.pipeline.books.capacity == 1024


def test_what_waits_for_a_snapshot_is_bounded_in_events_as_in_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtframe.book.pending.MAX_EVENTS", 100)
    pending = PendingFrames(limit=10)
    frame = np.zeros((), FRAME)
    for count in (30, 30, 30, 30):
        pending.keep(frame, np.zeros(count, EVENT))
    assert (len(pending), pending.dropped) == (3, 1)
    pending.keep(frame, np.zeros(500, EVENT))  # larger than all that may wait: alone
    assert (len(pending), pending.dropped) == (1, 4)
    for _ in range(20):
        pending.keep(frame, np.zeros(1, EVENT))
    assert len(pending) == 10


@pytest.mark.parametrize(
    ("kind", "data", "number"),
    [
        ("depth", b'"data":{"U":5,"u":17,"pu":3}', 17),
        ("depth", b'"data":{"pu":3,"u":17}', 17),
        ("depth", b'"data":{"U":5}', NO_ID),
        ("trade", b'"data":{"t":12}', 12),
        ("trade", b'"data":{"t":"12"}', NO_ID),
        ("aggTrade", b'"data":{"a": 9,"p":"1"}', 9),
        ("bookTicker", b'"data":{"u":%b,"s":"X"}' % (b"9" * 4000), NO_ID),
        ("trade", b'"data":{"t":', NO_ID),
        ("markPrice", b"", NO_ID),
    ],
)
def test_a_messages_number_is_read_or_it_has_none(kind: str, data: bytes, number: int) -> None:
    stream = Stream("btcusdt@x", kind, 0, "stream")  # type: ignore[arg-type]
    assert stream.number(b'{"stream":"btcusdt@x",' + data) == number
