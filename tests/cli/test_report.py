"""`vtframe report` and the report behind it: from the journal, killed sessions too; bad input is one clear message."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from session_folders import (
    INSTRUMENT,
    START,
    busy_session,
    checkpoint,
    denied,
    failed_lane,
    started,
    trade,
    write_session,
)

from vtframe.cli.main import cli
from vtframe.cli.summary import print_summary
from vtframe.domain import Side
from vtframe.engine.report import differences, report_of, stored_report, write_report
from vtframe.engine.tally import Tally
from vtframe.errors import SessionError
from vtframe.journal import JournalReader
from vtframe.journal.records import InputArrived, Record, SessionStopped
from vtframe.journal.segment import HEADER_BYTES


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", *arguments])


def rendered(report: dict, folder: Path = Path("sessions/s"), *, width: int = 100) -> str:
    out = io.StringIO()
    print_summary(report, folder, Console(file=out, width=width, highlight=False, force_terminal=True, color_system=None))
    return out.getvalue()


@pytest.fixture
def session(tmp_path) -> Path:
    return write_session(tmp_path / "s", busy_session())


def test_the_report_has_the_shape_that_scripts_rely_on(session) -> None:
    report = report_of(session)
    counts = {"frames", "events", "gaps", "resyncs", "rows", "predictions", "late", "stale", "conflated"}
    assert counts | {"intents", "orders", "fills"} <= set(report["counts"])
    percentiles = {"p50", "p99", "p999", "max", "count"}
    stages = ["decode", "book", "features", "inference", "strategy", "risk", "submit", "tick_to_order"]
    assert list(report["latency_ns"]) == stages
    assert all(set(values) == percentiles for values in report["latency_ns"].values())
    assert set(report["prediction_age_ns"]) == percentiles
    assert report["quality"]["direction"]["10"]["count"] == 45_210
    assert set(report["pnl"]["USDT"]) == {"gross", "fees", "net"}
    assert report["denials"] == {"max_position": 2, "order_rate": 1}
    assert {"decisions", "config", "schema", "rows", "model direction"} == set(report["hashes"])


def test_orders_fills_profit_and_positions_come_from_the_journal(session) -> None:
    report = report_of(session)
    assert (report["counts"]["orders"], report["counts"]["fills"], report["counts"]["intents"]) == (6, 4, 4)
    assert report["orders"] == {"approved": 6, "filled": 4, "canceled": 1, "expired": 0, "rejected": 1, "open": 0}
    assert report["pnl"]["USDT"] == {"gross": 0.75, "fees": 0.096, "net": 0.654}
    assert report["lanes"]["main"]["positions"] == {INSTRUMENT: "-0.005"}
    assert report["warnings"] == []
    assert report["session"]["events_per_second"] == pytest.approx(1_203_411 / 12.5)
    assert report["unknown_frames"] == {"markPriceUpdate": 345}


def test_report_json_and_the_journal_agree(session) -> None:
    assert stored_report(session) is None
    write_report(session, report_of(session))
    stored = stored_report(session)
    assert stored is not None
    assert differences(report_of(session), stored) == []
    assert sorted(p.name for p in session.iterdir()) == ["journal", "report.json"]
    result = invoke(str(session), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, stored)


def test_a_report_json_that_says_something_else_is_shown_with_both_values(session) -> None:
    report = report_of(session)
    report["counts"]["fills"] = 5
    report["extra"] = 1
    write_report(session, report)
    result = invoke(str(session))
    assert result.exit_code == 1
    assert "report.json differs from the journal: counts.fills: 4, 5" in result.stderr
    assert "report.json differs from the journal: extra: None, 1" in result.stderr


@pytest.mark.parametrize("keep", range(1, len(busy_session()) + 1))
def test_a_session_killed_after_any_record_has_a_report(tmp_path, keep) -> None:
    records = busy_session()[:keep]
    report = report_of(write_session(tmp_path / "s", records))
    orderly = keep == len(busy_session())
    assert report["session"]["orderly"] is orderly
    assert report["session"]["reason"] == ("end of data" if orderly else "no orderly stop")
    assert report["counts"]["frames"] == (None if keep == 1 else 93_954)
    kinds = [type(r).__name__ for r in records]
    assert report["counts"]["orders"] == kinds.count("OrderApproved")
    assert report["counts"]["intents"] == kinds.count("IntentFormed")
    assert sum(report["denials"].values()) == kinds.count("OrderDenied")
    ends = ("filled", "canceled", "rejected", "expired", "open")
    assert sum(report["orders"][end] for end in ends) == report["orders"]["approved"]
    text = rendered(report)
    assert ("no orderly stop" in text) is not orderly


def test_a_torn_tail_is_said(session) -> None:
    path = session / "journal" / "000001.vtj"
    os.truncate(path, path.stat().st_size - 3)
    report = report_of(session)
    assert report["journal"]["torn"]["file"] == "000001.vtj"
    assert report["session"]["reason"] == "no orderly stop"
    result = invoke(str(session))
    assert result.exit_code == 0
    assert "torn tail of 000001.vtj cut at byte" in result.stdout


def test_a_position_that_the_fills_do_not_add_up_to_is_a_warning(tmp_path) -> None:
    records = [started(), *trade("s-1", Side.BUY, 10, 10), *trade("s-2", Side.BUY, 10, 19)]
    report = report_of(write_session(tmp_path / "s", records))
    assert report["lanes"]["main"]["positions"] == {INSTRUMENT: "0.020"}
    assert f"lane main: {INSTRUMENT} is 20 by its fills and 19 in the journal" in report["warnings"]


def test_a_fill_of_an_order_that_was_never_journalled_is_a_warning(tmp_path) -> None:
    records = [started(), trade("s-1", Side.BUY, 10, 10)[-1]]
    report = report_of(write_session(tmp_path / "s", records))
    assert report["counts"]["fills"] == 0
    assert "OrderFilled of s-1, an order that the journal does not have" in report["warnings"]


def test_lanes_are_told_apart_and_add_up(tmp_path) -> None:
    records: list[Record] = [
        started(lanes=("main", "shadow")),
        *trade("s-1", Side.BUY, 10, 10),
        *trade("s-2", Side.SELL, 10, 0, realized="2"),
        *trade("s-3", Side.SELL, 4, -4, lane="shadow"),
        denied("s-4", "price_collar", lane="shadow"),
        failed_lane(),
        checkpoint(),
        SessionStopped(ts=1, reason="end of data"),
    ]
    report = report_of(write_session(tmp_path / "s", records))
    main, shadow = report["lanes"]["main"], report["lanes"]["shadow"]
    assert (main["fills"], shadow["fills"]) == (2, 1)
    assert main["pnl"]["USDT"]["net"] + shadow["pnl"]["USDT"]["net"] == pytest.approx(report["pnl"]["USDT"]["net"])
    assert shadow["denials"] == {"price_collar": 1}
    text = rendered(report)
    assert "lane shadow, USDT" in text
    assert "main: on_prediction raised ZeroDivisionError" in text


def test_two_sessions_that_decided_alike_have_one_hash_and_others_another(tmp_path) -> None:
    def decisions(records: list[Record]) -> str:
        tally = Tally()
        for record in records:
            tally.add(record)
        return tally.decisions()

    def renamed(records: list[Record]) -> list[Record]:
        encoded = msgspec.json.encode(records).replace(b'"s-', b'"other-')
        return list(msgspec.json.decode(encoded, type=list[Record]))

    records = busy_session()
    assert decisions(renamed(records)) == decisions(records)
    noise = InputArrived(number=1, kind=4, ts=5, text="timer")
    assert decisions([*records[:2], noise, *records[2:]]) == decisions(records)
    for i, record in enumerate(records):
        if type(record).__name__ in {"IntentFormed", "OrderApproved", "OrderDenied", "CancelSent"}:
            assert decisions(records[:i] + records[i + 1 :]) != decisions(records), record


@pytest.mark.parametrize("width", [80, 100])
def test_the_summary_fits_its_width_and_says_what_matters(session, width) -> None:
    text = rendered(report_of(session), width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for words in (
        "20240809-000000-abc  end of data",
        "96,273 events/s",
        "tick to order",
        "direction, 10 rows",
        "0.528",
        "0.213",
        "samples",
        "majority class",
        "USDT",
        "max_position",
        "-0.005 BTCUSDT@binance",
        "markPriceUpdate 345",
        "session folder  sessions/s",
    ):
        assert words in text, words


def test_the_summary_shows_what_open_positions_are_worth_and_when_predictions_began(tmp_path) -> None:
    seen = checkpoint(first_prediction_at_ns=START + 754_000_000, unrealized={"USDT": "-1.5"})
    records = [started(), *trade("s-1", Side.BUY, 10, 10), seen]
    text = rendered(report_of(write_session(tmp_path / "s", records)))
    assert "first prediction after 0.75 s" in text
    assert "still held, at mid" in text
    assert "-1.5000" in text
    assert "main: 0.010 BTCUSDT@binance (not in the realized profit)" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_a_session_in_which_nothing_happened_has_a_summary(tmp_path) -> None:
    text = rendered(report_of(write_session(tmp_path / "s", [started()])))
    assert "nothing was measured" in text
    assert re.search(r"^frames +\? +events +\? +gaps +\? +resyncs +\? *$", text, re.MULTILINE)


def test_a_long_path_is_never_cut_in_two(session, tmp_path) -> None:
    folder = tmp_path / ("x" * 120) / "s"
    assert f"session folder  {folder}\n" in rendered(report_of(session), folder)


def test_bad_input_is_one_clear_message_and_exit_code_2(tmp_path, session) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "hollow" / "journal").mkdir(parents=True)
    write_session(tmp_path / "headless", [InputArrived(number=1, kind=4, ts=5)])
    write_session(tmp_path / "silent", [started()])
    silent = tmp_path / "silent" / "journal" / "000001.vtj"
    os.truncate(silent, HEADER_BYTES + 5)
    damaged = shutil.copytree(session, tmp_path / "damaged") / "journal" / "000001.vtj"
    data = bytearray(damaged.read_bytes())
    data[HEADER_BYTES + 20] ^= 1
    damaged.write_bytes(data)
    nonsense = shutil.copytree(session, tmp_path / "nonsense")
    (nonsense / "report.json").write_text("{")
    for name, expected in {
        "nowhere": "nowhere: does not exist; name the folder that `vtframe run` printed",
        "file": "file: is not a folder",
        "empty": "empty: is not a session folder: it has no journal",
        "hollow": "holds no journal segment",
        "headless": "begins with InputArrived, expected SessionStarted",
        "silent": "its journal is empty",
        "damaged": f"000001.vtj at byte {HEADER_BYTES}: a record does not match its checksum",
        "nonsense": "report.json: cannot be read",
    }.items():
        result = invoke(str(tmp_path / name))
        assert result.exit_code == 2, name
        assert expected in result.stderr
        assert result.stderr.startswith("error: ")
        assert len(result.stderr.splitlines()) == 1
        assert result.stdout == ""


def test_a_report_that_cannot_be_written_leaves_the_old_one(session, monkeypatch) -> None:
    old = {"format_version": 1, "old": 1}
    write_report(session, old)

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SessionError, match=r"report\.json: cannot be written: No space left on device"):
        write_report(session, report_of(session))
    assert stored_report(session) == old
    assert sorted(p.name for p in session.iterdir()) == ["journal", "report.json"]


def test_everything_a_checkpoint_carries_beyond_the_contract_is_kept(tmp_path) -> None:
    records = [started(), checkpoint(first_prediction_seconds=1.5)]
    assert report_of(write_session(tmp_path / "s", records))["first_prediction_seconds"] == 1.5


def test_the_journal_of_a_session_is_untouched_by_its_report(session) -> None:
    before = (session / "journal" / "000001.vtj").read_bytes()
    report_of(session)
    assert (session / "journal" / "000001.vtj").read_bytes() == before
    assert len(list(JournalReader(session / "journal"))) == len(busy_session())


def test_a_report_of_another_format_version_is_refused_and_one_with_fewer_keys_is_not(session, capsys) -> None:
    report = report_of(session)
    write_report(session, {key: value for key, value in report.items() if key not in {"codec_fallbacks", "damage"}})
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", str(session)])
    assert stopped.value.code == 0, capsys.readouterr().err
    write_report(session, {**report, "format_version": 99})
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", str(session)])
    assert stopped.value.code == 2
    assert "format version 99" in capsys.readouterr().err
