"""Another version of a model while the session runs: no row goes without an answer, and each answer says whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vtframe.api import Label
from vtframe.assemble.parity import ParityRun
from vtframe.engine.commands import RollBack, Status, Swap
from vtframe.engine.session import Session
from vtframe.errors import BundleError, SessionError
from vtframe.inference.bundle import load_bundle
from vtframe.journal.reader import JournalReader
from vtframe.journal.records import DriftJudged, InputArrived, ModelChanged
from vtframe.plugins.local import load_local

rig: Any = load_local(Path(__file__).with_name("lifecycle_rig.py"), "lifecycle_rig.py")
MODEL = rig.MODEL
WHERE = 'where = "inline"\ndeadline_us = 5_000'


@pytest.fixture
def home(root: Path, tmp_path: Path) -> Path:
    return Path(rig.make_home(root, tmp_path))


def swap(home: Path, name: str) -> Swap:
    return Swap(model=MODEL, bundle=str(home / "models" / name))


def adds_up(counts: dict[str, int]) -> bool:
    names = ("predictions", "conflated", "invalid", "failed", "overrun", "pending")
    return counts["rows"] == sum(counts[name] for name in names)


@pytest.mark.parametrize("where", ["inline", "thread", "process", "fused"])
def test_every_row_has_one_prediction_over_a_swap_and_parity_holds(root: Path, home: Path, where: str) -> None:
    path = rig.configured(root, home, where, (WHERE, f'where = "{where}"\ndeadline_us = 200_000'))
    told: list[dict[str, Any]] = []

    def orders(session: Session) -> None:
        told.append(rig.done(session.lifecycle.ask(swap(home, "softer"))))
        rows = rig.rows_made(session)
        rig.wait_for(lambda: rig.rows_made(session) > rows + 200)
        told.append(rig.done(session.lifecycle.ask(RollBack(model=MODEL))))
        rows = rig.rows_made(session)
        rig.wait_for(lambda: rig.rows_made(session) > rows + 100)
        session.engine.stop("seen enough")

    running = rig.Running(path, orders)
    logged = running.logged()
    first, softer = (load_bundle(home / "models" / name).hash for name in (MODEL, "softer"))
    by_row = logged.sort_by("row")  # an answer of the version before may come after one of the next
    assert rig.runs_of(by_row.column("model_hash").to_pylist()) == [first, softer, first]
    assert sorted(logged.column("row").to_pylist()) == list(range(running.report["counts"]["rows"]))
    assert adds_up(running.report["counts"])
    assert running.report["counts"]["pending"] == running.report["counts"]["failed"] == 0
    answered = by_row.filter([verdict in {"ok", "late"} for verdict in by_row.column("verdict").to_pylist()])
    assert rig.runs_of(answered.column("model_hash").to_pylist()) == [first, softer, first]
    records = list(JournalReader(running.folder / "journal"))
    changes = [record for record in records if isinstance(record, ModelChanged)]
    assert [(one.before, one.after, one.cause) for one in changes] == [(first, softer, "swap"), (softer, first, "rollback")]
    assert [one.number for one in changes] == [one["input"] for one in told]
    commands = {one.number: one.text for one in records if isinstance(one, InputArrived)}
    assert commands[changes[0].number] == f"swap {MODEL} {home / 'models' / 'softer'}"
    by_version = logged.filter([value == softer for value in logged.column("model_hash").to_pylist()])
    assert min(by_version.column("input").to_pylist()) > changes[0].number
    certificate = ParityRun(running.folder, predictions=True).run()
    model = certificate.models[MODEL]
    assert certificate.passed, certificate
    assert (model.versions, model.hash) == (2, first)
    assert model.identical + model.timed == running.report["counts"]["rows"]


def test_what_cannot_take_over_is_refused_with_every_reason_and_changes_nothing(root: Path, home: Path) -> None:
    path = rig.configured(root, home, "refused")
    described = rig.read_description(home / "models" / MODEL / "bundle.toml")
    other = rig.msgspec.structs.replace(described.input, sampling="every 100 ms")
    label = Label(horizon_rows=3, threshold_bps=described.output.label.threshold_bps)
    output = rig.msgspec.structs.replace(described.output, label=label)
    rig.write_version(home, "other", input=other, output=output)
    rig.write_version(home, "nobody", backend="nobody")
    rig.write_version(home, "broken")
    (home / "models" / "broken" / described.file).write_bytes(b"no graph")
    rig.write_version(home, "unreadable")
    rig.write_bundle(
        home / "models" / "garbage", rig.msgspec.structs.replace(described, name="garbage", files={}), {described.file: b"no"}
    )
    problems: dict[str, str] = {}

    def orders(session: Session) -> None:
        for name in ("other", "nobody", "broken", "garbage", "missing"):
            with pytest.raises(BundleError) as caught:
                rig.done(session.lifecycle.ask(swap(home, name)))
            problems[name] = str(caught.value)
        with pytest.raises(SessionError, match=f"has no model 'embeded_direction'; did you mean '{MODEL}'"):
            rig.done(session.lifecycle.ask(Swap(model="embeded_direction", bundle="x")))
        with pytest.raises(SessionError, match="has no earlier version of model"):
            rig.done(session.lifecycle.ask(RollBack(model=MODEL)))
        status = rig.done(session.lifecycle.ask(Status()))
        assert status["models"][MODEL]["hash"] == load_bundle(home / "models" / MODEL).hash
        session.engine.stop("seen enough")

    running = rig.Running(path, orders)
    assert "sampling: trained on 'every 100 ms'" in problems["other"]
    assert "horizon_rows 3" in problems["other"]
    assert "needs model backend 'nobody'" in problems["nobody"]
    assert f"{MODEL!r} goes on as it was" in problems["nobody"]
    assert "sha256" in problems["broken"]
    assert described.file in problems["garbage"]
    assert "missing" in problems["missing"]
    assert len(set(running.logged().column("model_hash").to_pylist())) == 1
    assert adds_up(running.report["counts"])
    assert not any(isinstance(record, ModelChanged) for record in JournalReader(running.folder / "journal"))


RULES = f"""
[[drift]]
model = "{MODEL}"
measure = "ks"
window = 500
every = 50
warn = 0.999

