"""A link keeps one connection up: what it waits for, what ends it, and what it tells."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from vtframe.api import Link, Resync, TransportError, Upkeep, VtframeError, lost
from vtframe.api.link import JITTER
from vtframe.clock import LiveClock
from vtframe.domain import BookState, EventFlag, FrameKind
from vtframe.testing import Client, LoopbackServer

LIBRARIES = ("websockets", "picows")


class Sink:
    """Keeps what it is told; raises on a message where it is given an error to raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.stopping = False
        self.error = error
        self.messages: list[bytes] = []
        self.told: list[tuple[bool, str]] = []

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        self.messages.append(data)
        if self.error is not None:
            raise self.error

    def on_records(self, records: Any) -> None:
        self.told.append((False, f"{records.n_frames} frames"))

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        self.told.append((up, reason))


class Venue:
    """Answers a greeting with a word; refuses where it has a status to refuse with."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.server = LoopbackServer(self)

    def answered(self, path: str) -> bytes | None:
        return None

    def admits(self, path: str, headers: Any) -> tuple[int, str]:
        return self.status, "not you"

    def joined(self, client: Client) -> None:
        client.send(b"welcome")

    def said(self, client: Client, text: str) -> None:
        client.send(text.upper().encode())

    def left(self, client: Client) -> None:
        """Gone."""


@contextmanager
def listening(venue: Venue) -> Iterator[Venue]:
    venue.server.start()
    try:
        yield venue
    finally:
        venue.server.stop()


def link_to(url: str, sink: Sink, **settings: Any) -> Link:
    settings = {"greeting": lambda: ("hello",), "upkeep": Upkeep(first_wait_s=0.01, longest_wait_s=0.05), **settings}
    return Link(url, sink, LiveClock(), **settings)  # type: ignore[arg-type]


async def run(link: Link, sink: Sink, until: Callable[[], bool]) -> None:
    """Until a condition holds; then the sink is stopping."""
    running = asyncio.create_task(link.run())
    async with asyncio.timeout(20):
        while not (until() or running.done()):
            await asyncio.sleep(0.005)
        sink.stopping = True
        await running


@pytest.mark.parametrize("library", LIBRARIES)
def test_it_is_up_before_the_first_message_and_asks_what_the_greeting_says(library: Any) -> None:
    sink = Sink()
    with listening(Venue()) as venue:
        link = link_to(venue.server.url, sink, upkeep=Upkeep(library=library))
        asyncio.run(run(link, sink, lambda: b"HELLO" in sink.messages))
    assert sink.messages == [b"welcome", b"HELLO"]
    assert sink.told == [(True, "")]
    assert link.connections == 1
    assert link.send("more") is False, "nothing is sent when it is over"


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_the_sink_raises_ends_it_and_is_raised(library: Any) -> None:
    sink = Sink(VtframeError("the disk is full"))
    with listening(Venue()) as venue:
        link = link_to(venue.server.url, sink, upkeep=Upkeep(library=library))
        with pytest.raises(VtframeError, match="the disk is full"):
            asyncio.run(run(link, sink, lambda: False))
    assert len(sink.messages) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_server_that_accepts_and_never_answers_is_given_up_and_told_once(library: Any) -> None:
    sink = Sink()
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(50)
        upkeep = Upkeep(library=library, connect_s=0.1, first_wait_s=0.01, longest_wait_s=0.02)
        link = link_to(f"ws://127.0.0.1:{mute.getsockname()[1]}", sink, upkeep=upkeep, instruments=(0,))
        attempts: list[int] = []
        once = link._once

        async def counted() -> None:
            attempts.append(1)
            await once()

        link._once = counted  # type: ignore[method-assign]
        asyncio.run(run(link, sink, lambda: len(attempts) > 3))
    assert sink.told == [(False, "no answer to the handshake within 0.1 s")], "no book was lost: none was there"


def test_it_stops_while_it_connects() -> None:
    sink = Sink()
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(1)
        link = link_to(f"ws://127.0.0.1:{mute.getsockname()[1]}", sink)
        sink.stopping = True
        asyncio.run(asyncio.wait_for(link.run(), 5))
    assert sink.told == []


def test_a_refusal_that_waiting_does_not_cure_ends_it_and_any_other_is_tried_again() -> None:
    def judge(error: TransportError) -> VtframeError | None:
        return VtframeError("never") if "403" in error.problem else None

    sink = Sink()
    with listening(Venue(503)) as venue:
        link = link_to(venue.server.url, sink, refusal=judge)

        def then() -> bool:
            if sink.told:
                venue.status = 403
            return False

        with pytest.raises(VtframeError, match="never"):
            asyncio.run(run(link, sink, then))
    assert len(sink.told) == 1
    assert "503" in sink.told[0][1]


def test_waits_double_up_to_the_longest_and_are_spread() -> None:
    upkeep, random = Upkeep(first_wait_s=0.5, longest_wait_s=30), np.random.default_rng(3)
    for failures, whole in enumerate((0.5, 1, 2, 4, 8, 16, 30, 30)):
        waits = [upkeep.wait_s(failures, random) for _ in range(200)]
        assert min(waits) >= whole * (1 - JITTER)
        assert max(waits) <= whole * (1 + JITTER)
        assert max(waits) - min(waits) > whole * JITTER
    assert upkeep.wait_s(10_000, random) < 40


def test_a_loss_is_a_status_frame_with_a_gap_for_each_instrument() -> None:
    records = lost((0, 2), 7, connection=3)
    frames, events = records.frames[:2], records.events[:2]
    assert frames["kind"].tolist() == [FrameKind.STATUS] * 2
    assert frames["instrument"].tolist() == [0, 2]
    assert frames["ts_recv"].tolist() == [7, 7]
    assert frames["connection"].tolist() == [3, 3]
    assert events["flags"].tolist() == [EventFlag.GAP | EventFlag.LAST] * 2


class Watched:
    """Books that a test breaks and mends."""

    def __init__(self, count: int) -> None:
        self.states = [BookState.SYNCING] * count
        self.ids = [-1] * count
        self.alarms = 0

    def state(self, instrument: int) -> BookState:
        return self.states[instrument]

    def update_id(self, instrument: int) -> int:
        return self.ids[instrument]

    def oldest_waiting(self, instrument: int) -> None:
        return None


def test_a_broken_book_is_asked_for_at_once_then_after_growing_waits_until_it_is_live() -> None:
    books, asked, now = Watched(2), [], [0.0]
    resync = Resync(books, asked.append, instruments=(0, 1), now_s=lambda: now[0])
    resync.subscribed()
    resync.look()
    assert asked == [], "the subscription brings pictures"
    books.states = [BookState.LIVE, BookState.LIVE]
    now[0] = 1.0
    resync.look()
    books.states[1] = BookState.GAP
    books.alarms += 1
    resync.look()
    assert asked == [1]
    for _ in range(100):
        books.alarms += 1  # frames that wait
        resync.look()
    assert asked == [1], "it was asked for, and is given its time"
    times = []
    for step in range(1, 2_000):
        now[0] = 1.0 + step * 0.1
        before = len(asked)
        resync.look()
        if len(asked) > before:
            times.append(round(now[0] - 1.0))
    assert times[:5] == [2, 6, 14, 30, 60]
    assert set(asked) == {1}
    books.states[1], books.ids[1] = BookState.LIVE, 10
    now[0] += 1
    resync.look()
    books.states[1] = BookState.CROSSED
    books.alarms += 1
    count = len(asked)
    resync.look()
    assert len(asked) == count + 1


def test_a_picture_that_is_broken_before_anybody_looked_is_asked_for_at_once() -> None:
    books, asked = Watched(1), []
    resync = Resync(books, asked.append, instruments=(0,), now_s=lambda: 5.0)
    books.alarms += 1
    resync.look()
    books.ids[0] = 77  # a picture came, and the next frame broke it
    books.alarms += 1
    resync.look()
    assert asked == [0, 0]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_redirect_is_refused_so_that_a_key_reaches_no_other_address(library: Any) -> None:
    seen: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(elsewhere, "127.0.0.1", 0) as other:
            port = other.sockets[0].getsockname()[1]

            async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                request = await reader.readuntil(b"\r\n\r\n")
                assert b"Bearer planted" in request
                place = f"ws://127.0.0.1:{port}/"
                writer.write(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
                writer.close()

            async with await asyncio.start_server(redirecting, "127.0.0.1", 0) as first:
                url = f"ws://127.0.0.1:{first.sockets[0].getsockname()[1]}/"
                link = link_to(url, sink, headers={"Authorization": "Bearer planted0123"}, upkeep=Upkeep(library=library))
                await run(link, sink, lambda: bool(sink.told))

    sink = Sink()
    asyncio.run(main())
    assert seen == []
    assert not sink.told[0][0]
    assert "planted0123" not in sink.told[0][1]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_link_measures_what_waits_in_its_socket_and_tells_the_buffer_behind_it(library: Any) -> None:
    class Busy(Sink):
        """Looks at the socket as the event loop would, had it not been busy."""

        def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
            super().on_message(data, ts_recv)
            if data == b"much":
                for _ in range(500):
                    if link._open is not None and link._open.unread() >= 5_000:
                        break
                    time.sleep(0.01)
                link._watch()

    class Talking(Venue):
        """Says more than one read of a socket takes."""

        def said(self, client: Client, text: str) -> None:
            client.send(b"much")
            for _ in range(200):
                client.send(b"x" * 5_000)

    sink = Busy()
    with listening(Talking()) as venue:
        link = link_to(venue.server.url, sink, upkeep=Upkeep(library=library, receive_buffer=300_000))
        asyncio.run(run(link, sink, lambda: sum(len(one) == 5_000 for one in sink.messages) == 200))
    told = link.report()
    assert told["connections"] == 1
    assert told["most_unread_bytes"] >= 5_000
    assert told["receive_buffer_bytes"] >= 300_000
