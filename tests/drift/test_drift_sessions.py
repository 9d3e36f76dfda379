"""Drift in whole sessions on recorded frames: verdicts are numbered inputs, are carried out, and decide alike again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vtframe.assemble.session import Wishes, assemble
from vtframe.cli.main import cli
from vtframe.domain import Answer
from vtframe.engine.session import Outcome
from vtframe.journal import JournalReader
from vtframe.journal.records import CancelSent, DriftJudged, InputArrived, OrderApproved, OrderDenied, OrderReported

RULE = '\n[[drift]]\nmodel = "btcusdt_direction"\nwindow = 2_000\nevery = 100\n'
SCORES = '\n[[drift]]\nmodel = "btcusdt_direction"\nwatch = "scores"\nmeasure = "log_loss"\nwindow = 1_000\nevery = 50\n'
SPOT = "spot_btcusdt_20240808.gz"
"""Spot frames for a model that was trained on the perpetual: its micro_spread is another world."""


class Rig:
    """Sessions of btcusdt.toml with rules of their own, on one recording."""

    def __init__(self, root: Path, data: Path, folder: Path) -> None:
        self.text = (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/")
        self.recording = data / "binance" / SPOT
        self.folder = folder
        self.runs = 0
        self.known: dict[str, tuple[Outcome, list[Any]]] = {}

    def config(self, rules: str) -> Path:
        path = self.folder / "drift.toml"
        path.write_text(self.text + rules)
        return path

    def once(self, rules: str) -> tuple[Outcome, list[Any]]:
        """As ``run``; several tests look at one session."""
        if rules not in self.known:
            self.known[rules] = self.run(rules)
        return self.known[rules]

    def run(self, rules: str, **wishes: Any) -> tuple[Outcome, list[Any]]:
        """How the session ended, and its journal."""
        self.runs += 1
        folder = self.folder / f"session{self.runs}"
        settings = {"recordings": (self.recording,), "folder": folder, "deterministic": True, **wishes}
        outcome = assemble(self.config(rules), Wishes(**settings)).session.run()
        return outcome, list(JournalReader(folder / "journal"))


@pytest.fixture(scope="module")
def rig(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(root, data, tmp_path_factory.mktemp("drift"))


def of(journal: list[Any], kind: type) -> list[Any]:
    return [record for record in journal if isinstance(record, kind)]


def test_without_rules_nothing_is_judged_and_nothing_changes(rig: Rig) -> None:
    outcome, journal = rig.once("")
    watching, told = rig.run(RULE + "warn = 0.25\n")
    assert of(journal, DriftJudged) == []
    assert outcome.report["drift"] == {}
    assert len(of(told, DriftJudged)) >= 1
    assert watching.report["hashes"]["decisions"] != ""
    # a warning is an input as well, so what comes after it has other numbers; what is decided is the same
    orders = [[(o.order.quantity, o.order.side, o.order.row) for o in of(j, OrderApproved)] for j in (journal, told)]
    assert orders[0] == orders[1]
    assert len(orders[0]) > 100


def test_verdicts_have_numbers_of_their_own_among_the_inputs(rig: Rig) -> None:
    outcome, journal = rig.run(RULE + "warn = 0.25\nshrink = 2.0\n" + SCORES + "warn = 0.005\n")
    judged = of(journal, DriftJudged)
    assert {record.verdict.measure for record in judged} == {"psi", "log_loss"}
    others = {record.number for record in of(journal, InputArrived)}
    orders = {record.order.input for record in of(journal, OrderApproved)}
    numbers = [record.number for record in judged]
    assert numbers == sorted(set(numbers))
    assert not set(numbers) & (others | orders)
    assert all(record.verdict.input < record.number < outcome.report["counts"]["inputs"] for record in judged)


def test_shrunk_sessions_hold_half_and_two_runs_decide_alike(rig: Rig) -> None:
    rules = RULE + "shrink = 1.0\nfactor = 0.5\n"
    one, journal = rig.once(rules)
    two, again = rig.run(rules)
    verdict = of(journal, DriftJudged)[0]
    assert verdict.verdict.answer is Answer.SHRINK
    assert [(r.number, r.verdict) for r in of(again, DriftJudged)] == [(r.number, r.verdict) for r in of(journal, DriftJudged)]
    assert two.report["hashes"]["decisions"] == one.report["hashes"]["decisions"]
    resized = [o for o in of(journal, OrderApproved) if any(note.startswith("drift: quantity") for note in o.notes)]
    assert len(resized) > 5
    assert all(record.order.input > verdict.number for record in resized)


def test_reduce_only_closes_what_is_held_and_opens_nothing_more(rig: Rig) -> None:
    outcome, journal = rig.run(RULE.replace("2_000", "2_400") + "reduce_only = 1.0\n")  # full while a position is held
    number = of(journal, DriftJudged)[0].number
    later = [record.order for record in of(journal, OrderApproved) if record.order.input > number]
    assert all(order.reduce_only for order in later)
    denied = [record for record in of(journal, OrderDenied) if record.denied.policy == "drift"]
    assert denied
    assert outcome.report["denials"]["drift"] >= len(denied)
    position = [record.position for record in of(journal, OrderReported) if record.input <= number]
    assert position[-1] != 0, "or else nothing was there to close"
    assert len(later) > 0
    assert outcome.report["lanes"]["demo"]["positions"] == {}


def test_halt_ends_the_session_in_order(rig: Rig) -> None:
    outcome, journal = rig.run(RULE + "halt = 1.0\n")
    assert outcome.halted
    assert not outcome.interrupted
    judged = of(journal, DriftJudged)[0]
    assert outcome.reason == f"halted: {judged.verdict.text}"
    report = outcome.report
    assert report["session"]["orderly"]
    assert report["session"]["reason"] == outcome.reason
    assert report["orders"]["open"] == 0
    assert report["counts"]["rows"] < 3_000 < rig.once("")[0].report["counts"]["rows"], "it stopped on the way"
    assert [
        order for order in of(journal, OrderApproved) if order.order.input > judged.number and not order.order.reduce_only
    ] == []
    assert of(journal, InputArrived)[-1].text.startswith("stop: halted: psi of")
    assert all(record.command.cause != "" for record in of(journal, CancelSent))


def test_vtframe_run_exits_with_3_and_says_why(rig: Rig) -> None:
    config = rig.config(RULE + "halt = 1.0\n")
    arguments = ["run", str(config), "--recording", str(rig.recording), "--session", str(rig.folder / "s"), "--quiet"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 3
    assert "halted: psi of micro_spread" in done.stderr


def test_a_run_with_the_verdicts_of_another_decides_as_that_one_did(rig: Rig) -> None:
    """Its own rule would never speak: what it decides comes from the journal."""
    rules = RULE + "warn = 0.5\nshrink = {shrink}\nfactor = 0.3\nreduce_only = {reduce_only}\n"
    first, journal = rig.run(rules.format(shrink="1.0", reduce_only="3.6"))
    folder = rig.folder / f"session{rig.runs}"
    assert {r.verdict.answer for r in of(journal, DriftJudged)} > {Answer.SHRINK}
    silent, _ = rig.run(rules.format(shrink="1e6", reduce_only="1e6"))
    assert silent.report["hashes"]["decisions"] != first.report["hashes"]["decisions"]
    again, told = rig.run(rules.format(shrink="1e6", reduce_only="1e6"), verdicts_of=folder)
    assert [(r.number, r.verdict) for r in of(told, DriftJudged)] == [(r.number, r.verdict) for r in of(journal, DriftJudged)]
    assert again.report["hashes"]["decisions"] == first.report["hashes"]["decisions"]
    assert again.report["counts"] == first.report["counts"]


def test_a_session_that_waits_for_nobody_takes_verdicts_too(rig: Rig) -> None:
    outcome, journal = rig.run(RULE + "warn = 0.25\n", deterministic=False)
    found = outcome.report["drift"]["verdicts"]
    assert found >= 1
    assert len(of(journal, DriftJudged)) <= found, "what comes after the last input is in the report alone"
