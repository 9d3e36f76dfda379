"""Both transports against a real server on loopback: messages, fragments, pings, closes, refusals, limits."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

from vtframe.transport import Library, TransportError, connect

LIBRARIES: tuple[Library, ...] = ("websockets", "picows")
Handler = Callable[[ServerConnection], Awaitable[None]]


class Inbox:
    """A receiver that keeps everything."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, int]] = []
        self.closed: list[str] = []
        self.changed = asyncio.Event()

    def on_message(self, data: bytes, ts_recv: int) -> None:
        self.messages.append((data, ts_recv))
        self.changed.set()

    def on_close(self, reason: str) -> None:
        self.closed.append(reason)
        self.changed.set()

    async def wait(self, until: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not until():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, compression=None, max_size=None) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws"


@pytest.mark.parametrize("library", LIBRARIES)
def test_messages_arrive_whole_in_order_with_times_that_never_go_back(library: Library) -> None:
    sent = [bytes([65 + n % 26]) * (1 + n * 37 % 5000) for n in range(500)]

    async def handler(client: ServerConnection) -> None:
        assert await client.recv() == '{"method":"SUBSCRIBE"}'
        for data in sent:
            await client.send(data, text=True)
        await client.wait_closed()

    async def main() -> Inbox:
        inbox, ticks = Inbox(), count(1)
        async with server(handler) as url:
            connection = await connect(url, inbox, lambda: next(ticks), library=library)
            connection.send('{"method":"SUBSCRIBE"}')
            await inbox.wait(lambda: len(inbox.messages) == len(sent))
            await connection.close()
        return inbox

    inbox = asyncio.run(main())
    assert [data for data, _ in inbox.messages] == sent
    times = [ts for _, ts in inbox.messages]
    assert times == sorted(times)
    assert all(type(data) is bytes for data, _ in inbox.messages)
    assert len(inbox.closed) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_message_in_fragments_is_one_message(library: Library) -> None:
    async def handler(client: ServerConnection) -> None:
        await client.send(["one ", "message ", "in parts"])
        await client.wait_closed()

    async def main() -> Inbox:
        inbox = Inbox()
        async with server(handler) as url:
            connection = await connect(url, inbox, lambda: 7, library=library)
            await inbox.wait(lambda: bool(inbox.messages))
            await connection.close()
        return inbox

    assert asyncio.run(main()).messages == [(b"one message in parts", 7)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_pings_are_answered(library: Library) -> None:
    answered: list[bool] = []

    async def handler(client: ServerConnection) -> None:
        await (await client.ping(b"are you there"))
        answered.append(True)
        await client.close()

    async def main() -> Inbox:
        inbox = Inbox()
        async with server(handler) as url:
            await connect(url, inbox, lambda: 0, library=library)
            await inbox.wait(lambda: bool(inbox.closed))
        return inbox

    assert len(asyncio.run(main()).closed) == 1
    assert answered == [True]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_close_by_the_server_is_told_once_and_sending_after_it_is_refused(library: Library) -> None:
    async def handler(client: ServerConnection) -> None:
        await client.close(4001, "maintenance")

    async def main() -> Inbox:
        inbox = Inbox()
        async with server(handler) as url:
            connection = await connect(url, inbox, lambda: 0, library=library)
            await inbox.wait(lambda: bool(inbox.closed))
            with pytest.raises(TransportError, match="over"):
                connection.send("too late")
            await connection.close()
        return inbox

    (reason,) = asyncio.run(main()).closed
    assert "4001" in reason


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_abrupt_end_is_told_once(library: Library) -> None:
    async def handler(client: ServerConnection) -> None:
        await client.send("last words")
        client.transport.abort()

    async def main() -> Inbox:
        inbox = Inbox()
        async with server(handler) as url:
            await connect(url, inbox, lambda: 0, library=library)
            await inbox.wait(lambda: bool(inbox.closed))
        return inbox

    inbox = asyncio.run(main())
    assert len(inbox.closed) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_message_over_the_limit_ends_the_connection_and_is_not_delivered(library: Library) -> None:
    async def handler(client: ServerConnection) -> None:
        await client.send(b"x" * 100_000)
        await client.wait_closed()

    async def main() -> Inbox:
        inbox = Inbox()
        async with server(handler) as url:
            await connect(url, inbox, lambda: 0, library=library, limit=10_000)
            await inbox.wait(lambda: bool(inbox.closed))
        return inbox

    inbox = asyncio.run(main())
    assert inbox.messages == []
    assert len(inbox.closed) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_server_a_refused_upgrade_and_no_url_are_clear_errors(library: Library) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    async def attempt(url: str) -> None:
        await connect(url, Inbox(), lambda: 0, library=library)

    with pytest.raises(TransportError, match=str(port)):
        asyncio.run(attempt(f"ws://127.0.0.1:{port}"))
    with pytest.raises(TransportError, match="not-a-url"):
        asyncio.run(attempt("not-a-url"))

    async def refused() -> None:
        async with serve(_nothing, "127.0.0.1", 0, process_request=_refuse) as running:
            await attempt(f"ws://127.0.0.1:{next(iter(running.sockets)).getsockname()[1]}")

    with pytest.raises(TransportError, match="403"):
        asyncio.run(refused())


async def _nothing(client: ServerConnection) -> None:
    await client.wait_closed()


def _refuse(client: ServerConnection, _request: object) -> object:
    return client.respond(403, "no\n")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_is_sent_is_with_the_kernel_before_the_call_returns(library: Library, loop: str) -> None:
    """The event loop is stopped while the server waits for the message: nobody could write it later."""
    heard = threading.Event()
    ready: queue.Queue[str] = queue.Queue()
    over = threading.Event()

    async def handler(client: ServerConnection) -> None:
        async for message in client:
            if message == "an order":
                heard.set()

    async def serve_in_a_thread() -> None:
        async with server(handler) as url:
            ready.put(url)
            while not over.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(serve_in_a_thread(),))
    thread.start()

    async def main() -> bool:
        connection = await connect(ready.get(timeout=20), Inbox(), lambda: 0, library=library)
        connection.send("an order")
        arrived = heard.wait(20)
        await connection.close()
        return arrived

    try:
        factory = None if loop == "asyncio" else uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            assert runner.run(main())
    finally:
        over.set()
        thread.join(20)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_messages_beyond_what_a_socket_holds_arrive_whole_and_in_order(loop: str) -> None:
    sent = [f"{n} " + "x" * 300_000 for n in range(40)]
    received: list[str] = []
    over = asyncio.Event()

    async def handler(client: ServerConnection) -> None:
        await asyncio.sleep(0.1)  # so that the socket fills up
        received.extend([str(message) async for message in client])
        over.set()

    async def main() -> None:
        inbox = Inbox()
        async with server(handler) as url:
            connection = await connect(url, inbox, lambda: 0)
            for text in sent:
                connection.send(text)
            await connection.close()
            async with asyncio.timeout(20):
                await over.wait()

    with asyncio.Runner(loop_factory=None if loop == "asyncio" else uvloop.new_event_loop) as runner:
        runner.run(main())
    assert received == sent


