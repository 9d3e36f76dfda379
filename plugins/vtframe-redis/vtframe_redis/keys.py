"""Names of keys, and the description that lets a reader refuse what it was not made for. The README lists both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from vtframe.api import MarketInfo, SessionInfo
from vtframe.domain import EVENT, FRAME, PREDICTION, ROW, BookState, Verdict

FORMAT = 1
ROWS = "rows"
MARKET = "market"
PREDICTIONS = "predictions:"  # and the model's name


class Keys(msgspec.Struct, frozen=True):
    """The keys of one session in a namespace."""

    namespace: str
    session: str

    @property
    def share(self) -> str:
        """Hash: the description, the state, the counters."""
        return f"{self.namespace}:{self.session}:share"

    def stream(self, name: str) -> str:
        """Stream ``rows``, ``market`` or ``predictions:MODEL``."""
        return f"{self.namespace}:{self.session}:{name}"

    def newest(self, instrument_id: str) -> str:
        """Hash: the newest row of an instrument and the newest prediction of each model, whatever session they are of."""
        return f"{self.namespace}:newest:{instrument_id}"

    @staticmethod
    def sessions(namespace: str) -> str:
        """Sorted set of session ids, all of score 0: in the order of their text, which is that of their starts."""
        return f"{namespace}:sessions"


class Layout(msgspec.Struct, frozen=True):
    """A record as it lies in memory, little-endian."""

    bytes: int
    fields: tuple[tuple[str, str, int], ...]  # name, numpy type, offset


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a share holds. Written as JSON, for readers in any language."""

    format: int
    session_id: str
    instruments: tuple[str, ...]  # a record's ``instrument`` is an index in it
    columns: tuple[str, ...]
    dtype: str  # of a row's values, little-endian
    schema_hash: str
    fingerprint: str
    outputs: dict[str, tuple[str, ...]]  # model: names of its outputs, float32 little-endian
    row: Layout
    prediction: Layout
    frame: Layout
    event: Layout
    states: tuple[str, ...]  # by ``state`` of a row
    verdicts: tuple[str, ...]  # by ``verdict`` of a prediction
    market: MarketInfo | None = None  # there where market inputs are shared


def describe(session: SessionInfo, *, market: bool) -> Description:
    return Description(
        format=FORMAT,
        session_id=session.session_id,
        instruments=session.instruments,
        columns=session.columns,
        dtype=session.dtype,
        schema_hash=session.schema_hash,
        fingerprint=session.fingerprint,
        outputs=session.outputs,
        row=layout(ROW),
        prediction=layout(PREDICTION),
        frame=layout(FRAME),
        event=layout(EVENT),
        states=tuple(state.name for state in BookState),
        verdicts=tuple(verdict.value for verdict in Verdict),
        market=session.market if market else None,
    )


def layout(dtype: np.dtype[Any]) -> Layout:
    fields: Mapping[str, Any] = dtype.fields or {}
    return Layout(dtype.itemsize, tuple((name, str(fields[name][0].str), int(fields[name][1])) for name in dtype.names or ()))
