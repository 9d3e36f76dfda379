"""A WebSocket server on loopback in a thread of its own, so that it can be told what to do while a feed runs elsewhere."""

from __future__ import annotations

import asyncio
import http
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

_T = TypeVar("_T")
_PATIENCE_S = 10.0  # for the thread's answer


class Conversation(Protocol):
    """What the server does with its clients. Called in the server's thread."""

    def admits(self, path: str, headers: Any) -> tuple[int, str]:
        """200 and nothing, or another status with the body that says why."""
        ...

    def answered(self, path: str) -> bytes | None:
        """What a plain HTTP request gets; None where the path is a socket's."""
        ...

    def joined(self, client: Client) -> None: ...

    def said(self, client: Client, text: str) -> None: ...

    def left(self, client: Client) -> None: ...


class Client:
    """One connection, as the venue sees it. ``notes`` belongs to the conversation."""

    def __init__(self, connection: ServerConnection) -> None:
        self.path = connection.request.path if connection.request is not None else ""
        self.notes: set[int] = set()
        self._connection = connection
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, message: bytes) -> None:
        """Queue one text message; they leave in order."""
        self._outgoing.put_nowait(message)

    def cut(self) -> None:
        """End it without a close frame."""
        self._connection.transport.abort()

    async def deliver(self) -> None:
        """Send what is queued until the connection is over."""
        while True:
            message = await self._outgoing.get()
            try:
                await self._connection.send(message, text=True)
            except ConnectionClosed:
                return


class LoopbackServer:
    """Serves a conversation on a free port. ``call`` runs a function in its thread and returns what it does."""

    def __init__(self, conversation: Conversation, *, port: int = 0) -> None:
        self.port = port
        self.clients: list[Client] = []
        self.refusing = False
        self._met: weakref.WeakSet[ServerConnection] = weakref.WeakSet()  # those that were refused as well
        self._conversation = conversation
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._end: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it listens. Raises OSError where the port is taken."""
        listening: asyncio.Queue[BaseException | None] = asyncio.Queue()
        ready = threading.Event()

        def tell(problem: BaseException | None) -> None:
            listening.put_nowait(problem)
            ready.set()

        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(tell)), daemon=True, name="loopback venue")
        self._thread.start()
        if not ready.wait(_PATIENCE_S):
            raise TimeoutError("the venue's thread does not start")
        problem = listening.get_nowait()
        if problem is not None:
            self._thread = None
            raise problem

    def stop(self) -> None:
        """Cut every connection and end the thread."""
        if self._thread is None or self._loop is None or self._end is None:
            return
        end = self._end
        self._loop.call_soon_threadsafe(end.set)
        self._thread.join(_PATIENCE_S)
        self._thread = None

    def call(self, function: Callable[[], _T]) -> _T:
        """Run ``function`` between two of the server's steps."""
        if self._thread is None or self._loop is None:
            raise RuntimeError("the venue is not started, or stopped")

        async def run() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_PATIENCE_S)

    async def _serve(self, tell: Callable[[BaseException | None], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        try:
            server = await serve(
                self._converse, "127.0.0.1", self.port, process_request=self._admit, compression=None, ping_interval=None
            )
        except OSError as e:
            tell(e)
            return
        self.port = next(iter(server.sockets)).getsockname()[1]
        tell(None)
        await self._end.wait()
        for connection in list(self._met):
            connection.transport.abort()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)  # an aborted transport lets go of its socket in the loop's next turn

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self._met.add(connection)
        if self.refusing:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "no connections now\n")
        answer = self._conversation.answered(request.path)
        if answer is not None:
            return connection.respond(http.HTTPStatus.OK, answer.decode())
        status, body = self._conversation.admits(request.path, request.headers)
        return None if status == http.HTTPStatus.OK else connection.respond(http.HTTPStatus(status), body)

    async def _converse(self, connection: ServerConnection) -> None:
        client = Client(connection)
        self.clients.append(client)
        sending = asyncio.create_task(client.deliver())
        self._conversation.joined(client)
        try:
            async for text in connection:
                self._conversation.said(client, text if isinstance(text, str) else text.decode())
        except ConnectionClosed:
            pass  # cut, by either side: what it was is not the venue's concern
        finally:
            self.clients.remove(client)
            self._conversation.left(client)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