@pytest.mark.parametrize("library", LIBRARIES)
def test_on_uvloop_a_socket_has_the_buffer_asked_for_and_tells_what_waits_in_it(library: Library) -> None:
    go_on: list[asyncio.Event] = []

    async def handler(client: ServerConnection) -> None:
        await go_on[0].wait()
        for _ in range(50):
            await client.send(b"x" * 1000, text=True)
        await client.wait_closed()

    async def main() -> tuple[int, int, int]:
        go_on.append(asyncio.Event())
        inbox = Inbox()
        async with server(handler) as url:
            connection = await connect(url, inbox, lambda: 7, library=library, receive_buffer=300_000)
            sock = connection._socket()  # type: ignore[attr-defined]
            size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            before = connection.unread()
            go_on[0].set()
            await inbox.wait(lambda: len(inbox.messages) == 50)
            await connection.close()
            after = connection.unread()
        return size, before, after

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        size, before, after = runner.run(main())
    assert size >= 300_000  # Linux doubles what is asked for, up to its limit
    assert (before, after) == (0, 0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_bytes_that_nobody_has_read_are_counted(library: Library) -> None:
    """The server is in a thread, so that it sends while this loop is busy."""
    sent = threading.Event()

    async def serving(ready: list[str], over: threading.Event) -> None:
        async def handler(client: ServerConnection) -> None:
            await client.recv()
            await client.send(b"x" * 5000, text=True)
            sent.set()
            await client.wait_closed()

        async with server(handler) as url:
            ready.append(url)
            while not over.is_set():
                await asyncio.sleep(0.01)

    async def main(url: str) -> int:
        inbox = Inbox()
        connection = await connect(url, inbox, lambda: 7, library=library)
        connection.send("go")
        assert sent.wait(20)  # this loop stands still meanwhile
        waiting = connection.unread()
        await inbox.wait(lambda: bool(inbox.messages))
        await connection.close()
        return waiting

    ready: list[str] = []
    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serving(ready, over)))
    thread.start()
    try:
        while not ready:
            time.sleep(0.005)
        assert asyncio.run(main(ready[0])) >= 5000
    finally:
        over.set()
        thread.join(20)


