"""Books beside a feed that is only recorded: a live feed looks at them to know when a snapshot is due."""

from __future__ import annotations

from vtframe.api import BookWatch
from vtframe.assemble.market import Market
from vtframe.domain import Records
from vtframe.errors import DecodeError
from vtframe.features.pipeline import Pipeline


class Bookkeeper:
    """The end of a feed's way where there is no session: messages are decoded and applied, nothing is computed."""

    stopping = False

    def __init__(self, market: Market) -> None:
        self._pipeline = Pipeline([], tuple(market.instruments), market.rules, checksums=market.checksums())
        self._decode = market.codec.decode if market.codec is not None else None
        self._records = Records()
        self._number = 0

    @property
    def books(self) -> BookWatch:
        return self._pipeline.watch

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        if self._decode is None:
            return
        records = self._records
        records.clear()
        records.connection = connection
        try:
            self._decode(data, records)
        except DecodeError:
            self._pipeline.watch.alarms += 1
            return
        if records.n_frames:
            records.stamp(number=self._number, ts_recv=ts_recv, connection=connection)
            self._number += 1
            self._pipeline.process(records, 0, records.n_frames)

    def on_records(self, records: Records) -> None:
        self._pipeline.process(records, 0, records.n_frames)

    def on_damage(self, where: str, problem: str) -> None:
        """The recorder has it."""

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """The recorder has it."""
