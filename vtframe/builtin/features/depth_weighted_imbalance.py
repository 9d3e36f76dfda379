"""Feature: which side of the book is heavier, near prices counting more."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from vtframe.api import Feature, Kernel

Weight = Annotated[float, Meta(ge=0.0)]


class DepthWeightedImbalance(Feature, frozen=True):
    """``(sum(w q_b) - sum(w q_a)) / (sum(w q_b) + sum(w q_a))`` over the best ``levels`` of each side. Unitless, in [-1, 1].

    By level: ``w_k = weights[k]``, one for each of ``levels``. Without ``weights``, by distance: ``w = exp(-d / decay_ticks)``
    with ``d`` from the mid in ticks; the imbalance of Gould and Bonart (2016) is the limit of a short decay. Levels that are
    missing weigh nothing; nan while a side is empty or all that is there weighs nothing.
    """

    name = "depth_weighted_imbalance"
    levels: Annotated[int, Meta(ge=1, le=50)] = 10
    decay_ticks: Annotated[float, Meta(gt=0.0)] = 10.0
    weights: tuple[Weight, ...] = ()

    def __post_init__(self) -> None:
        if self.weights and (len(self.weights) != self.levels or not any(self.weights)):
            raise ValueError(f"weights needs one number for each of {self.levels} levels, not all 0, found {self.weights}")

    def kernel(self) -> Kernel:
        levels = self.levels
        decay = self.decay_ticks
        by_level = bool(self.weights)
        weights = np.array(self.weights or [0.0])

        def on_frame(moment, book, state, out):  # type: ignore[no-untyped-def]
            half_spread = (book.ask_price[0] - book.bid_price[0]) / 2.0
            bid = ask = 0.0
            for k in range(levels):
                if by_level:
                    bid += weights[k] * book.bid_quantity[k]
                    ask += weights[k] * book.ask_quantity[k]
                    continue
                if book.bid_quantity[k] > 0.0:
                    distance = (book.bid_price[0] - book.bid_price[k] + half_spread) / book.tick_size
                    bid += book.bid_quantity[k] * np.exp(-distance / decay)
                if book.ask_quantity[k] > 0.0:
                    distance = (book.ask_price[k] - book.ask_price[0] + half_spread) / book.tick_size
                    ask += book.ask_quantity[k] * np.exp(-distance / decay)
            both = book.bid_quantity[0] > 0.0 and book.ask_quantity[0] > 0.0 and bid + ask > 0.0
            out[0] = (bid - ask) / (bid + ask) if both else np.nan

        return Kernel(on_frame=on_frame, depth=levels)
