"""The contract of a feature: configuration plus kernel functions in plain Python, which are compiled and fused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray


class BookTop(NamedTuple):
    """The best levels of one book, best first, as kernels see them: float64 in the instrument's own units.

    As many levels as the deepest feature of the pipeline asks for (``Kernel.depth``); where the book has fewer, the price
    is nan and the quantity 0. Never seen between two deltas of one frame. Read, never write.
    """

    bid_price: NDArray[np.float64]
    bid_quantity: NDArray[np.float64]
    ask_price: NDArray[np.float64]
    ask_quantity: NDArray[np.float64]
    tick_size: float


class Delta(NamedTuple):
    """One level changes; ``quantity`` is its new total, ``previous_quantity`` the one before (0: it was not there)."""

    ts_event: int
    ts_recv: int
    side: int  # 1 bid, -1 ask
    price: float
    quantity: float
    previous_quantity: float


class Trade(NamedTuple):
    """A market trade; ``side`` is the aggressor's."""

    ts_event: int
    ts_recv: int
    side: int
    price: float
    quantity: float


class Moment(NamedTuple):
    """When a frame or a row happened, int64 ns UTC."""

    ts_event: int
    ts_recv: int


class State(NamedTuple):
    """One named array of a kernel's memory, per instrument, set to ``fill`` at the start and after every resync."""

    length: int
    dtype: Literal["f8", "i8"] = "f8"
    fill: float = 0.0


def floats(length: int = 1, *, fill: float = 0.0) -> State:
    """``length`` float64 numbers of memory."""
    return State(length, "f8", fill)


def ints(length: int = 1, *, fill: int = 0) -> State:
    """``length`` int64 numbers of memory: counters, positions in a ring, timestamps."""
    return State(length, "i8", fill)


KernelFunction = Callable[..., None]


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature computes. Every function is plain Python that numba can compile, and takes
    ``(what happened, book, state, out)``:

    - ``on_delta(delta, book, state, out)``: per level change; ``book`` is the one before the frame.
    - ``on_trade(trade, book, state, out)``: per market trade.
    - ``on_frame(moment, book, state, out)``: once after every frame that changed the book.
    - ``on_row(moment, book, state, out)``: once when a row is sampled, before it is written.

    ``state`` has one array for each name in ``state`` (``state.total[0]``); ``out`` is this feature's own cells, float64, nan
    at the start, kept between calls. Only a LIVE book calls kernels, and a resync starts every feature afresh.

    With ``inputs``, columns of other features of the pipeline, every function takes a fifth argument: their cells, a tuple of
    floats in that order, after those features' own functions of the same kind have run. Rows keep the order of the
    configuration, whatever feeds what; a cell that its feature fills in ``on_row`` shows elsewhere what the newest row holds.
    """

    on_delta: KernelFunction | None = None
    on_trade: KernelFunction | None = None
    on_frame: KernelFunction | None = None
    on_row: KernelFunction | None = None
    state: Mapping[str, State] = {}
    outputs: tuple[str, ...] = ("",)  # a suffix for each column; one output needs none
    depth: int = 1  # levels a side that the functions read
    warmup: int = 0  # rows after a (re)sync that are not yet valid; those of its inputs are added
    inputs: tuple[str, ...] = ()  # columns of other features that the functions read


FeatureName = Annotated[str, Meta(pattern=r"^([a-z][a-z0-9_]*)?$")]


InstrumentName = Annotated[str, Meta(pattern=r"^([^@\s]+@[^@\s]+)?$", description="SYMBOL@venue; empty: each row's own")]


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One feature. Subclass it, give it a ``name``, declare its settings as fields, and return a ``Kernel``.

    ``instrument`` is whose events it sees: by default, each row's own. With the name of one (a leader), that instrument's
    events alone drive it, and every other instrument's rows show its cells as they are: nan while the leader's book is not
    live or not warm. A leader's event makes rows of the others only where the sampling rule says so (``Sampling.leaders``).
    """

    name: ClassVar[str]
    python: ClassVar[bool] = False  # True: not compiled; slower, and the same rows
    as_: FeatureName = msgspec.field(default="", name="as")  # its name in rows, where one is used twice
    instrument: InstrumentName = ""

    @classmethod
    def example(cls) -> Self:
        """One to try the laws on; override it where a setting has no default, or where the default is slow to warm."""
        return cls()

    def kernel(self) -> Kernel:
        raise NotImplementedError(f"{type(self).__name__} must define kernel()")

    @property
    def label(self) -> str:
        """The name of its column (or the prefix of its columns)."""
        return self.as_ or self.name

    def columns(self, kernel: Kernel) -> tuple[str, ...]:
        """The names of its columns in rows."""
        return tuple(f"{self.label}_{suffix}" if suffix else self.label for suffix in kernel.outputs)

    def settings(self) -> dict[str, Any]:
        """Its parameters as plain values, without its label: part of a row's schema."""
        values = msgspec.to_builtins(self)
        values.pop("as", None)
        if not self.instrument:
            values.pop("instrument", None)
        return dict(values)
