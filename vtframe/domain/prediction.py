"""A model's answer, with everything that says whether it may be traded."""

from __future__ import annotations

from enum import Enum

import msgspec


class Verdict(Enum):
    """What became of one row for one model. Only OK is tradable."""

    __hash__ = object.__hash__  # a call of Python's otherwise, several times a row

    OK = "ok"
    LATE = "late"  # done after its deadline
    STALE = "stale"  # its market data was too old when it was done
    INVALID = "invalid"  # the row (or a row of its window) was not valid: gap, warm-up, empty side
    FAILED = "failed"  # the backend raised, or answered nan
    CONFLATED = "conflated"  # a newer row took its place
    OVERRUN = "overrun"  # its window was overwritten during inference


class Prediction(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """``outputs`` are the model's numbers: class probabilities in the bundle's order, or values.

    They are there when ``verdict`` is OK or STALE, or LATE and answered at all, and empty otherwise.
    """

    model: str
    model_hash: str
    instrument: int
    input: int  # number of the input whose row it saw
    row: int  # that row's number, per instrument
    update_id: int  # the book's last update id in that row
    ts_event: int
    ts_recv: int
    ts_done: int  # market clock when the answer was there
    age_ns: int  # ts_done - ts_recv, plus the backlog
    deadline_ns: int  # allowed ts_done - ts_recv
    verdict: Verdict
    outputs: tuple[float, ...] = ()
    arrived: int = -1  # number of the input that brought the answer, where it came from elsewhere; -1: with ``input`` itself
