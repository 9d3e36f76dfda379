"""Shadow lanes: as if they traded, beside an account that does not know of them; and how they come to trade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vtframe.assemble.check import examine
from vtframe.assemble.parity import ParityRun
from vtframe.engine.commands import Promote, RollBack, Status, Swap
from vtframe.engine.session import Session
from vtframe.errors import ConfigError, SessionError
from vtframe.journal.reader import JournalReader
from vtframe.journal.records import IntentFormed, LanesExchanged, OrderApproved
from vtframe.plugins.local import load_local

rig: Any = load_local(Path(__file__).with_name("lifecycle_rig.py"), "lifecycle_rig.py")
MODEL = rig.MODEL
EDGE = ("min_edge_bps = 0.34", "min_edge_bps = 0")  # so that there are orders
RATE = ("orders = 20", "orders = 1")  # so that lanes of one account would be in each other's way
SOFTER = '[[models]]\nbundle = "models/softer"\n\n'
SHADOW = (
    '[[lanes]]\nid = "beside"\nmodel = "softer"\nshadow = true\ncapital = 10_000\n'
    'strategy = { use = "probability", enter = 0.4, exit = 0.34, min_edge_bps = 0, assume_fees_bps = 0 }\n'
    'execution = { use = "paper", latency_us = 5_000 }\n\n'
)


def beside(lane: str = SHADOW) -> tuple[str, str]:
    return "[[risk]]                                    # the account", f"{SOFTER}{lane}[[risk]]  # the account"


@pytest.fixture
def home(root: Path, tmp_path: Path) -> Path:
    return Path(rig.make_home(root, tmp_path))


def run(root: Path, home: Path, name: str, *changes: tuple[str, str], seconds: float = 60) -> dict[str, Any]:
    path = rig.configured(root, home, name, *changes, (f"\nspeed = {1e6}", ""), seconds=seconds, speed=1e6)
    wishes = rig.Wishes(folder=home / name, deterministic=True)
    report: dict[str, Any] = rig.assemble(path, wishes).session.run().report
    return report


def test_an_account_does_not_notice_its_shadows_and_they_trade_as_if_they_were_alone(root: Path, home: Path) -> None:
    plain = run(root, home, "plain", EDGE, RATE)
    both = run(root, home, "both", EDGE, RATE, beside())
    text = (root / "market.toml").read_text()
    demo = text[text.index("[[lanes]]") : text.index("[[risk]]")]
    alone = run(root, home, "alone", (demo, ""), RATE, beside(SHADOW.replace("shadow = true\n", "")))
    assert plain["orders"]["approved"] > 3
    assert both["hashes"]["decisions"] == plain["hashes"]["decisions"]
    for key in ("pnl", "orders", "denials", "unrealized"):
        assert both[key] == plain[key], key
    for key in ("intents", "orders", "fills"):
        assert both["counts"][key] == plain["counts"][key], key
    assert both["lanes"]["demo"] == plain["lanes"]["demo"]
    shadow = both["lanes"]["beside"]
    assert shadow.pop("shadow") is True
    assert shadow == alone["lanes"]["beside"]
    assert shadow["orders"] > 3
    assert shadow["denials"], "the account's policies are applied to it as well"
    assert set(both["quality"]) == {MODEL, "softer"}
    ids = [one.order.client_order_id for one in records(home / "both") if isinstance(one, OrderApproved)]
    assert len(set(ids)) == len(ids)


def records(session: Path) -> list[Any]:
    return list(JournalReader(session / "journal"))


def test_a_promotion_exchanges_the_models_and_a_rollback_exchanges_them_back(root: Path, home: Path) -> None:
    path = rig.configured(root, home, "promoted", EDGE, beside(), speed=50)
    told: list[dict[str, Any]] = []

    def more_rows(session: Session) -> None:
        rows = rig.rows_made(session)
        rig.wait_for(lambda: rig.rows_made(session) > rows + 3_000)

    def orders(session: Session) -> None:
        ask = session.lifecycle.ask
        more_rows(session)
        told.append(rig.done(ask(Promote(shadow="beside"))))
        lanes = {name: model["lanes"] for name, model in rig.done(ask(Status()))["models"].items()}
        assert {name: [lane["id"] for lane in found] for name, found in lanes.items()} == {
            MODEL: ["beside"],
            "softer": ["demo"],
        }
        more_rows(session)
        rig.done(ask(Swap(model="softer", bundle=str(home / "models" / MODEL))))
        with pytest.raises(SessionError, match="has changed model 'softer' since that promotion"):
            rig.done(ask(RollBack(model=MODEL)))
        rig.done(ask(RollBack(model="softer")))
        told.append(rig.done(ask(RollBack(model=MODEL))))
        for name in (MODEL, "softer"):
            with pytest.raises(SessionError, match="has no earlier version"):
                rig.done(ask(RollBack(model=name)))
        more_rows(session)
        session.engine.stop("seen enough")

    running = rig.Running(path, orders)
    found = records(running.folder)
    exchanges = [one for one in found if isinstance(one, LanesExchanged)]
    assert [(one.lane_model, one.shadow_model, one.cause) for one in exchanges] == [
        ("softer", MODEL, "promote"),
        (MODEL, "softer", "rollback"),
    ]
    first, last = (one.number for one in exchanges)
    assert [first, last] == [one["input"] for one in told]
    caused = [one for one in found if isinstance(one, IntentFormed) and one.prediction is not None]
    for intent in caused:
        between = first < intent.input < last
        assert intent.prediction.model == (MODEL if between == (intent.lane == "beside") else "softer")
    assert {intent.lane for intent in caused} == {"demo", "beside"}
    assert [one["type"] for one in running.report["model_changes"]] == [
        "LanesExchanged", "ModelChanged", "ModelChanged", "LanesExchanged"
    ]  # fmt: skip
    assert ParityRun(running.folder, predictions=True).run().passed


def test_what_cannot_be_promoted_is_refused(root: Path, home: Path) -> None:
    third = SHADOW.replace('"beside"', '"third"').replace('"softer"', f'"{MODEL}"')
    path = rig.configured(root, home, "refused", beside(SHADOW + third))

    def orders(session: Session) -> None:
        for command, problem in (
            (Promote(shadow="besides"), "has no shadow lane 'besides'; did you mean 'beside'"),
            (Promote(shadow="demo"), "has no shadow lane 'demo'"),
            (Promote(shadow="beside", lane="third"), "has no lane that trades 'third'; it has demo"),
            (Promote(shadow="third"), "has one model for both lanes"),
        ):
            with pytest.raises(SessionError) as caught:
                rig.done(session.lifecycle.ask(command))
            assert problem in str(caught.value)
        session.engine.stop("seen enough")

    running = rig.Running(path, orders)
    assert "model_changes" not in running.report


@pytest.mark.parametrize(
    ("lane", "fault"),
    [
        (SHADOW.replace('use = "paper"', 'use = "live"'), "execution use: found 'live' in a shadow lane"),
        (SHADOW.replace("shadow = true", 'shadow = "yes"'), 'shadow: found "yes" (string)'),
    ],
    ids=["not on paper", "not a bool"],
)
def test_a_shadow_trades_on_paper_alone(root: Path, home: Path, lane: str, fault: str) -> None:
    found = examine(rig.configured(root, home, "check", beside(lane))).faults
    assert any(fault in str(one) for one in found), found


def test_a_session_of_shadows_alone_is_refused(root: Path, home: Path) -> None:
    path = rig.configured(root, home, "check", ('id = "demo"', 'id = "demo"\nshadow = true'))
    (fault,) = examine(path).faults
    assert "a session needs one that trades for its account" in str(fault)


def test_lanes_share_a_model_out_by_instrument(root: Path, home: Path) -> None:
    one = ('id = "demo"', 'id = "demo"\ninstruments = ["SIM2USDT@sim"]')
    other = SHADOW.replace("shadow = true", 'instruments = ["SIMUSDT@sim", "SIM3USDT@sim"]')
    run(root, home, "shared", EDGE, ("seed = 7", "seed = 7\ninstruments = 3"), one, beside(other), seconds=30)
    intents = [one for one in records(home / "shared") if isinstance(one, IntentFormed)]
    acted = {lane: {one.instrument for one in intents if one.lane == lane} for lane in ("demo", "beside")}
    assert acted == {"demo": {"SIM2USDT@sim"}, "beside": {"SIMUSDT@sim", "SIM3USDT@sim"}}


def test_an_instrument_that_the_session_does_not_have_is_told_with_its_line(root: Path, home: Path) -> None:
    lines = 'id = "demo"\ninstruments = ["SIMUSDT@sim", "SIM2USD@sim"]'
    path = rig.configured(root, home, "unknown", ('id = "demo"', lines), ("seed = 7", "seed = 7\ninstruments = 2"))
    with pytest.raises(ConfigError, match="no instrument 'SIM2USD@sim'; did you mean 'SIM2USDT@sim'") as caught:
        rig.assemble(path, rig.Wishes(folder=home / "unknown"))
    assert "[[lanes]] 1 instruments 2" in str(caught.value)
    assert not (home / "unknown").exists()
