"""`vtframe run` trading at a venue: journalled before the send, reported by what came back, stopped in order."""

from __future__ import annotations

import gzip
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from left_behind import contents
from order_venue import KEY, SECRET, ScriptedVenue
from sessions import configure, finish, records, report_in, serving, start, wait_for

from vtframe.assemble.decisions import DecisionRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.domain import OrderFilled, OrderLost
from vtframe.errors import JournalWriteError
from vtframe.journal import JournalWriter
from vtframe.journal.records import EntriesChanged, OrderApproved, OrderEventArrived, OrderReported


def decided_again(session: Path) -> None:
    """What the journal has of the venue leads to the same decisions, without a venue."""
    found = DecisionRun(session).run()
    assert found.passed, (found.first_difference, found.problems)
    assert found.decisions == found.compared == found.identical > 3


def test_a_session_trades_and_ends_with_the_venues_position(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with serving(ScriptedVenue()) as venue:
        code, out, err = finish(start(configure(root, tmp_path, venue.url), session))
        assert code == 0, err
        report = report_in(out)
        assert report["orders"]["filled"] > 3
        assert report["orders"]["open"] == 0
        assert {order.name for order in venue.orders.values()} == {
            one.order.client_order_id for one in records(session) if isinstance(one, OrderApproved)
        }
        held = Decimal(report["lanes"]["demo"]["positions"].get("BTCUSDT@binance_usdm", "0"))
        assert held == venue.position()
        assert not venue.refusals
    assert report["counts"]["fills"] == sum(len(order.trades) for order in venue.orders.values())
    assert report["pnl"]["BNB"]["fees"] == pytest.approx(0.01 * report["counts"]["fills"])
    assert report["pnl"]["USDT"]["fees"] == 0
    decided_again(session)


def test_every_event_of_the_venue_is_a_numbered_input_before_anything_follows_from_it(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with serving(ScriptedVenue()) as venue:
        code, _, err = finish(start(configure(root, tmp_path, venue.url, duration_s=15), session))
    assert code == 0, err
    arrived: dict[int, OrderEventArrived] = {}
    reported = 0
    for record in records(session):
        if isinstance(record, OrderEventArrived):
            assert record.number not in arrived
            assert record.number > max(arrived, default=-1)
            arrived[record.number] = record
        elif isinstance(record, OrderReported):
            assert arrived[record.input].event == record.event
            reported += 1
    assert reported == len(arrived) > 3


def test_an_order_is_in_the_journal_before_the_venue_has_it(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with serving(ScriptedVenue()) as venue:
        process = start(configure(root, tmp_path, venue.url), session)

        async def kill(socket: Any, request_id: Any, order: Any) -> None:
            os.kill(process.pid, signal.SIGKILL)

        venue.on_place = kill
        wait_for(lambda: venue.orders, process)
        finish(process)
    (name,) = venue.orders
    assert name in {one.order.client_order_id for one in records(session) if isinstance(one, OrderApproved)}


def test_a_stop_cancels_what_works_and_waits_for_its_end(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with serving(ScriptedVenue()) as venue:

        async def rest(socket: Any, request_id: Any, order: Any) -> None:
            await venue.acknowledge(socket, request_id, order)
            await venue.tell(order, "NEW")

        venue.on_place = rest
        process = start(configure(root, tmp_path, venue.url, duration_s=3000), session)
        wait_for(lambda: any(isinstance(one, OrderReported) for one in records(session)) if venue.orders else False, process)
        process.send_signal(signal.SIGINT)
        code, out, err = finish(process)
        assert code == 130, err
        assert {order.status for order in venue.orders.values()} == {"CANCELED"}
    report = report_in(out)
    assert (report["orders"]["canceled"], report["orders"]["open"]) == (len(venue.orders), 0)


def test_what_a_venue_never_answers_is_unknown_in_the_report_and_on_the_terminal(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with serving(ScriptedVenue()) as venue:

        async def nothing(socket: Any, request_id: Any, order: Any) -> None:
            """Taken, and never mentioned."""

        venue.on_place = venue.on_cancel = nothing
        venue._take_before = venue._take  # type: ignore[attr-defined]

        async def no_questions(socket: Any, request: Any) -> None:
            if request["method"] != "order.status":
                await venue._take_before(socket, request)  # type: ignore[attr-defined]

        venue._take = no_questions  # type: ignore[method-assign]
        config = configure(root, tmp_path, venue.url, duration_s=3000, more=", stop_timeout_s = 0.5, ack_timeout_ms = 100")
        process = start(config, session)
        wait_for(lambda: venue.orders, process)
        process.send_signal(signal.SIGINT)
        _, out, err = finish(process)
    report = report_in(out)
    count = report["orders"]["unknown"]
    assert count == report["orders"]["open"] >= 1
    assert f"{count} orders are UNKNOWN" in err
    assert any("UNKNOWN" in warning for warning in report["warnings"])
    lost = [one.event for one in records(session) if isinstance(one, OrderReported) and isinstance(one.event, OrderLost)]
    assert {event.client_order_id for event in lost} >= set(venue.orders) & {event.client_order_id for event in lost}


def test_a_connection_that_is_lost_and_comes_back_is_in_the_journal_and_trading_goes_on(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with serving(ScriptedVenue()) as venue:
        dropped: list[int] = []

        async def drop_once(socket: Any, request_id: Any, order: Any) -> None:
            if dropped:
                await venue.fill_or_rest(socket, request_id, order)
                return
            dropped.append(1)
            venue.trade(order, order.quantity)
            await venue.drop()

        venue.on_place = drop_once
        code, out, err = finish(start(configure(root, tmp_path, venue.url, duration_s=60), session))
        assert code == 0, err
        held = Decimal(report_in(out)["lanes"]["demo"]["positions"].get("BTCUSDT@binance_usdm", "0"))
        assert held == venue.position()
    changes = [one for one in records(session) if isinstance(one, EntriesChanged)]
    assert changes[0].reason.startswith("the connection for")
    assert {one.allowed for one in changes} == {False, True}
    assert {one.lane for one in changes} == {"demo"}
    fills = [one for one in records(session) if isinstance(one, OrderReported) and isinstance(one.event, OrderFilled)]
    assert len(fills) > 1
    placed = [params["newClientOrderId"] for method, params in venue.seen if method == "order.place"]
    assert len(placed) == len(set(placed))
    decided_again(session)


def test_a_session_that_cannot_log_on_says_why_and_sends_nothing(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with serving(ScriptedVenue()) as venue:
        venue.dual = True
        code, _, err = finish(start(configure(root, tmp_path, venue.url), session))
    assert code == 1
    assert "binance usdm at http://127.0.0.1:" in err
    assert "hedge mode" in err
    assert "Traceback" not in err
    assert not venue.orders


def ed25519() -> tuple[str, Any]:
    """A new private key as PEM, and its public one."""
    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), private.public_key()


@pytest.mark.parametrize(("market", "kind"), [("usdm", "hmac"), ("usdm", "wrong"), ("spot", "hmac"), ("spot", "ed25519")])
def test_no_secret_is_in_anything_that_a_session_leaves_or_prints(
    root: Path, tmp_path: Path, market: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = tmp_path / "session"
    secrets = [KEY, SECRET, "listen-1", "listen-2"]
    public = None
    if kind == "wrong":
        secrets.append("wrong-secret-5501")
        monkeypatch.setenv("VENUE_SECRET", secrets[-1])
    elif kind == "ed25519":
        pem, public = ed25519()
        secrets.append(pem.splitlines()[1])
        monkeypatch.setenv("VENUE_SECRET", pem)
    with serving(ScriptedVenue(public_key=public)) as venue:
        process = start(configure(root, tmp_path, venue.url, market=market, duration_s=20), session)
        seen = b""
        if kind != "wrong":

            async def repeat_it(socket: Any, request_id: Any, params: Any) -> bool:
                await venue.refuse(socket, request_id, -2015, f"Invalid API-key {KEY}, {os.environ['VENUE_SECRET']}")
                await venue.drop()
                return False

            venue.before_place = repeat_it
            wait_for(lambda: venue.seen, process)
            seen = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        _, out, err = finish(process)
    found = contents(session)
    assert any("journal" in name for name in found)
    assert any(name.endswith("config.toml") for name in found)
    found |= {"stdout": out.encode(), "stderr": err.encode(), "process list": seen}
    for where, data in found.items():
        for secret in secrets:
            assert secret.encode() not in data, where
    if kind != "wrong":
        assert any(b"Invalid API-key ***, ***" in data for data in found.values())
        assert any(b'"vtframe":' in data for name, data in found.items() if name.endswith(".zst unpacked"))
        assert any(b"update_id" in data for name, data in found.items() if name.endswith(".parquet unpacked"))


def test_what_is_packed_is_looked_through_as_well(tmp_path: Path) -> None:
    secret = "planted in the middle of other words"  # noqa: S105 - planted, to be looked for
    words = [f"{k} {secret if k == 500 else 'nothing'}" for k in range(1_000)]
    packed = zstandard.compress("\n".join(words[:100]).encode()) + zstandard.compress("\n".join(words[100:]).encode())
    (tmp_path / "one.zst").write_bytes(packed)
    (tmp_path / "two.gz").write_bytes(gzip.compress("\n".join(words).encode()))
    pq.write_table(pa.table({"words": words}), tmp_path / "three.parquet", compression="zstd")
    pq.write_table(pa.table({"n": [1]}).replace_schema_metadata({"by": secret * 30}), tmp_path / "four.parquet")
    found = contents(tmp_path)
    for name in ("one.zst", "two.gz", "three.parquet", "four.parquet"):
        assert secret.encode() in found[f"{tmp_path / name} unpacked"], name


def test_a_journal_that_does_not_take_a_venues_event_stops_the_session_with_that_error(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = JournalWriter.write

    def full(self: JournalWriter, *records: Any) -> None:
        if isinstance(records[0], OrderEventArrived):
            raise JournalWriteError("the journal", "cannot be written: the disk is full")
        written(self, *records)

    monkeypatch.setattr(JournalWriter, "write", full)
    with serving(ScriptedVenue()) as venue:
        more = ", stop_timeout_s = 0.5"
        config = configure(root, tmp_path, venue.url, duration_s=3000, more=more)
        session = assemble(config, Wishes(folder=tmp_path / "session")).session
        with pytest.raises(JournalWriteError, match="the disk is full"):
            session.run()
        assert len(venue.orders) >= 1
    assert session.reason.startswith("failed")
