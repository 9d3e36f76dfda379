"""The instruments of one file, as a codec wants them; a session has a table of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vtframe.domain import Instrument


class FileInstruments:
    """An InstrumentTable over what a file holds."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._all = tuple(instruments)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int) -> Instrument:
        return self._all[index]

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._all)

    def index(self, instrument_id: str) -> int:
        for index, instrument in enumerate(self._all):
            if instrument.instrument_id == instrument_id:
                return index
        raise KeyError(instrument_id)

    def find(self, venue: str, symbol: str) -> int | None:
        for index, instrument in enumerate(self._all):
            if instrument.venue == venue and instrument.symbol == symbol:
                return index
        return None
