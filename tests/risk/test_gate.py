"""The gate: the first denial settles it, a broken policy is a refusal, and what reduces exposure passes."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_fakes import LINEAR, Bench, submit

import vtframe
from vtframe.api import ApprovedOrder, RiskPolicy
from vtframe.domain import Denied, Side
from vtframe.errors import PluginError
from vtframe.risk.gate import Gate


class Scripted(RiskPolicy):
    name = "scripted"
    answer: object = None
    seen: list = msgspec.field(default_factory=list)

    def review(self, order, context):
        self.seen.append(order)
        return self.answer(order, self) if callable(self.answer) else order


def gate(*answers):
    bench = Bench(LINEAR)
    policies = [Scripted(answer=answer) for answer in answers]
    return Gate(policies, bench.gate._context), policies


def boom(order, policy):
    raise ZeroDivisionError("no price")


def test_without_policies_an_order_is_approved_as_it_is():
    order = submit()
    approved, notes = gate()[0].review(order, reduces=False)
    assert isinstance(approved, ApprovedOrder)
    assert approved.command is order
    assert notes == ()


def test_the_first_denial_settles_it_and_later_policies_are_not_asked():
    tested, policies = gate(None, lambda o, p: p.denied(o, "8 is over 5"), None)
    verdict, _ = tested.review(submit("a"), reduces=False)
    assert verdict == Denied(client_order_id="a", policy="scripted", reason="8 is over 5")
    assert [len(policy.seen) for policy in policies] == [1, 1, 0]


def test_a_policy_that_raises_denies_and_says_what_it_raised():
    verdict, _ = gate(boom)[0].review(submit(), reduces=False)
    assert isinstance(verdict, Denied)
    assert verdict.reason == "policy failed: ZeroDivisionError('no price')"


def test_a_smaller_order_goes_on_and_the_note_says_so():
    tested, policies = gate(lambda o, p: p.resized(o, 4), None)
    verdict, notes = tested.review(submit(quantity=10), reduces=False)
    assert verdict.command.quantity == 4
    assert policies[1].seen[0].quantity == 4
    assert notes == ("scripted: quantity 10 made 4",)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda o, p: p.resized(o, 11), "enlarged the quantity from 10 to 11"),
        (lambda o, p: p.resized(o, 0), "a policy that leaves nothing must deny"),
        (lambda o, p: p.resized(o, -10), "a policy that leaves nothing must deny"),
        (lambda o, _p: msgspec.structs.replace(o, side=Side.SELL), "changed more than the quantity"),
        (lambda o, _p: msgspec.structs.replace(o, instrument=1, quantity=5), "changed more than the quantity"),
        (lambda o, _p: msgspec.structs.replace(o, price=5), "changed more than the quantity"),
        (lambda _o, _p: None, "answered NoneType"),
        (lambda _o, _p: True, "answered bool"),
    ],
)
def test_a_policy_that_changes_what_it_must_not_denies_as_broken(answer, problem):
    verdict, _ = gate(answer)[0].review(submit(quantity=10), reduces=False)
    assert isinstance(verdict, Denied)
    assert verdict.reason.startswith("policy is broken: ")
    assert problem in verdict.reason


def test_a_policy_that_leaves_part_of_a_lot_is_broken():
    coarse = msgspec.structs.replace(LINEAR, lot_size=10)
    bench = Bench(coarse)
    tested = Gate([Scripted(answer=lambda o, p: p.resized(o, 15))], bench.gate._context)
    verdict, _ = tested.review(submit(quantity=30), reduces=False)
    assert "not a multiple of the lot size 10" in verdict.reason


@given(
    quantity=st.integers(1, 10**9),
    answers=st.lists(
        st.one_of(st.none(), st.just(boom), st.integers(-5, 2 * 10**9).map(lambda n: lambda o, p: p.resized(o, n))), max_size=5
    ),
)
def test_the_gate_never_enlarges(quantity, answers):
    verdict, _ = gate(*answers)[0].review(submit(quantity=quantity), reduces=False)
    if isinstance(verdict, ApprovedOrder):
        assert 0 < verdict.command.quantity <= quantity
        assert verdict.command.side is Side.BUY


@given(answers=st.lists(st.sampled_from([None, boom, lambda o, p: p.denied(o, "exhausted")]), max_size=5))
def test_an_order_that_reduces_passes_whatever_the_policies_do(answers):
    tested, policies = gate(*answers)
    order = submit()
    verdict, notes = tested.review(order, reduces=True)
    assert verdict.command is order
    assert notes == ("reduces exposure: policies skipped",)
    assert not any(policy.seen for policy in policies)


def test_nobody_else_makes_an_approved_order():
    with pytest.raises(TypeError, match="only the risk gate"):
        ApprovedOrder(submit(), proof=object())
    package = Path(vtframe.__file__).parent
    users = []
    for path in package.rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        names |= {
            a.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom) for a in node.names
        }
        if "_GATE" in names:
            users.append(path.relative_to(package).as_posix())
    assert sorted(users) == ["api/execution.py", "risk/gate.py"]


def test_a_policy_that_cannot_start_stops_the_session_before_the_first_order():
    class Unready(Scripted):
        name = "unready"

        def start(self, context):
            raise OSError("no calendar")

    with pytest.raises(PluginError, match="'unready': the risk policy cannot start: OSError"):
        Gate([Unready()], Bench(LINEAR).gate._context).start()
