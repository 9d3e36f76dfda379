"""Predictions whose horizon has passed, and how wrong each of them was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Scored(NamedTuple):
    """Of one model and instrument, in the order of their rows; arrays of one length."""

    rows: NDArray[np.int64]  # that were predicted on
    inputs: NDArray[np.int64]  # at which their horizon was reached
    log_losses: NDArray[np.float64]  # nats
    briers: NDArray[np.float64]  # summed over the classes: 0 to 2
    version: str = ""  # hash of the bundle that answered; empty: the model's first
