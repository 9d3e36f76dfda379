"""A model's first calls, before any that counts."""

from __future__ import annotations

from typing import Final

import numpy as np

from vtframe.api import BundleError, BundleInfo, Model

_CALLS: Final = 20


def warm(model: Model, bundle: BundleInfo) -> None:
    """A few calls for nothing, so that the first one that counts is as quick as any; and a look at the answer's shape.

    Raises BundleError where the model does not answer, or with another number of outputs than the bundle states.
    """
    batch = np.zeros((1, bundle.window, len(bundle.columns)), bundle.dtype)
    try:
        shapes = {np.shape(model.predict(batch)) for _ in range(_CALLS)}
    except Exception as e:
        raise BundleError(str(bundle.path), f"does not answer: it raised {e!r}", "`vtframe model verify` tells more") from e
    if shapes != {(1, len(bundle.classes))}:
        found = ", ".join(map(str, shapes))
        raise BundleError(str(bundle.path), f"answers one row in the shape {found}, expected (1, {len(bundle.classes)})")
