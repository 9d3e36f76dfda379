"""The calibrated intensities: a text file, checked when it is read, as the arrays that the compiled market uses."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from vtframe.errors import InputError

FILE = Path(__file__).with_name("intensities.toml")
BUCKETS = 11
DRAWS = 100  # equally likely values that stand for a distribution

Rate = Annotated[float, Meta(ge=0.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Rates = Annotated[tuple[Rate, ...], Meta(min_length=BUCKETS, max_length=BUCKETS)]
Parts = Annotated[tuple[Annotated[int, Meta(ge=0, le=1_000_000)], ...], Meta(min_length=DRAWS, max_length=DRAWS)]
Values = Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(min_length=DRAWS, max_length=DRAWS)]
Positive = Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(min_length=DRAWS, max_length=DRAWS)]

# rows of Tables.lots. Four kinds have a row for each bucket of the queue that they hit; the rows from QUEUE on are the
# invariant distribution of each group of levels
LIMIT_BEHIND, JUMP, AHEAD, BEHIND = range(4)
LIMIT_BEST, MARKET, CANCEL_BEST, CANCEL_BEHIND, QUEUE = (4 + kind * BUCKETS for kind in range(5))


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """What one recording says; every field is explained in docs/market.md."""

    source: str
    seconds: float
    unit: Annotated[int, Meta(ge=1)]
    theta: Share
    theta_reinit: Share
    emptied: int
    one_tick_share: Share
    limit: tuple[Rates, ...]
    cancel: tuple[Rates, ...]
    market: Rates
    pull: Rates
    pull_traded: Share
    pull_scale: Annotated[float, Meta(gt=0.0)]  # already in ``pull``
    exposure_s: Rates
    jump_ticks: Positive
    limit_lots_best: tuple[Positive, ...]
    limit_lots_behind: Positive
    market_lots: tuple[Positive, ...]
    cancel_ppm_best: tuple[Parts, ...]
    cancel_ppm_behind: tuple[Parts, ...]
    queue_lots: tuple[Values, ...]
    queue_lots_ahead: Positive
    queue_lots_behind: Positive


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What order-level data says."""

    source: str
    cancel_place: Annotated[tuple[Share, ...], Meta(min_length=DRAWS, max_length=DRAWS)]


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    format: Annotated[int, Meta(ge=1, le=1)]
    levels: Annotated[int, Meta(ge=2, le=200)]
    groups: tuple[int, ...]
    regimes: dict[str, Regime]
    orders: Orders


class Tables(NamedTuple):
    """A regime as arrays. Level i is i - 1 ticks behind the best; bucket 0 is an empty queue."""

    rates: NDArray[
        np.float64
    ]  # (2, levels + 1, BUCKETS) per second: [0, i] limit, [1, i] cancel; [0, 0] market, [1, 0] pull (by imbalance)
    lots: NDArray[np.int64]  # (rows, DRAWS)
    queue_row: NDArray[np.int64]  # (levels + 1,) row of ``lots`` with the invariant distribution of each level
    place: NDArray[np.float64]  # (DRAWS,) where in its queue an order is canceled
    chances: NDArray[np.float64]  # theta, theta_reinit, the part of a pulled queue that trades
    unit: int
    levels: int


def read_calibration(path: Path = FILE) -> Calibration:
    """The calibration in ``path``; raises InputError that names the file and what is wrong with it."""
    try:
        calibration = msgspec.convert(tomllib.loads(path.read_text()), Calibration)
    except FileNotFoundError:
        raise InputError(str(path), "no such file", "make it with models/embedded_market/calibrate.py") from None
    except tomllib.TOMLDecodeError as e:
        raise InputError(str(path), f"not valid TOML: {e}") from None
    except msgspec.ValidationError as e:
        raise InputError(str(path), str(e), "make it anew with models/embedded_market/calibrate.py") from None
    groups = calibration.groups
    if not groups or groups[0] != 1 or list(groups) != sorted(set(groups)) or groups[-1] > calibration.levels:
        raise InputError(str(path), f"groups must rise from 1 to at most levels = {calibration.levels}, found {list(groups)}")
    for name, regime in calibration.regimes.items():
        for key in ("limit", "cancel", "queue_lots"):
            if (found := len(getattr(regime, key))) != len(groups):
                raise InputError(
                    str(path), f"regimes.{name}.{key} has {found} rows, expected {len(groups)}: one for each group"
                )
        for key in ("limit_lots_best", "market_lots", "cancel_ppm_best", "cancel_ppm_behind"):
            if (found := len(getattr(regime, key))) != BUCKETS:
                raise InputError(str(path), f"regimes.{name}.{key} has {found} rows, expected {BUCKETS}: one for each bucket")
    return calibration


def tables(calibration: Calibration, regime: str) -> Tables:
    """The arrays of ``regime``; raises KeyError where the calibration has no such regime."""
    chosen = calibration.regimes[regime]
    levels = calibration.levels
    group = np.searchsorted(calibration.groups, np.arange(1, levels + 1), "right") - 1
    rates = np.zeros((2, levels + 1, BUCKETS))
    rates[0, 0], rates[1, 0] = chosen.market, chosen.pull
    rates[0, 1:], rates[1, 1:] = np.array(chosen.limit)[group], np.array(chosen.cancel)[group]
    lots = [
        chosen.limit_lots_behind,
        chosen.jump_ticks,
        chosen.queue_lots_ahead,
        chosen.queue_lots_behind,
        *chosen.limit_lots_best,
        *chosen.market_lots,
        *chosen.cancel_ppm_best,
        *chosen.cancel_ppm_behind,
        *chosen.queue_lots,
    ]
    return Tables(
        rates=rates,
        lots=np.array(lots, np.int64),
        queue_row=np.concatenate(([0], QUEUE + group)).astype(np.int64),
        place=np.array(calibration.orders.cancel_place),
        chances=np.array([chosen.theta, chosen.theta_reinit, chosen.pull_traded]),
        unit=chosen.unit,
        levels=levels,
    )
