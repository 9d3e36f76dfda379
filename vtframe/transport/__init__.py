"""WebSocket transports behind one contract: ``connect(url, receiver, now_ns, library=...)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Literal

from vtframe.transport import picows_client, websockets_client
from vtframe.transport.contract import MESSAGE_LIMIT, Connection, Receiver, TransportError

__all__ = ["MESSAGE_LIMIT", "Connection", "Library", "Receiver", "TransportError", "connect"]

Library = Literal["websockets", "picows"]


async def connect(
    url: str,
    receiver: Receiver,
    now_ns: Callable[[], int],
    *,
    library: Library = "websockets",
    headers: Mapping[str, str] | None = None,
    ssl: SSLContext | None = None,
    limit: int = MESSAGE_LIMIT,
    receive_buffer: int = 0,
) -> Connection:
    """Connect to ``url`` and hand every message to ``receiver``; ``now_ns`` is the clock of ``ts_recv``.

    A message over ``limit`` bytes ends the connection. ``receive_buffer`` asks for a socket buffer of so many bytes. wss is
    verified against the system's certificates unless ``ssl`` says otherwise. Raises TransportError.
    """
    if library == "picows":
        made: Connection = await picows_client.connect(url, receiver, now_ns, headers=headers, ssl=ssl, limit=limit)
    else:
        made = await websockets_client.connect(url, receiver, now_ns, headers=headers, ssl=ssl, limit=limit)
    made.size_buffer(receive_buffer)
    return made
