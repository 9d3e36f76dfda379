"""ccxt hands out floats. Each is turned back into the decimal that the venue wrote, and proven to be it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import DecodeError

_EXACT = 2.0**53  # integers below it are floats, and a division by a power of ten up to 10**22 is rounded once


def fixed_array(values: Sequence[float] | NDArray[Any], decimals: int) -> NDArray[np.int64]:
    """``values`` times ``10**decimals`` as int64.

    n is right where n / 10**decimals is the very float: both are exact as floats, so that the division gives the float that is
    nearest to the decimal, which is the one that reading the decimal gives. Raises DecodeError where there is no such n: the
    number has more digits than ``decimals``, is negative or no number, or has more than a float can carry.
    """
    floats = np.asarray(values, np.float64)
    scale = 10.0**decimals
    with np.errstate(all="ignore"):
        whole = np.rint(floats * scale)
        good = (whole >= 0) & (whole < _EXACT) & (whole / scale == floats)
    if not good.all():
        bad = floats[~good][0]
        raise DecodeError(f"{float(bad)!r} is no decimal number of at most {decimals} decimals and 15 digits")
    return whole.astype(np.int64)
