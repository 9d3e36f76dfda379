"""A session at an embedded venue that halts its instrument: entries are denied until it trades again, and so in a replay."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import Any

from embedded import Embedded, embedded_venue
from sessions import finish, records, start, wait_for

from vtframe.assemble.decisions import DecisionRun
from vtframe.assemble.parity import ParityRun
from vtframe.journal.records import EntriesChanged, InputArrived, OrderApproved, OrderDenied, TradingChanged

FEED = """[feed]
use = "binance"
market = "usdm"
instruments = ["BTCUSDT"]
url = "{url}"
seed = 7
refresh_s = 0.2
duration_s = 300

"""


def configure(root: Path, folder: Path, url: str) -> Path:
    """The repository's configuration at the venue, by a model whose every whim is traded."""
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/")
    text = re.sub(r"\[feed\].*?(?=\[sampling\])", FEED.format(url=url), text, flags=re.DOTALL)
    execution = f'execution = {{ use = "binance", market = "usdm", url = "{url}" }}'
    text = re.sub(r"execution = \{.*?\}", execution, text).replace("enter = 0.5", "enter = 0.34").replace("0.34 }", "0 }")
    text = text.replace("min_edge_bps = 0.34", "min_edge_bps = -100").replace("max_age_ms = 250", "max_age_ms = 60_000")
    path = folder / "vtframe.toml"
    path.write_text(text.replace("deadline_us = 5_000", "deadline_us = 30_000_000\nstale_ms = 60_000"))
    return path


def change(venue: Embedded, **what: str) -> None:
    venue.ask("/venue/instruments", method="POST", body={"market": "usdm", "symbol": "BTCUSDT", **what})


def of(session: Path, kind: type[Any]) -> list[Any]:
    return [one for one in records(session) if isinstance(one, kind)]


def entries(found: list[Any]) -> list[Any]:
    return [one for one in found if not one.order.reduce_only]


def test_a_halt_closes_entries_as_a_journalled_event_and_a_change_of_tick_is_told(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with embedded_venue() as venue:
        change(venue, status="BREAK")
        process = start(configure(root, tmp_path, venue.url), session)
        wait_for((session / "journal").exists, process)
        wait_for(lambda: of(session, OrderDenied), process)
        assert not of(session, OrderApproved)
        change(venue, status="TRADING", tick="0.5")
        wait_for(lambda: of(session, OrderApproved), process)
        change(venue, status="SETTLING")
        wait_for(lambda: len(of(session, TradingChanged)) == 3, process)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        code, _, err = finish(process)
        assert code == 130, err
    changes = of(session, TradingChanged)
    assert [(one.instrument, one.trading) for one in changes] == [("BTCUSDT@binance_usdm", on) for on in (False, True, False)]
    halted, opened, closed = (one.input for one in changes)
    denied = of(session, OrderDenied)[0]
    assert denied.denied.policy == "not_trading"
    assert denied.denied.reason == "the venue does not trade BTCUSDT@binance_usdm"
    assert denied.order.input > halted
    assert all(opened < one.order.input < closed for one in entries(of(session, OrderApproved)))
    told = [one.text for one in of(session, InputArrived) if "instrument changed" in one.text]
    assert told[0].endswith("instrument changed: status BREAK -> TRADING, tick_size 0.10 -> 0.50")
    assert told[1].endswith("instrument changed: status TRADING -> SETTLING")
    found = DecisionRun(session).run()
    assert found.passed, (found.first_difference, found.problems)
    rows = ParityRun(session).run()
    assert rows.passed, rows.problems


def test_rows_are_made_again_of_a_session_whose_venue_closed_its_entries_for_a_while(root: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    with embedded_venue() as venue:
        process = start(configure(root, tmp_path, venue.url), session)
        wait_for((session / "journal").exists, process)
        wait_for(lambda: entries(of(session, OrderApproved)), process)
        venue.ask("/venue/faults", method="POST", body={"kind": "disconnect", "path": "*ws-fapi*"})
        wait_for(lambda: len(of(session, EntriesChanged)) >= 2, process)
        process.send_signal(signal.SIGINT)
        code, _, err = finish(process)
        assert code == 130, err
    rows = ParityRun(session).run()
    assert rows.passed, rows.problems
