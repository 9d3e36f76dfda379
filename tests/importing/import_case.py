"""What the tests of imports share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vtframe.api import ModelBackend
from vtframe.cli.model_backends import backend_class
from vtframe.inference.importing.make_bundle import Imported

HORIZON = 20


class Material(NamedTuple):
    """What models are fitted on: rows that come before the last 30%."""

    inputs: np.ndarray
    directions: np.ndarray
    moves: np.ndarray


def backend(name: str) -> ModelBackend:
    return backend_class(name, None)()


Import = Callable[..., Imported]
