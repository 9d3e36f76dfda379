"""Features keep the laws, alone and behind others, and each law catches a feature that breaks it."""

from __future__ import annotations

import numpy as np
import pytest

from vtframe.api import Feature, Kernel, floats, ints
from vtframe.builtin.features import RollingVolatility, RollingZScore, TradeImbalance
from vtframe.testing import (
    FEATURE_CHECKS,
    FeatureCheck,
    LawBroken,
    check_batch_equals_stream,
    check_bounded_memory,
    check_fills_its_cells,
    check_input_untouched,
    check_never_infinite,
    check_never_revises_the_past,
    check_no_ambient_time_or_randomness,
    check_python_equals_compiled,
    check_reset_equals_new,
    check_same_events_same_bits,
    check_snapshot_and_restore,
    check_warm_after_warmup,
    check_writes_only_its_cells,
)


@pytest.mark.parametrize("check", FEATURE_CHECKS)
def test_a_feature_that_is_tried_alone_keeps_the_laws(check: FeatureCheck) -> None:
    check(lambda: TradeImbalance(window=4))


@pytest.mark.parametrize("check", FEATURE_CHECKS)
def test_a_transform_keeps_the_laws_behind_a_feature_that_feeds_it_and_its_warmup(check: FeatureCheck) -> None:
    check(lambda: (RollingZScore(of="rolling_volatility", window=6), RollingVolatility(window=7)))


class Erratic(Feature, frozen=True):
    """Draws a number from outside, from a generator that no resync sets back."""

    name = "erratic"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            out[0] = np.random.random()  # noqa: NPY002

        return Kernel(on_frame=on_frame)


class Batching(Feature, frozen=True):
    """Another number each time it is made, as if the loop's block were part of it."""

    name = "batching"

    def kernel(self) -> Kernel:
        salt = next(SALTS)

        def on_frame(moment, book, state, out) -> None:
            out[0] = book.bid_quantity[0] + salt

        return Kernel(on_frame=on_frame)


SALTS = iter(range(1_000_000))


class Half(Feature, frozen=True):
    """Names two columns and fills one."""

    name = "half"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            out[0] = book.bid_price[0]

        return Kernel(on_frame=on_frame, outputs=("a", "b"))


class Hasty(Feature, frozen=True):
    """Needs three frames and says one."""

    name = "hasty"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            state.seen[0] += 1
            if state.seen[0] > 3:
                out[0] = 1.0

        return Kernel(on_frame=on_frame, state={"seen": ints()}, warmup=1)


class Straying(Feature, frozen=True):
    """Reads a level that it did not ask for."""

    name = "straying"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            for k in range(2):
                out[0] = book.bid_quantity[k]

        return Kernel(on_frame=on_frame)


class Scribbling(Feature, frozen=True):
    """Writes into the book."""

    name = "scribbling"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            book.bid_quantity[0] = 1.0
            out[0] = book.bid_quantity[0]

        return Kernel(on_frame=on_frame)


class Greedy(Feature, frozen=True):
    """Writes one cell more than it has."""

    name = "greedy"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            for k in range(2):
                out[k] = 1.0

        return Kernel(on_frame=on_frame)


class Overflowing(Feature, frozen=True):
    """A ring that goes on beyond its end."""

    name = "overflowing"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            state.ring[state.place[0]] = 1.0
            state.place[0] = (state.place[0] + 1) % 5  # of four
            out[0] = state.ring[0]

        return Kernel(on_frame=on_frame, state={"ring": floats(4), "place": ints()})


class Dividing(Feature, frozen=True):
    """The ratio of the best quantities, with nothing said of an empty side."""

    name = "dividing"

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            out[0] = book.bid_quantity[0] / book.ask_quantity[0]

        return Kernel(on_frame=on_frame)


class Clocked(Feature, frozen=True):
    """How long ago the frame arrived, by this machine's clock."""

    name = "clocked"
    python = True

    def kernel(self) -> Kernel:
        def on_frame(moment, book, state, out) -> None:
            out[0] = 1.0 if clock() > 0 else 0.0

        return Kernel(on_frame=on_frame)


def clock() -> int:
    import time

    return time.time_ns()  # noqa: TID251 - the point


class Hoarding(Feature, frozen=True):
    """Keeps every quantity that it ever saw, outside its state."""

    name = "hoarding"
    python = True

    def kernel(self) -> Kernel:
        kept: list[float] = []

        def on_frame(moment, book, state, out) -> None:
            kept.append(float(book.bid_quantity[0]))
            out[0] = len(kept)

        return Kernel(on_frame=on_frame)


class Vast(Feature, frozen=True):
    """Declares a gigabyte."""

    name = "vast"

    def kernel(self) -> Kernel:
        return Kernel(state={"ring": floats(1 << 27)})


@pytest.mark.parametrize(
    ("check", "mutant", "words"),
    [
        (check_writes_only_its_cells, Greedy, "into those of the feature after"),
        (check_writes_only_its_cells, Overflowing, "into those of the feature after"),
        (check_input_untouched, Scribbling, "it wrote into it"),
        (check_never_infinite, Dividing, "'dividing' is inf"),
        (check_no_ambient_time_or_randomness, Erratic, r"np\.random\.random, which is not made of events"),
        (check_no_ambient_time_or_randomness, Clocked, "clock imports time"),
        (check_snapshot_and_restore, Hoarding, "remembered outside its state"),
        (check_bounded_memory, Hoarding, "grows outside its state"),
        (check_bounded_memory, Vast, "it declares 1,073,741,824 bytes"),
        (check_same_events_same_bits, Erratic, "different rows"),
        (check_never_revises_the_past, Erratic, "longer run"),
        (check_batch_equals_stream, Batching, "all at once"),
        (check_reset_equals_new, Erratic, "before it"),
        (check_fills_its_cells, Half, "'half_b' was never a number"),
        (check_warm_after_warmup, Hasty, "not finite in row 1; its warmup is 1"),
        (check_python_equals_compiled, Straying, "beyond its memory"),
        (check_python_equals_compiled, Scribbling, "may only read"),
        (check_python_equals_compiled, Erratic, "differ"),
    ],
)
def test_each_law_catches_a_feature_that_breaks_it(check: FeatureCheck, mutant: type[Feature], words: str) -> None:
    with pytest.raises(LawBroken, match=words):
        check(mutant)


def test_every_law_has_a_mutant() -> None:
    marks = test_each_law_catches_a_feature_that_breaks_it.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(FEATURE_CHECKS)
