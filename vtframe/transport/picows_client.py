"""The fast lane: picows, a WebSocket client in C (extra ``fast``). The same contract, a fifth of the cost per message."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial
from ssl import SSLContext
from typing import Any

from vtframe.transport.contract import MESSAGE_LIMIT, Receiver, TransportError, count_unread, size_buffer

_CLOSE_S = 3.0
_TURNS = 4  # of the loop, in which a transport sees the end of its socket and is closed
logging.getLogger("picows").addHandler(logging.NullHandler())  # what it logs of an end is the reason that the receiver hears


class PicowsConnection:
    """One connection; ``listener`` is what picows calls."""

    def __init__(self, url: str, transport: Any, over: asyncio.Future[None], end: asyncio.Task[None]) -> None:
        self._url = url
        self._end = end  # kept: the loop holds tasks weakly
        self._transport = transport
        self._over = over

    def send(self, text: str) -> None:
        import picows  # noqa: PLC0415 - an extra

        if self._over.done() or self._transport.is_close_frame_sent:
            raise TransportError(self._url, "the connection is over; nothing can be sent")
        self._transport.send(picows.WSMsgType.TEXT, text.encode())

    def unread(self) -> int:
        return count_unread(self._socket())

    def size_buffer(self, size: int) -> None:
        size_buffer(self._socket(), size)

    def _socket(self) -> Any:
        return self._transport.underlying_transport.get_extra_info("socket")

    async def close(self) -> None:
        if not self._over.done():
            self._transport.send_close(1000)
        try:
            await asyncio.wait_for(asyncio.shield(self._over), _CLOSE_S)
        except TimeoutError:
            self._transport.disconnect()
            await self._over
        except asyncio.CancelledError:
            self._transport.disconnect()  # who asked for it waits no more
            raise


def _listener(receiver: Receiver, now_ns: Callable[[], int], over: asyncio.Future[None], limit: int) -> Any:
    """A picows listener that hands whole messages on. A class made here, for its base is an extra's."""
    import picows  # noqa: PLC0415

    text, binary, continuation, close = (
        picows.WSMsgType.TEXT,
        picows.WSMsgType.BINARY,
        picows.WSMsgType.CONTINUATION,
        picows.WSMsgType.CLOSE,
    )

    class Listener(picows.WSListener):
        def __init__(self) -> None:
            self._parts = bytearray()  # of a message in fragments: bytes alone, or empty fragments could fill the memory
            self._reason = "connection lost"

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            kind = frame.msg_type
            size = frame.payload_size + (len(self._parts) if kind == continuation else 0)
            if size > limit:  # picows ends the connection over a frame's size, but hands the frame on
                self._reason = f"a message of {size} bytes or more, over the limit of {limit}"
                self._parts = bytearray()
                transport.disconnect()
            elif kind in (text, binary) and frame.fin:
                receiver.on_message(frame.get_payload_as_bytes(), now_ns())
            elif kind in (text, binary):
                self._parts = bytearray(frame.get_payload_as_bytes())
            elif kind == continuation:
                self._parts += frame.get_payload_as_bytes()
                if frame.fin:
                    whole, self._parts = bytes(self._parts), bytearray()
                    receiver.on_message(whole, now_ns())
            elif kind == close:
                self._reason = f"closed by the server: {frame.get_close_code()} {frame.get_close_reason() or ''}".rstrip()
                transport.send_close(frame.get_close_code())
                transport.disconnect()

        def on_ws_disconnected(self, transport: Any) -> None:
            receiver.on_close(self._reason)
            if not over.done():
                over.set_result(None)

    return Listener


async def connect(
    url: str,
    receiver: Receiver,
    now_ns: Callable[[], int],
    *,
    headers: Mapping[str, str] | None = None,
    ssl: SSLContext | None = None,
    limit: int = MESSAGE_LIMIT,
) -> PicowsConnection:
    """Connect to ``url`` (ws or wss) and hand every message to ``receiver``. Raises TransportError."""
    try:
        import picows  # noqa: PLC0415 - an extra: only who asks for it needs it
    except ImportError:
        raise TransportError(url, "picows is not installed; pip install 'vtframe[fast]', or use websockets") from None
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    made: list[socket.socket] = []
    try:
        transport, _ = await picows.ws_connect(
            _listener(receiver, now_ns, over, limit),
            url,
            ssl_context=ssl,
            extra_headers=dict(headers or {}),
            max_frame_size=limit,
            max_redirects=0,  # headers may hold a key, and it is for this address alone
            socket_factory=partial(_connected, made),
        )
    except (OSError, picows.WSError, TimeoutError, asyncio.CancelledError) as e:
        for one in made:  # picows leaves it open, and its transport with it, which sees this as the end
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if isinstance(e, asyncio.CancelledError):
            raise
        raise TransportError(url, f"cannot connect: {e}") from None
    return PicowsConnection(url, transport, over, asyncio.create_task(_end(transport)))


async def _connected(made: list[socket.socket], place: Any) -> socket.socket:
    """A socket to the first address of ``place`` that can be reached; it is noted in ``made``. Raises OSError."""
    loop = asyncio.get_running_loop()
    problem: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM):
        one = socket.socket(family, kind, protocol)
        one.setblocking(False)  # noqa: FBT003 - the socket module takes it so
        try:
            await loop.sock_connect(one, address)
        except OSError as e:
            one.close()
            problem = e
        except asyncio.CancelledError:
            one.close()
            raise
        else:
            made.append(one)
            return one
    raise problem or OSError(f"{place.host} has no address")


async def _end(transport: Any) -> None:
    """Wait for the end of the connection and take its error, which the listener has told as the reason."""
    import picows  # noqa: PLC0415

    with contextlib.suppress(OSError, picows.WSError):
        await transport.wait_disconnected()