[[drift]]
model = "{MODEL}"
watch = "scores"
measure = "log_loss"
window = 200
every = 20
warn = 2.0
"""


def test_rules_on_drift_and_scores_follow_the_version_that_answers(root: Path, home: Path) -> None:
    path = rig.configured(root, home, "watched", speed=60)
    path.write_text(path.read_text() + RULES)
    described = rig.read_description(home / "models" / MODEL / "bundle.toml")
    untold = rig.msgspec.structs.replace(described.input, training={})
    rig.write_version(home, "untold", input=untold)
    rig.write_version(home, "unmeasured", provenance=rig.msgspec.structs.replace(described.provenance, metrics={}))
    far = {
        name: rig.msgspec.structs.replace(column, edges=tuple(k - 1e6 for k in range(len(column.edges))))
        for name, column in described.input.training.items()
    }
    metrics = {**described.provenance.metrics, "log_loss": -5.0}  # out of reach: whatever happens is worse by 5 and more
    provenance = rig.msgspec.structs.replace(described.provenance, metrics=metrics)
    rig.write_version(home, "far", input=rig.msgspec.structs.replace(described.input, training=far), provenance=provenance)
    refused: dict[str, str] = {}
    told: dict[str, Any] = {}

    def orders(session: Session) -> None:
        rig.wait_for(lambda: rig.rows_made(session) > 1_500)
        for name in ("untold", "unmeasured"):
            with pytest.raises(BundleError) as caught:
                rig.done(session.lifecycle.ask(swap(home, name)))
            refused[name] = str(caught.value)
        told.update(rig.done(session.lifecycle.ask(swap(home, "far"))))
        rows = rig.rows_made(session)
        rig.wait_for(lambda: rig.rows_made(session) > rows + 1_500)
        session.engine.stop("seen enough")

    running = rig.Running(path, orders)
    assert "drift rule 1 could not go on: bundle 'untold' does not say how book_imbalance" in refused["untold"]
    assert "drift rule 2 could not go on: bundle 'unmeasured' does not say its log_loss" in refused["unmeasured"]
    first, second = (load_bundle(home / "models" / name).hash for name in (MODEL, "far"))
    (quality,) = running.report["quality"][MODEL].values()
    assert list(quality["versions"]) == [first, second]
    assert quality["out_of_sample"]["log_loss"] == quality["versions"][second]["out_of_sample"]["log_loss"] == -5.0
    assert quality["versions"][first]["out_of_sample"]["log_loss"] == described.provenance.metrics["log_loss"]
    assert sum(one["count"] for one in quality["versions"].values()) == quality["count"]
    inputs, scores = (next(iter(one["instruments"].values())) for one in running.report["drift"]["rules"])
    assert inputs["version"] == scores["version"] == second
    assert [one["version"] for one in (*inputs["earlier"], *scores["earlier"])] == [first, first]
    assert max(inputs["earlier"][0]["most"].values()) < 0.999 < max(inputs["most"].values())
    assert scores["earlier"][0]["most"] < 4 < scores["now"]
    judged = [record.verdict for record in JournalReader(running.folder / "journal") if isinstance(record, DriftJudged)]
    warned = [one for one in judged if one.measure == "ks"]
    assert warned
    assert warned[0].input > told["input"]
    by_version = running.logged().filter([value == second for value in running.logged().column("model_hash").to_pylist()])
    assert warned[0].row == min(by_version.column("row").to_pylist()) + 499
    told_so = "".join(path.read_text() for path in (running.folder / "log").iterdir())
    assert "models/far: drift rule 1: rows of trade_imbalance resemble those" in told_so  # 500 rows are too few


def test_of_two_commands_at_once_the_second_is_refused(root: Path, home: Path) -> None:
    path = rig.configured(root, home, "both", (WHERE, 'where = "process"\ndeadline_us = 200_000'))

    def orders(session: Session) -> None:
        first = session.lifecycle.ask(swap(home, "softer"))
        with pytest.raises(SessionError, match=f"is busy with another command: swap {MODEL}"):
            rig.done(session.lifecycle.ask(RollBack(model=MODEL)))
        assert rig.done(session.lifecycle.ask(Status()))["busy"].startswith("swap")
        rig.done(first)
        session.engine.stop("seen enough")

    rig.Running(path, orders)


def test_a_session_that_ends_while_a_version_warms_up_ends_in_order(root: Path, home: Path) -> None:
    path = rig.configured(root, home, "ends", (WHERE, 'where = "process"\ndeadline_us = 200_000'))

    def orders(session: Session) -> None:
        answer = session.lifecycle.ask(swap(home, "softer"))
        rig.wait_for(lambda: bool(session.lifecycle._busy))
        session.engine.stop("now")
        rig.wait_for(answer.done)
        assert answer.cancelled() or answer.exception() is not None or answer.result()

    running = rig.Running(path, orders)
    assert running.report["session"]["reason"] == "now"
    assert adds_up(running.report["counts"])


def test_a_command_to_a_session_that_does_not_run_is_refused(root: Path, home: Path) -> None:
    path = rig.configured(root, home, "over", seconds=1)
    session = rig.assemble(path, rig.Wishes(folder=home / "over")).session
    with pytest.raises(SessionError, match="does not run"):
        session.lifecycle.ask(Status())
    session.run()
    with pytest.raises(SessionError, match="does not run"):
        session.lifecycle.ask(Status())
