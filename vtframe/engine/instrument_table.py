"""The session's instruments by index, by name and by the venue's symbol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vtframe.domain import Instrument
from vtframe.errors import ConfigError, Fault


class SessionInstruments:
    """Fixed for the life of a session; an index in it stands for an instrument in every record."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._all = tuple(instruments)
        self._by_name = {instrument.instrument_id: index for index, instrument in enumerate(self._all)}
        self._by_symbol = {(instrument.venue, instrument.symbol): index for index, instrument in enumerate(self._all)}
        if len(self._by_name) != len(self._all):
            twice = sorted(
                {i.instrument_id for i in self._all if sum(j.instrument_id == i.instrument_id for j in self._all) > 1}
            )
            raise ConfigError(Fault(table="[feed]", problem=f"the feed lists an instrument twice: {', '.join(twice)}"))

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int) -> Instrument:
        return self._all[index]

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._all)

    def index(self, instrument_id: str) -> int:
        return self._by_name[instrument_id]

    def find(self, venue: str, symbol: str) -> int | None:
        return self._by_symbol.get((venue, symbol))