@contextlib.asynccontextmanager
async def hostile_server(frames: bytes, times: int = 1) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Upgrades properly, sends ``frames`` so often, answers nothing more and never lets go of a socket."""
    writers: list[asyncio.StreamWriter] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        request = await reader.readuntil(b"\r\n\r\n")
        key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept_key(key.decode()).encode()
            + b"\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            for _ in range(times):
                writer.write(frames)
                await writer.drain()
            await reader.read()

    running = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/ws", writers
    finally:
        running.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "frames", [bytes((0x83, 0)), bytes((0x81, 127)) + b"\xff" * 8, bytes((0x89, 126, 0, 200)) + b"x" * 200]
)
def test_who_breaks_the_protocol_and_keeps_the_socket_is_left_within_seconds(library: Library, frames: bytes) -> None:
    async def main() -> Inbox:
        inbox = Inbox()
        async with hostile_server(frames) as (url, _):
            await connect(url, inbox, lambda: 0, library=library)
            async with asyncio.timeout(6):
                await inbox.wait(lambda: bool(inbox.closed))
        return inbox

    inbox = asyncio.run(main())
    assert len(inbox.closed) == 1
    assert all(not data for data, _ in inbox.messages)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("between", [b"", bytes((0x8A, 0))])  # and a pong after each
def test_fragments_without_an_end_cost_their_bytes_and_end_at_the_limit(library: Library, between: bytes) -> None:
    limit = 100_000
    piece = bytes((0x00, 2)) + b"xx" + between

    async def main() -> tuple[Inbox, int]:
        inbox = Inbox()
        async with hostile_server(bytes((0x01, 0)) + piece * 40_000) as (url, _):
            connection = await connect(url, inbox, lambda: 0, library=library, limit=limit)
            tracemalloc.start()
            await asyncio.sleep(1.5)
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            await connection.close()
        async with hostile_server(bytes((0x01, 0)) + piece * 60_000) as (url, _):
            await connect(url, inbox, lambda: 0, library=library, limit=limit)
            async with asyncio.timeout(10):
                await inbox.wait(lambda: len(inbox.closed) > 1)
        return inbox, held

    inbox, held = asyncio.run(main())
    assert inbox.messages == []
    assert held < 500_000  # 80,000 bytes in 40,000 pieces
