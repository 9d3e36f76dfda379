"""A feature may read the columns of others: fused in dependency order, once, rows in the order of the configuration."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from transforms import Difference, Smooth, Top

from vtframe.api import Feature, Kernel, KernelError
from vtframe.assemble.check import examine
from vtframe.builtin.features import BookImbalance, RollingVolatility
from vtframe.features import Pipeline
from vtframe.features.inputs import dependency_order, unmet
from vtframe.testing import small_market
from vtframe.testing.market import INSTRUMENT, RULE

MARKET = small_market(11, frames=600)
CHAIN = (
    Smooth(as_="twice", of="once"),
    Smooth(as_="once", of="book_imbalance", weight=0.5),
    BookImbalance(),
    Difference(of="top_bid", less="top_ask"),
    Top(),
)


def rows_of(features: tuple[Feature, ...]) -> dict[str, np.ndarray]:
    pipeline = Pipeline(features, [INSTRUMENT], [RULE], dtype="float64")
    batches = list(pipeline.batch(MARKET.frames[: MARKET.n_frames], MARKET.events[: MARKET.n_events]))
    values = np.concatenate([batch.values for batch in batches])
    return dict(zip(pipeline.columns, values.T, strict=True))


def smooth(values: np.ndarray, weight: float) -> list[float]:
    means: list[float] = []
    for value in values.tolist():
        before = means[-1] if means else math.nan
        means.append(value if math.isnan(before) else before + weight * (value - before))
    return means


def test_transforms_of_transforms_are_what_their_inputs_rows_say() -> None:
    rows = rows_of(CHAIN)
    assert list(rows) == ["twice", "once", "book_imbalance", "difference_by", "difference_frames", "top_bid", "top_ask"]
    assert len(rows["once"]) > 300
    np.testing.assert_array_equal(rows["once"], smooth(rows["book_imbalance"], 0.5))
    np.testing.assert_array_equal(rows["twice"], smooth(rows["once"], 0.25))
    np.testing.assert_array_equal(rows["difference_by"], rows["top_bid"] - rows["top_ask"])


def test_the_order_in_the_configuration_orders_columns_and_changes_no_value() -> None:
    first = rows_of(CHAIN)
    other = rows_of(CHAIN[::-1])
    assert list(other) == ["top_bid", "top_ask", "difference_by", "difference_frames", "book_imbalance", "once", "twice"]
    for name, values in first.items():
        np.testing.assert_array_equal(values, other[name])


def test_each_feature_is_computed_once_however_many_read_it() -> None:
    """Its functions stand once in the fused module; a second reader is not a second computation."""
    pipeline = Pipeline(CHAIN, [INSTRUMENT], [RULE])
    assert pipeline.source.count("on_frame_2(") == 1
    assert pipeline.source.index("on_row_1(") < pipeline.source.index("on_row_0(")


def test_the_warmup_of_what_is_read_is_added() -> None:
    class Warm(Smooth, frozen=True):
        name = "warm"

        def kernel(self) -> Kernel:
            inner = super().kernel()
            return Kernel(on_row=inner.on_row, state=inner.state, inputs=inner.inputs, warmup=5)

    pipeline = Pipeline([Warm(of="rolling_volatility"), RollingVolatility(window=7)], [INSTRUMENT], [RULE])
    assert pipeline.warmup == 12
    pipeline.process(MARKET, 0, 30)
    head = pipeline.ring.head(0)
    assert pipeline.ring.window_meta(0, head)["valid"].tolist() == [0] * 12 + [1] * (head - 12)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (
            (Smooth(of="book_imbalanse"), BookImbalance()),
            "column 'book_imbalanse' that it reads; did you mean 'book_imbalance'",
        ),
        ((Smooth(of="top"), Top()), "column 'top' that it reads; did you mean 'top_"),
        ((Smooth(of="smooth"),), "in a circle: smooth -> smooth"),
        ((Smooth(as_="a", of="b"), Smooth(as_="b", of="c"), Smooth(as_="c", of="a")), "circle: a -> b -> c -> a"),
    ],
)
def test_inputs_that_cannot_be_had_are_refused_with_the_nearest_name(features: tuple[Feature, ...], words: str) -> None:
    with pytest.raises(KernelError, match=words):
        Pipeline(features, [INSTRUMENT], [RULE])


def test_inputs_must_be_names_of_columns() -> None:
    class Odd(Feature, frozen=True):
        name = "odd"

        def kernel(self) -> Kernel:
            return Kernel(inputs="book_imbalance")  # type: ignore[arg-type]

    with pytest.raises(KernelError, match="inputs must be a tuple of columns' names, found 'book_imbalance'"):
        Pipeline([Odd()], [INSTRUMENT], [RULE])


def test_every_order_of_a_configuration_runs_readers_after_what_they_read() -> None:
    """All permutations of a small graph: each reader comes later, and no more is moved than must be."""
    reads = {"a": (), "b": ("a",), "c": ("a", "b"), "d": (), "e": ("d", "c")}
    for names in itertools.permutations(reads):
        order = [names[k] for k in dependency_order([[name] for name in names], [reads[name] for name in names])]
        assert sorted(order) == sorted(reads)
        assert all(order.index(column) < order.index(name) for name in names for column in reads[name])
    assert dependency_order([["x"], ["y"], ["z"]], [(), (), ()]) == (0, 1, 2)


def test_every_circle_and_every_missing_column_is_told() -> None:
    columns = [["a"], ["b"], ["c"], ["d"], ["e"]]
    missing = unmet(columns, [("x",), (), ("y", "y"), (), ()])
    assert [(fault.feature, fault.column) for fault in missing] == [(0, "x"), (2, "y")]
    circles = unmet(columns, [("b",), ("a",), ("d",), ("c",), ("a",)])
    assert [fault.problem.partition(": ")[2] for fault in circles] == ["a -> b -> a", "c -> d -> c"]


CONFIG = """
[vtframe]
local = ["transforms.py"]
[feed]
use = "market"
[[features]]
use = "book_imbalance"
[[features]]
use = "smooth"
of = "book_imbalanse"
[[features]]
use = "smooth"
as = "a"
of = "{of}"
"""


@pytest.mark.parametrize("of", ["a", "book_imbalance"])
def test_check_tells_the_line_and_key_of_an_input_that_is_not_there(tmp_path: Path, of: str) -> None:
    source = Path(__file__).with_name("transforms.py").read_text()
    (tmp_path / "transforms.py").write_text(source)
    path = tmp_path / "session.toml"
    path.write_text(CONFIG.replace("{of}", of))
    (fault,) = [fault for fault in examine(path).faults if "reads" in fault.problem]
    assert (fault.line, fault.table, fault.key) == (10, "[[features]] 2", "of")
    assert fault.hint == "did you mean 'book_imbalance'?"


def test_check_tells_a_circle(tmp_path: Path) -> None:
    (tmp_path / "transforms.py").write_text(Path(__file__).with_name("transforms.py").read_text())
    path = tmp_path / "session.toml"
    path.write_text(CONFIG.replace("{of}", "a").replace("imbalanse", "imbalance"))
    (fault,) = [fault for fault in examine(path).faults if "circle" in fault.problem]
    assert (fault.line, fault.key) == (14, "of")
