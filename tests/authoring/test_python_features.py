"""A feature that says ``python = True`` runs as Python at its place in the compiled kernel, with the same rows."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner
from transforms import Counting, Smooth

from vtframe.api import Feature, Kernel, KernelError, floats
from vtframe.builtin.features import BookImbalance, MicroSpread, OrderFlowImbalance, RollingVolatility, TradeImbalance
from vtframe.cli.main import cli
from vtframe.features import Pipeline
from vtframe.testing import small_market
from vtframe.testing.market import INSTRUMENT, RULE

MARKET = small_market(21, frames=300)
COMPILED = (
    Smooth(of="book_imbalance"),
    BookImbalance(levels=3),
    MicroSpread(levels=5),
    TradeImbalance(window=4),
    OrderFlowImbalance(window=5),
    Counting(),
)


def slow(feature: Feature) -> Feature:
    """The same feature, not compiled."""
    cls: Any = type(feature)
    made: Any = type(cls.__name__, (cls,), {"python": True, "__module__": cls.__module__}, frozen=True)
    return made(**{name: getattr(feature, name) for name in feature.__struct_fields__})


def rows_of(features: tuple[Feature, ...], **options: Any) -> np.ndarray:
    pipeline = Pipeline(features, [INSTRUMENT], [RULE], dtype="float64", **options)
    batches = list(pipeline.batch(MARKET.frames[: MARKET.n_frames], MARKET.events[: MARKET.n_events]))
    return np.concatenate([batch.values for batch in batches])


@pytest.mark.parametrize("chosen", [range(6), (0, 3), (1, 5)], ids=["all", "some", "others"])
def test_python_and_compiled_features_make_the_same_rows(chosen: range) -> None:
    """All of them only add, multiply, divide and compare: equal to the bit, with nan where there is nan."""
    mixed = tuple(slow(feature) if k in chosen else feature for k, feature in enumerate(COMPILED))
    assert rows_of(mixed).tobytes() == rows_of(COMPILED).tobytes()


def test_a_python_feature_makes_the_same_rows_live_and_in_batch_and_from_a_checkpoint() -> None:
    features = tuple(map(slow, COMPILED))
    live = Pipeline(features, [INSTRUMENT], [RULE], dtype="float64")
    for index in range(MARKET.n_frames):
        if index == 150:
            data = live.snapshot()
            live = Pipeline(features, [INSTRUMENT], [RULE], dtype="float64")
            live.restore(data)
        live.process(MARKET, index, index + 1)
    rows = rows_of(features)
    assert live.ring.window(0, len(rows)).tobytes() == rows.tobytes()


class Modal(Feature, frozen=True):
    """What no kernel could hold: a Counter, f-strings, a comprehension over mixed types, try and except."""

    name = "modal"
    python: ClassVar[bool] = True

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out):
            names = [f"{value:.1f}" for value in (*book.bid_quantity, *book.ask_quantity)]
            try:
                out[0] = float(Counter(names).most_common(1)[0][0])
            except ValueError:
                out[0] = np.nan
            state.largest[0] = out[1] = max(state.largest[0], out[0])

        return Kernel(on_frame=on_frame, state={"largest": floats()}, outputs=("value", "largest"), depth=4)


def test_a_python_feature_may_be_written_with_all_of_python_and_is_reported_as_slow() -> None:
    told: list[str] = []
    rows = rows_of((Modal(), BookImbalance()), on_compile=told.append)
    assert np.isfinite(rows).all()
    assert (np.maximum.accumulate(rows[:, 0]) == rows[:, 1]).all()
    (words,) = [message for message in told if message.startswith("feature")]
    assert re.match(r"feature 'modal' \(.*test_python_features\.py:\d+\) is not compiled and runs as Python", words)
    assert words.endswith("on_frame at two to three microseconds a call and its own time")


LOCAL = '''
from vtframe.api import Feature, Kernel, hookimpl


class Slow(Feature, frozen=True):
    """The best bid."""

    name = "slow"
    python = True

    def kernel(self):
        def on_frame(moment, book, state, out):
            out[0] = book.bid_quantity[0]

        return Kernel(on_frame=on_frame)


@hookimpl
def register_features():
    return [Slow]
'''


def test_check_run_and_plugins_say_which_feature_runs_as_python_where_and_at_what_cost(root: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(LOCAL)
    text = (
        (root / "market.toml").read_text().replace("models/", f"{root}/models/").replace("duration_s = 1200", "duration_s = 2")
    )
    path = tmp_path / "vtframe.toml"
    path.write_text(
        text.replace("plugins = [", 'local = ["slow.py"]\nplugins = [').replace(
            "[[models]]", '[[features]]\nuse = "slow"\n\n[[models]]', 1
        )
    )
    line = path.read_text().splitlines().index('use = "slow"')
    words = "is not compiled and runs as Python, which is slow: on_frame at two to three microseconds a call and its own time"
    for command in (["check", str(path)], ["run", str(path), "--session", str(tmp_path / "session")]):
        done = CliRunner().invoke(cli, command)
        assert done.exit_code == 0, done.output
        told = "".join(done.output.split())  # a narrow screen breaks lines anywhere
        where = f"line {line}: " if command[0] == "check" else ""
        assert f"{where}feature 'slow' ({tmp_path}/slow.py:12) {words}".replace(" ", "") in told, command
    done = CliRunner().invoke(cli, ["plugins", "--config", str(path), "--json"])
    (slow,) = [part for part in json.loads(done.output)["parts"] if part["name"] == "slow"]
    assert slow["doc"] == "The best bid. (not compiled: runs as Python, two to three microseconds a call)"


class Failing(Feature, frozen=True):
    """Raises in its tenth frame."""

    name = "failing"
    python: ClassVar[bool] = True

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out):
            state.count[0] += 1
            if state.count[0] == 10:
                raise LookupError("no tenth frame")
            out[0] = 1.0

        return Kernel(on_frame=on_frame, state={"count": floats()})


def test_what_a_python_feature_raises_is_told_with_its_line() -> None:
    with pytest.raises(
        KernelError, match=r"test_python_features\.py:\d+: feature 'failing': failed.*LookupError: no tenth frame"
    ):
        rows_of((Failing(),))


class Writing(Feature, frozen=True):
    """Writes into the book."""

    name = "writing"
    python: ClassVar[bool] = True

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out):
            book.bid_quantity[0] = 0.0

        return Kernel(on_frame=on_frame)


def test_a_python_feature_cannot_write_into_the_book() -> None:
    with pytest.raises(KernelError, match="read-only"):
        rows_of((Writing(),))


def test_volatility_as_python_agrees_within_the_stated_bound() -> None:
    feature = RollingVolatility(window=7)
    np.testing.assert_allclose(rows_of((slow(feature),)), rows_of((feature,)), rtol=1e-12)
