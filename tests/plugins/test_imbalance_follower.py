"""The example strategy in strategies/, loaded as a configuration would load it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vtframe.api import Strategy
from vtframe.config import Document, decode_part
from vtframe.domain import Instrument, InstrumentKind, Prediction, Top, Verdict
from vtframe.plugins import load_plugins

LINEAR = Instrument(
    venue="v",
    symbol="S",
    kind=InstrumentKind.LINEAR,
    base="BTC",
    quote="USDT",
    settlement="USDT",
    price_decimals=1,
    quantity_decimals=3,
    tick_size=1,
    lot_size=2,
)
SPOT = Instrument(**{**{f: getattr(LINEAR, f) for f in LINEAR.__struct_fields__}, "kind": InstrumentKind.SPOT})
PREDICTION = Prediction(
    model="m",
    model_hash="h",
    instrument=0,
    input=1,
    row=1,
    update_id=1,
    ts_event=1,
    ts_recv=1,
    ts_done=1,
    age_ns=0,
    deadline_ns=1,
    verdict=Verdict.OK,
    outputs=(0.2, 0.3, 0.5),
)


@pytest.fixture(scope="module")
def strategy(root: Path) -> Strategy:
    plugins = load_plugins(local=["strategies/imbalance_follower.py"], folder=root)
    assert plugins.errors == []
    return plugins.registries.strategies.get("imbalance_follower")()


def view(lean: float, *, instrument: Instrument = LINEAR, ask: int = 1000_0) -> Any:
    return SimpleNamespace(
        capital=Decimal(10_000),
        instrument=lambda _: instrument,
        top=lambda _: Top(ask - 1, 5, ask, 5 if ask else 0),
        feature=lambda _, column: {"book_imbalance": lean}[column],
    )


@pytest.mark.parametrize(
    ("lean", "target"),
    # a tenth of 10,000 at 1,000.0 is 1.000 base units: 500 lots of 0.002, 1000 in fixed point
    [(0.9, 1000), (0.6, 1000), (-0.6, -1000), (0.1, 0), (0.0, 0), (-0.1, 0), (0.3, None), (-0.59, None)],
)
def test_it_follows_the_imbalance_with_a_band_in_which_it_waits(strategy: Strategy, lean: float, target: int | None) -> None:
    intent: Any = strategy.on_prediction(PREDICTION, view(lean))
    assert (None if intent is None else intent.target) == target
    assert intent is None or intent.prediction is PREDICTION


def test_spot_is_never_short(strategy: Strategy) -> None:
    intent: Any = strategy.on_prediction(PREDICTION, view(-0.9, instrument=SPOT))
    assert intent.target == 0


def test_nothing_is_wanted_while_a_side_is_empty_or_the_imbalance_is_unknown(strategy: Strategy) -> None:
    assert strategy.on_prediction(PREDICTION, view(0.9, ask=0)) is None
    assert strategy.on_prediction(PREDICTION, view(float("nan"))) is None


def test_a_column_that_rows_do_not_have_is_told_before_the_session(strategy: Strategy) -> None:
    model: Any = SimpleNamespace()
    assert strategy.check(model, ("a", "book_imbalance")) == ()
    (fault,) = strategy.check(model, ("a", "b"))
    assert str(fault) == "column: rows have no column 'book_imbalance'; columns: a, b"


def test_thresholds_that_cross_are_refused_with_both_numbers(strategy: Strategy) -> None:
    document = Document(Path("x.toml"), "[s]\nenter = 0.2\nleave = 0.3\n")
    part, (fault,) = decode_part(type(strategy), document.data["s"], document.root.at("s"))
    assert part is None
    assert str(fault) == "x.toml:1 [s]: leave (0.3) must be less than enter (0.2)"
