"""When a row is made. The rule belongs to the features: a model is trained and run on rows of one rule."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta


class Clash(NamedTuple):
    """Settings that do not go together: the one to look at, what was found, and what to do."""

    key: str
    problem: str
    hint: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}; {self.hint}"


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """``[sampling]``. ``every`` is one of

    - ``frame``: every depth frame, applied or not, and every snapshot that ends a resync;
    - ``bbo``: every frame after which the best bid or ask differs in price or quantity, and every resync or loss of it;
    - ``trade``: every frame that holds a market trade;
    - ``clock``: every instrument at every multiple of ``interval_ms`` (UTC), made when the first input with a ``ts_recv`` at
      or past it arrives, before that is applied; the row carries the boundary as its ``ts_recv``.

    With ``leaders``, each row that one of the first three makes of a leader (the ``instrument`` of a feature) is followed by a
    row of every other instrument, leaders first, with the same input and ``ts_recv``. Such a row makes no more of them.

    A book that is not live makes rows too: their values are nan, they are not valid, and they carry the book's state, so that
    a loss reaches whoever waits for rows. A row that its own book's event did not make carries that book's newest ``ts_event``.
    """

    every: Literal["frame", "bbo", "trade", "clock"] = "frame"
    interval_ms: Annotated[int, Meta(ge=1)] | None = None  # of the clock
    leaders: bool = False  # whether a leader's rows make rows of the others

    def __post_init__(self) -> None:
        for clash in clashes(self.every, self.interval_ms, leaders=self.leaders):
            raise ValueError(str(clash))

    def __str__(self) -> str:
        """The rule in words, as bundles state it: ``frame``, ``bbo and leaders``, ``clock 100 ms``."""
        rule = f"clock {self.interval_ms} ms" if self.every == "clock" else self.every
        return f"{rule} and leaders" if self.leaders else rule


def clashes(every: str, interval_ms: int | None, *, leaders: bool) -> list[Clash]:
    """What in a rule does not go together."""
    found = []
    if every == "clock" and interval_ms is None:
        found.append(Clash("interval_ms", "missing", 'expected an integer, at least 1, with every = "clock"'))
    if every != "clock" and interval_ms is not None:
        problem = f'found {interval_ms} with every = "{every}"'
        found.append(Clash("interval_ms", problem, 'an interval goes with every = "clock" only'))
    if every == "clock" and leaders:
        hint = "leave it out: a clock makes a row of every instrument at each boundary"
        found.append(Clash("leaders", 'found true with every = "clock"', hint))
    return found
