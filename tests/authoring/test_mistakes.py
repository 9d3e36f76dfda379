"""The frequent mistakes of an author, each told with file, line, what was found and what to do."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from vtframe.api import Feature, Kernel, KernelError, floats
from vtframe.builtin.features import hooks
from vtframe.features import Pipeline
from vtframe.features.plan import ask
from vtframe.kernels.bind import settings
from vtframe.testing.market import INSTRUMENT, RULE

HERE = Path(__file__)


def given(make: Callable[[], Kernel]) -> Feature:
    class Given(Feature, frozen=True):
        name = "given"

        def kernel(self) -> Kernel:
            return make()

    return Given()


def mixed_list() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = [x for x in (1, "a", 2.0)][0]  # noqa: RUF015, C416 - here

    return Kernel(on_frame=on_frame)


def mixed_dict() -> Kernel:
    def on_frame(moment, book, state, out):
        key = "a" if book.bid_price[0] > 0.0 else "b"
        out[0] = {"a": 1.0, "b": "text"}[key]  # here

    return Kernel(on_frame=on_frame)


def f_string() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = len(f"{book.bid_price[0]:.2f}")  # here

    return Kernel(on_frame=on_frame)


def tries() -> Kernel:
    def on_frame(moment, book, state, out):
        try:
            out[0] = 1.0 / book.bid_quantity[0]
        except ZeroDivisionError:  # here
            out[0] = 0.0

    return Kernel(on_frame=on_frame)


def opens() -> Kernel:
    def on_frame(moment, book, state, out):
        with open("x"):  # noqa: PTH123 - here
            out[0] = 1.0

    return Kernel(on_frame=on_frame)


def numpy_lacks() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = np.gradient(book.bid_price)[0]  # here

    return Kernel(on_frame=on_frame)


def wrong_state() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = 1.0
        state.totl[0] += out[0]  # here

    return Kernel(on_frame=on_frame, state={"total": floats()})


def no_state() -> Kernel:
    def on_frame(moment, book, state, out):
        state.total[0] += 1.0  # here

    return Kernel(on_frame=on_frame)


def beyond_state() -> Kernel:
    def on_frame(moment, book, state, out):
        state.ring[3] += 1.0  # here

    return Kernel(on_frame=on_frame, state={"ring": floats(3)})


def beyond_out() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = 1.0
        out[1] = 2.0  # here

    return Kernel(on_frame=on_frame)


def beyond_depth() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = book.ask_quantity[3]  # here

    return Kernel(on_frame=on_frame, depth=2)


def beyond_inputs() -> Kernel:
    def on_row(moment, book, state, out, inputs):
        out[0] = inputs[1]  # here

    return Kernel(on_row=on_row, inputs=("book_imbalance",))


def wrong_book() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = book.bid_prices[0]  # here

    return Kernel(on_frame=on_frame)


def wrong_moment() -> Kernel:
    def on_frame(moment, book, state, out):
        out[0] = moment.price  # here

    return Kernel(on_frame=on_frame)


def wrong_trade() -> Kernel:
    def on_trade(trade, book, state, out):
        out[0] = trade.size  # here

    return Kernel(on_trade=on_trade)


def three_arguments() -> Kernel:
    def on_frame(moment, book, out):  # here
        out[0] = 1.0

    return Kernel(on_frame=on_frame)


def no_place_for_inputs() -> Kernel:
    def on_row(moment, book, state, out):  # here
        out[0] = 1.0

    return Kernel(on_row=on_row, inputs=("book_imbalance",))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (mixed_list, "a list comprehension: "),
        (mixed_dict, "a dict: "),
        (f_string, "an f-string: format spec in f-strings not supported"),
        (tries, "try and except: "),
        (opens, "a with block: "),
        (numpy_lacks, "unsupported NumPy function 'numpy.gradient'"),
    ],
)
@pytest.mark.skipif(bool(settings.DISABLE_JIT), reason="nothing is compiled")
def test_what_cannot_be_compiled_is_named(make: Callable[[], Kernel], words: str) -> None:
    with pytest.raises(KernelError) as caught:
        Pipeline([given(make)], [INSTRUMENT], [RULE])
    told(caught.value, make, words)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (wrong_state, "uses state.totl, which is not there; did you mean 'total'?"),
        (no_state, "uses state.total, which is not there; its state has nothing"),
        (beyond_state, "uses state.ring[3], beyond its 3 cells; declare it longer"),
        (beyond_out, "uses out[1], beyond its 1 cells, one for each of outputs; name every column"),
        (beyond_depth, "uses book.ask_quantity[3], beyond its 2 levels, as depth says; say depth=4"),
        (beyond_inputs, "uses inputs[1], beyond its 1 cells, one for each of inputs"),
        (wrong_book, "uses book.bid_prices, which is not there; did you mean 'bid_price'?"),
        (wrong_moment, "uses moment.price, which is not there; there is ts_event, ts_recv"),
        (wrong_trade, "uses trade.size, which is not there"),
        (three_arguments, "takes (moment, book, out), it is called with (what happened, book, state, out)"),
        (no_place_for_inputs, "the fifth is for what it reads, named in inputs"),
    ],
)
def test_what_can_be_seen_is_told_without_compiling(make: Callable[[], Kernel], words: str) -> None:
    """By asking alone, as `vtframe check` does."""
    with pytest.raises(KernelError) as caught:
        ask(given(make))
    told(caught.value, make, words)


def told(error: KernelError, make: Callable[[], Kernel], words: str) -> None:
    lines, start = inspect.getsourcelines(make)
    line = start + next(number for number, text in enumerate(lines) if "here" in text)
    assert error.where == f"{HERE}:{line}"
    assert words in error.problem
    assert len(str(error)) < 500
    assert not re.search(r"\x1b|Traceback|site-packages", str(error))


def test_what_may_be_something_else_is_left_to_the_compiler() -> None:
    """An argument that is assigned to, an index from the end, a loop: nothing is refused that could be right."""

    def on_frame(moment, book, state, out):
        state.ring[-1] = book.bid_quantity[-1]
        for k in range(2):
            out[k] = state.ring[k]
        out[-1] = 1.0
        book = state.ring
        out[0] = book[2]

    kernel = Kernel(on_frame=on_frame, state={"ring": floats(3)}, outputs=("a", "b"))
    assert ask(given(lambda: kernel)).kernel is kernel


def test_no_feature_in_the_box_is_refused() -> None:
    asked = 0
    for cls in hooks.register_features():
        needed = {field.name for field in msgspec.structs.fields(cls) if field.required}
        if needed <= {"of"}:
            ask(cls(**dict.fromkeys(needed, "book_imbalance")))
            asked += 1
    assert asked >= 20
