"""The venue's own count of weights is believed, and its refusals are obeyed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from desk import Run
from odd_answers import ODD, ODD_TIMES
from scripted_venue import ScriptedVenue

from vtframe.builtin.binance.rest import RestClient, RestError
from vtframe.builtin.binance.weights import Weights
from vtframe.clock import EventClock, LiveClock
from vtframe.domain import BookState

MINUTE = 60_000_000_000


class Hands(EventClock):
    """A clock that only moves by hand, both of its readings."""

    def monotonic_ns(self) -> int:
        return self.now_ns()


def test_weight_is_counted_within_the_minute_and_a_request_over_nine_tenths_waits_for_the_next() -> None:
    clock = Hands(start_ns=10 * MINUTE + 15 * 10**9)
    weights = Weights(clock, 1000)
    assert weights.wait_s(400) == 0
    assert weights.wait_s(400) == 0
    assert weights.wait_s(150) == pytest.approx(45.0)
    clock.advance(11 * MINUTE)
    assert weights.wait_s(150) == 0
    assert weights.used == 150
    weights.heard("880")  # others use this address, too
    assert weights.wait_s(50) == pytest.approx(60.0)
    weights.heard("no number")
    assert weights.used == 880


def test_a_refusal_stops_every_request_until_its_time_is_over() -> None:
    clock = Hands(start_ns=MINUTE)
    weights = Weights(clock, 1000)
    assert weights.refused(429, "7") == 7.0
    assert weights.wait_s(1) == pytest.approx(7.0)
    assert weights.refused(418, "120") == 120.0
    assert weights.refused(429, "soon") == 5.0  # does not shorten the ban
    assert {weights.refused(429, text) for text in ODD_TIMES} == {5.0}
    assert weights.wait_s(1) == pytest.approx(120.0)
    clock.advance(clock.now_ns() + 120 * 10**9)
    assert weights.wait_s(1) == 0
    assert weights.refusals == {429: 2 + len(ODD_TIMES), 418: 1}


def ask(answer: Callable[[web.Request], Awaitable[web.StreamResponse]], **settings: float) -> bytes:
    """What a client makes of that answer to a request."""

    async def main() -> bytes:
        app = web.Application()
        app.router.add_get("/depth", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            root = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with RestClient(root, Weights(LiveClock(), 1000), timeout_s=settings.get("timeout_s", 5.0)) as client:
                return await client.get("depth", weight=5, most_bytes=1000, symbol="BTCUSDT")
        finally:
            await runner.cleanup()

    return asyncio.run(main())


async def _large(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"x" * 5000)


async def _bomb(request: web.Request) -> web.StreamResponse:
    answer = web.Response(body=b"x" * 10_000_000)
    answer.enable_compression()
    return answer


async def _error(request: web.Request) -> web.StreamResponse:
    return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)


async def _slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def _odd(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"<html>" + b'"code":' * 50, status=503)


@pytest.mark.parametrize(
    ("answer", "problem", "status", "code"),
    [
        (_large, "more than 1000 bytes", 0, 0),
        (_bomb, "more than 1000 bytes", 0, 0),
        (_error, r"answered 400: Invalid symbol. \(-1121\)", 400, -1121),
        (_odd, "answered 503", 503, 0),
    ],
)
def test_answers_that_are_none_are_errors_with_the_venues_words(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], problem: str, status: int, code: int
) -> None:
    with pytest.raises(RestError, match=problem) as e:
        ask(answer)
    assert (e.value.status, e.value.code) == (status, code)


def test_an_answer_that_does_not_come_is_an_error_after_its_time() -> None:
    with pytest.raises(RestError, match="no answer"):
        ask(_slow, timeout_s=0.1)


def test_a_book_waits_out_the_venues_refusal_and_is_live_afterwards() -> None:
    refusals = [2]
    asked: list[float] = []

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith("depth"):
            return None
        asked.append(asyncio.get_running_loop().time())
        if refusals[0]:
            refusals[0] -= 1
            headers = {"Retry-After": "1"}
            return web.json_response({"code": -1003, "msg": "Too many requests."}, status=429, headers=headers)
        return None

    async def during(run: Run) -> None:
        await run.right()

    with ScriptedVenue("spot") as venue:
        venue.on_request = answer
        desk = Run(venue)(during)
    report = desk.feed.report()
    assert report["rest"]["refused"] == {"429": 2}
    assert report["rest"]["weight_used"] == 50
    assert all(later - earlier >= 0.95 for earlier, later in itertools.pairwise(asked))
    assert desk.states == [[BookState.SYNCING, BookState.LIVE]]
    assert sum("left alone for 1 s: Too many requests. (-1003)" in one for one in desk.damage) == 2


@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
def test_what_is_no_http_is_an_error_and_nothing_more(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with RestClient(f"http://127.0.0.1:{port}", Weights(LiveClock(), 1000), timeout_s=5.0) as client:
                with pytest.raises(RestError):
                    await client.get("depth", weight=1, most_bytes=1000)

    asyncio.run(main())
