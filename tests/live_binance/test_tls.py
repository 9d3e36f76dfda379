"""TLS is verified, for streams, orders and REST: a venue whose certificate nobody vouches for gets no word."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vtframe.builtin.binance.execution.hosts import NAMED
from vtframe.builtin.binance.execution.private_stream import PrivateStream
from vtframe.builtin.binance.execution.rest import Rest
from vtframe.builtin.binance.execution.server_clock import ServerClock
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.builtin.binance.execution.ws_api import ApiConnection
from vtframe.builtin.binance.places import MARKETS, PLACES
from vtframe.builtin.binance.rest import RestClient, RestError
from vtframe.builtin.binance.weights import Weights
from vtframe.clock import LiveClock
from vtframe.secret import Secret
from vtframe.transport import Library, TransportError, connect


class Nobody:
    """A receiver that must not hear anything."""

    def on_message(self, data: bytes, ts_recv: int) -> None:
        raise AssertionError(data)

    def on_close(self, reason: str) -> None:
        raise AssertionError(reason)


def own_certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that its owner has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def with_server(folder: Path, ask: Callable[[str], Awaitable[None]]) -> int:
    """Requests that reached the handlers while ``ask`` ran with the server's address (HOST:PORT)."""
    heard = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal heard
        heard += 1
        return web.Response(body=b"{}")

    async def main() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=own_certificate(folder)).start()
        try:
            await ask(f"127.0.0.1:{runner.addresses[0][1]}")
        finally:
            await runner.cleanup()

    asyncio.run(main())
    return heard


def test_rest_refuses_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    async def ask(address: str) -> None:
        async with RestClient(f"https://{address}", Weights(LiveClock(), 100), timeout_s=5.0) as client:
            with pytest.raises(RestError, match=r"(?i)certificate"):
                await client.get("depth", weight=1)

    assert with_server(tmp_path, ask) == 0


@pytest.mark.parametrize("library", ["websockets", "picows"])
def test_streams_refuse_a_certificate_that_nobody_vouches_for(tmp_path: Path, library: Library) -> None:
    async def ask(address: str) -> None:
        with pytest.raises(TransportError, match=r"(?i)certificate"):
            await connect(f"wss://{address}/stream", Nobody(), lambda: 0, library=library)

    assert with_server(tmp_path, ask) == 0


def order_rest(address: str) -> Rest:
    clock = LiveClock()
    return Rest(
        f"https://{address}",
        "usdm",
        signer=Signer(Secret("a key"), Secret("a secret")),
        clock=ServerClock(clock),
        recv_window_ms=5_000,
        weights=Weights(clock, 2400),
        learn=str,
    )


QUESTIONS: dict[str, Callable[[Rest], Awaitable[object]]] = {
    "time": lambda rest: rest.time(),
    "account": lambda rest: rest.account(),
    "listen key": lambda rest: rest.listen_key(),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_orders_rest_refuses_a_certificate_that_nobody_vouches_for(
    tmp_path: Path, question: Callable[[Rest], Awaitable[object]]
) -> None:
    async def ask(address: str) -> None:
        rest = order_rest(address)
        rest.open()
        try:
            with pytest.raises(TransportError, match=r"(?i)certificate"):
                await question(rest)
        finally:
            await rest.close()

    assert with_server(tmp_path, ask) == 0


@pytest.mark.parametrize("library", ["websockets", "picows"])
def test_the_order_socket_refuses_a_certificate_that_nobody_vouches_for(tmp_path: Path, library: Library) -> None:
    over: list[str] = []

    async def ask(address: str) -> None:
        connection = ApiConnection(
            f"wss://{address}/ws-fapi/v1",
            LiveClock(),
            library=library,
            on_answer=over.append,  # type: ignore[arg-type]
            on_event=over.append,  # type: ignore[arg-type]
            on_over=over.append,
            on_broken=over.append,
            admit=lambda: None,
            note=over.append,  # type: ignore[arg-type]
            learn=over.append,  # type: ignore[arg-type]
        )
        with pytest.raises(TransportError, match=r"(?i)certificate"):
            await connection.open()
        with pytest.raises(TransportError, match="is not connected"):
            connection.send("an order")

    assert with_server(tmp_path, ask) == 0
    assert over == []


class KeyAtHand:
    """As much of a REST client as a user data stream needs."""

    async def listen_key(self) -> str:
        return "planted-listen-key"


@pytest.mark.parametrize("library", ["websockets", "picows"])
def test_user_data_refuses_a_certificate_that_nobody_vouches_for_and_does_not_show_its_key(
    tmp_path: Path, library: Library
) -> None:
    async def ask(address: str) -> None:
        stream = PrivateStream(
            f"wss://{address}/private/ws/",
            KeyAtHand(),  # type: ignore[arg-type]
            LiveClock(),
            library=library,
            on_event=str,  # type: ignore[arg-type]
            on_over=str,  # type: ignore[arg-type]
        )
        with pytest.raises(TransportError, match=r"(?i)certificate") as caught:
            await stream.open()
        assert "planted-listen-key" not in str(caught.value)
        await stream.close()

    assert with_server(tmp_path, ask) == 0


def test_every_real_host_is_asked_over_tls() -> None:
    roots = [place.rest for places in PLACES.values() for place in places.values()]
    sockets = [root for places in PLACES.values() for place in places.values() for root in place.sockets.values()]
    assert len(roots) == 2 * len(MARKETS)
    assert all(root.startswith("https://") for root in roots)
    assert all(root.startswith("wss://") for root in sockets)
    assert len(NAMED) == 4
    for hosts in NAMED.values():
        assert hosts.rest.startswith("https://")
        assert hosts.ws_api.startswith("wss://")
    assert all(hosts.private.startswith("wss://") for (_, market), hosts in NAMED.items() if market == "usdm")
