"""A feature that cannot be built is refused with its author's file, line and construct."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest

from vtframe.api import Feature, Kernel, KernelError, State, floats
from vtframe.features import Pipeline
from vtframe.testing.market import INSTRUMENT, RULE

HERE = Path(__file__)


def given(make: Callable[[], Kernel]) -> Feature:
    """A feature with the kernel that a test gives it."""

    class Given(Feature, frozen=True):
        name = "given"

        def kernel(self) -> Kernel:
            return make()

    return Given()


def refusal(make: Callable[[], Kernel]) -> KernelError:
    with pytest.raises(KernelError) as caught:
        Pipeline([given(make)], [INSTRUMENT], [RULE])
    return caught.value


def line_of(function: Callable, text: str) -> str:
    lines, start = inspect.getsourcelines(function)
    return f"{HERE}:{start + next(number for number, line in enumerate(lines) if text in line)}"


def generator() -> Kernel:
    def on_frame(moment, book, state, out):
        with open("x"):  # noqa: PTH123
            out[0] = 1.0

    return Kernel(on_frame=on_frame)


def attribute() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = book.last_price

    return Kernel(on_frame=on_frame)


def adds_text(x):
    return x + "text"


def in_a_helper() -> Kernel:
    def on_row(moment, book, state, out):
        out[0] = adds_text(book.bid_price[0])

    return Kernel(on_row=on_row)


@pytest.mark.parametrize(
    ("make", "where", "text"),
    [(generator, generator, "with open"), (attribute, attribute, "book.last_price"), (in_a_helper, adds_text, '+ "text"')],
)
def test_what_the_compiler_refuses_is_shown_where_the_author_wrote_it(
    make: Callable[[], Kernel], where: Callable, text: str
) -> None:
    error = refusal(make)
    assert error.feature == "given"
    assert error.where == line_of(where, text)
    assert text in error.problem
    assert "Traceback" not in str(error)
    assert len(str(error)) < 600


def captures_self() -> Kernel:
    settings = SimpleNamespace(levels=3)

    def on_frame(moment, book, state, out):
        out[0] = settings.levels

    return Kernel(on_frame=on_frame)


def undefined() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = no_such_name  # noqa: F821

    return Kernel(on_frame=on_frame)


def undefined_attribute() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = math.no_such_function(1.0)

    return Kernel(on_frame=on_frame)


@numba.njit(fastmath=True)
def quick(x):
    return x * 2.0


@numba.njit(parallel=True)
def spread_out(x):
    return x * 2.0


@numba.njit
def calls_quick(x):
    return quick(x)


def with_fastmath() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = calls_quick(book.bid_price[0])

    return Kernel(on_frame=on_frame)


def with_parallel() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = spread_out(book.bid_price[0])

    return Kernel(on_frame=on_frame)


def factorial(n):
    return 1.0 if n == 0 else n * factorial(n - 1)


def recursive() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = factorial(4)

    return Kernel(on_frame=on_frame)


def raises() -> Kernel:
    raise ValueError("no data today")


def not_a_kernel() -> Kernel:
    return 3  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (captures_self, "'settings', a SimpleNamespace, which compiled code cannot hold"),
        (undefined, "'no_such_name', which is not defined"),
        (undefined_attribute, "math.no_such_function, which is not defined"),
        (with_fastmath, "quick is compiled with fastmath=True"),
        (with_parallel, "spread_out is compiled with parallel=True"),
        (recursive, "factorial calls itself"),
        (raises, r"kernel\(\) failed: ValueError\('no data today'\)"),
        (not_a_kernel, "returned int"),
        (lambda: Kernel(depth=0), "depth 0"),
        (lambda: Kernel(warmup=-1), "warmup -1"),
        (lambda: Kernel(outputs=()), "0 outputs"),
        (lambda: Kernel(state={"for": floats()}), "'for' is not a name"),
        (lambda: Kernel(state={"x": floats(0)}), "length >= 1"),
        (lambda: Kernel(state={"x": State(1, "f4")}), "'f4'"),  # type: ignore[arg-type]
        (lambda: Kernel(on_frame=len), "on_frame must be a plain function"),
    ],
)
def test_what_cannot_work_is_refused_in_words(make: Callable[[], Kernel], words: str) -> None:
    error = refusal(make)
    assert error.feature == "given"
    with pytest.raises(KernelError, match=words):
        raise error


def test_two_columns_of_one_name_are_refused() -> None:
    twice = [given(generator), given(generator)]
    with pytest.raises(KernelError, match="'given' is there twice"):
        Pipeline(twice, [INSTRUMENT], [RULE])


def test_settings_that_a_bundle_cannot_state_are_refused() -> None:
    class Odd(Feature, frozen=True):
        name = "odd"
        by: Callable = len

        def kernel(self) -> Kernel:
            def on_frame(moment, book, state, out):
                out[0] = 1.0

            return Kernel(on_frame=on_frame)

    with pytest.raises(KernelError, match="not plain values"):
        Pipeline([Odd()], [INSTRUMENT], [RULE])


def test_each_instrument_needs_a_rule() -> None:
    with pytest.raises(ValueError, match="found 0 for 1"):
        Pipeline([], [INSTRUMENT], [])


CONSTANT = np.array([1.0, 2.0, 4.0])


@numba.njit
def third(values):
    return values[2]


def test_authors_need_no_decorators_and_may_have_them() -> None:
    """Helpers plain and compiled, module constants, numpy and math: all of it compiles."""

    def make() -> Kernel:
        offset = 10.0

        def on_frame(moment, book, state, out):
            out[0] = third(CONSTANT) + math.sqrt(16.0) + np.abs(-offset)

        return Kernel(on_frame=on_frame)

    from vtframe.testing import small_market

    pipeline = Pipeline([given(make)], [INSTRUMENT], [RULE], dtype="float64")
    pipeline.process(small_market(frames=5))
    assert pipeline.ring.window(0, 1)[0, 0] == 4.0 + 4.0 + 10.0
