"""The everyday transport: websockets' sans-I/O protocol inside an asyncio Protocol of our own, compression off.

The library's ``async for`` wakes a task per message; here a message is handed on in the callback that read the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Any, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Protocol, Side, State
from websockets.uri import parse_uri

from vtframe.transport.contract import MESSAGE_LIMIT, Receiver, TransportError
from vtframe.transport.fragments import Fragments, TooManyFragmentsError
from vtframe.transport.receive_buffer import count_unread, size_buffer, size_of_buffer
from vtframe.transport.scratch import ScratchSocket

_CLOSE_S = 3.0


class WebsocketsConnection(asyncio.Protocol):
    """One connection, from the upgrade request to the close frame."""

    def __init__(
        self, url: str, receiver: Receiver, now_ns: Callable[[], int], *, headers: Mapping[str, str], limit: int
    ) -> None:
        self._url = url
        self._receiver = receiver
        self._now = now_ns
        self._headers = headers
        self._protocol = ClientProtocol(parse_uri(url), max_size=limit)
        self._fragments = Fragments()
        self._pings = 0
        self._transport: asyncio.Transport | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._descriptor = -1  # what is written to directly; none where the bytes are to be encrypted
        self._rehearsed: tuple[Protocol, ScratchSocket] | None = None
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.opened.add_done_callback(lambda done: done.cancelled() or done.exception())  # who gave up waiting does not ask
        self._over: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no such class
        if transport.get_extra_info("ssl_object") is None:
            self._descriptor = transport.get_extra_info("socket").fileno()
        request = self._protocol.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        ts_recv = self._now()
        protocol = self._protocol
        protocol.receive_data(data)
        try:
            for event in protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event, ts_recv)
                elif isinstance(event, Response):
                    self._answered()
        except TooManyFragmentsError as e:
            protocol.fail(CloseCode.MESSAGE_TOO_BIG, str(e))
            self._flush()
            self.abort()  # who sends so much may never answer the close frame
            return
        self._flush()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._descriptor = -1  # its number may be another socket's from here on
        if self._rehearsed is not None:
            self._rehearsed[1].close()
            self._rehearsed = None
        if self._ending is not None:
            self._ending.cancel()
        protocol = self._protocol
        if protocol.state is not State.CLOSED:
            protocol.receive_eof()
        reason = str(exc or protocol.close_exc if protocol.state is State.CLOSED else exc or "connection lost")
        if not self.opened.done():
            problem = protocol.handshake_exc or exc or "the server closed the connection before the handshake"
            self.opened.set_exception(TransportError(self._url, f"cannot connect: {problem}"))
        elif not self.opened.cancelled() and self.opened.exception() is None:
            self._receiver.on_close(reason)
        if not self._over.done():
            self._over.set_result(None)

    def send(self, text: str) -> None:
        if self._protocol.state is not State.OPEN:
            raise TransportError(self._url, "the connection is over; nothing can be sent")
        self._protocol.send_text(text.encode())
        self._flush()

    def rehearse(self, text: str) -> None:
        if self._rehearsed is None and self._transport is not None:
            self._rehearsed = (Protocol(Side.CLIENT, state=State.OPEN), ScratchSocket())
        if self._rehearsed is not None:
            protocol, scratch = self._rehearsed
            protocol.send_text(text.encode())
            for piece in protocol.data_to_send():
                scratch.write(piece)

    def unread(self) -> int:
        return count_unread(self._socket())

    def pings(self) -> int:
        return self._pings

    def size_buffer(self, size: int) -> None:
        size_buffer(self._socket(), size)

    def buffer(self) -> int:
        return size_of_buffer(self._socket())

    def _socket(self) -> Any:
        return None if self._transport is None else self._transport.get_extra_info("socket")

    async def close(self) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._flush()
        await self._wait_over()

    def abort(self) -> None:
        """End it at once, without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def _wait_over(self) -> None:
        try:
            await asyncio.wait_for(asyncio.shield(self._over), _CLOSE_S)
        except TimeoutError:
            self.abort()
            await self._over
        except asyncio.CancelledError:
            self.abort()  # who asked for it waits no more
            raise

    def _take(self, frame: Frame, ts_recv: int) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                self._receiver.on_message(bytes(frame.data), ts_recv)
            else:
                self._fragments.begin(bytes(frame.data))
        elif opcode is Opcode.CONT:
            self._fragments.add(bytes(frame.data))
            if frame.fin:
                self._receiver.on_message(self._fragments.whole(), ts_recv)
        elif opcode is Opcode.PING:
            self._pings += 1

    def _answered(self) -> None:
        if self.opened.done():
            return
        error = self._protocol.handshake_exc
        if error is not None:
            self.opened.set_exception(TransportError(self._url, f"cannot connect: {error}"))
        else:
            self.opened.set_result(None)

    def _flush(self) -> None:
        """Write what the protocol wants sent: requests, pongs, close frames; an empty piece ends the stream."""
        transport = self._transport
        if transport is None:
            return
        for piece in self._protocol.data_to_send():
            if piece:
                self._write(transport, piece)
            elif transport.can_write_eof() and not transport.is_closing():
                transport.write_eof()
        if self._protocol.close_expected() and not transport.is_closing():
            if self._protocol.state is State.CLOSED:
                transport.close()
            elif self._ending is None:  # who breaks the protocol need not close the socket, and nothing is heard from here on
                self._ending = asyncio.get_running_loop().call_later(_CLOSE_S, self.abort)

    def _write(self, transport: asyncio.Transport, piece: bytes) -> None:
        """Where nothing waits to be written, the kernel has it when this returns: uvloop would keep it until its turn is over,
        and an order is not to wait for what else is done in that turn."""
        if self._descriptor >= 0 and not transport.is_closing() and transport.get_write_buffer_size() == 0:
            with contextlib.suppress(OSError):  # it is full, or gone: the transport waits, or says so
                piece = piece[os.write(self._descriptor, piece) :]
        if piece:
            transport.write(piece)


async def connect(
    url: str,
    receiver: Receiver,
    now_ns: Callable[[], int],
    *,
    headers: Mapping[str, str] | None = None,
    ssl: SSLContext | None = None,
    limit: int = MESSAGE_LIMIT,
) -> WebsocketsConnection:
    """Connect to ``url`` (ws or wss) and hand every message to ``receiver``. Raises TransportError."""
    try:
        place = parse_uri(url)
    except InvalidURI as e:
        raise TransportError(url, f"is no WebSocket URL: {e}") from None
    loop = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_connection(
            lambda: WebsocketsConnection(url, receiver, now_ns, headers=headers or {}, limit=limit),
            place.host,
            place.port,
            ssl=(ssl or True) if place.secure else None,
        )
    except OSError as e:
        raise TransportError(url, f"cannot connect: {e}") from None
    try:
        await connection.opened
    except BaseException as e:
        connection.abort()  # nobody else will: a venue that refuses may leave its end open, and who asked may be gone
        if isinstance(e, WebSocketException):
            raise TransportError(url, f"cannot connect: {e}") from None
        raise
    return connection
