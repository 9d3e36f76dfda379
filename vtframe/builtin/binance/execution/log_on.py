"""What is said first on a connection to the WebSocket API: who we are, where the key can say so once, and spot's user data."""

from __future__ import annotations

from vtframe.builtin.binance.execution.hosts import Market
from vtframe.builtin.binance.execution.server_clock import ServerClock
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.builtin.binance.execution.ws_api import ApiConnection


async def log_on(api: ApiConnection, market: Market, signer: Signer, server: ServerClock, *, recv_window_ms: int) -> None:
    """Raises VenueError or TransportError."""
    if signer.logs_on:
        await api.ask("session.logon", signer.signed({"recvWindow": recv_window_ms, "timestamp": server.now_ms()}))
    if market == "spot" and signer.logs_on:
        await api.ask("userDataStream.subscribe", {})
    elif market == "spot":
        await api.ask("userDataStream.subscribe.signature", signer.signed({"timestamp": server.now_ms()}))
