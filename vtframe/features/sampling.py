"""When a row is made. The rule belongs to the features: a model is trained and run on rows of one rule."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """``every`` is one of

    - ``frame``: every depth frame, applied or not, and every snapshot that ends a resync;
    - ``bbo``: every frame after which the best bid or ask differs in price or quantity, and every resync or loss of it;
    - ``trade``: every frame that holds a market trade;
    - ``clock``: every instrument at every multiple of ``interval_ms`` (UTC), made when the first input with a ``ts_recv`` at
      or past it arrives, before that is applied; the row carries the boundary as its ``ts_recv``.

    A book that is not live makes rows too: their values are nan, they are not valid, and they carry the book's state, so that
    a loss reaches whoever waits for rows.
    """

    every: Literal["frame", "bbo", "trade", "clock"] = "frame"
    interval_ms: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if (self.interval_ms is not None) != (self.every == "clock"):
            found = f'every = "{self.every}" with interval_ms = {self.interval_ms}'
            raise ValueError(f'interval_ms goes with every = "clock" and only with it, found {found}')

    def __str__(self) -> str:
        return f"clock {self.interval_ms} ms" if self.every == "clock" else self.every
