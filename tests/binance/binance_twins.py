"""The compiled codec beside its reference: the same records or both refuse, message after message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from binance_files import FILES, raw_lines

from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.binance.reference import BinanceReferenceCodec
from vtframe.domain import Instrument, Records
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.errors import DecodeError

REFUSED = "refused"


class Twins:
    """Two codecs that have seen the same messages."""

    def __init__(self, *instruments: Instrument | None, **settings: Any) -> None:
        known = SessionInstruments([i for i in instruments if i is not None])
        self.compiled, self.reference = BinanceCodec(**settings), BinanceReferenceCodec(**settings)
        for codec in (self.compiled, self.reference):
            codec.open(known)
        self.left, self.right = Records(), Records()

    def read(self, data: bytes) -> str:
        """The type that both give, or REFUSED. Fails where they differ in anything."""
        one, other = _read(self.compiled, data, self.left), _read(self.reference, data, self.right)
        assert one == other, data
        frames, events = self.left.n_frames, self.left.n_events
        assert (frames, events) == (self.right.n_frames, self.right.n_events), data
        if frames:
            assert self.left.frames[:frames].tobytes() == self.right.frames[:frames].tobytes(), data
            assert self.left.events[:events].tobytes() == self.right.events[:events].tobytes(), data
        return one


def _read(codec: BinanceCodec | BinanceReferenceCodec, data: bytes, records: Records) -> str:
    records.clear()
    try:
        return codec.decode(data, records)
    except DecodeError:
        assert not records.n_frames
        return REFUSED


def seeds(folder: Path, *, each: int = 40, longest: int = 1_500) -> list[bytes]:
    """Messages of every kind to make mutations of: recorded ones, the snapshots cut short, all of them bare as well."""
    found: list[bytes] = []
    for file in FILES:
        counts: dict[str, int] = {}
        for _, data in raw_lines(folder / file.name):
            kind = next((kind for kind in ("lastUpdateId", "depth@", "bookTicker", "@trade") if kind.encode() in data), "other")
            if len(data) > longest:
                if kind != "lastUpdateId":
                    continue
                bids, asks = data.split(b'"asks"')
                data = _shortened(bids) + b'],"asks"' + _shortened(asks) + b"]}"  # noqa: PLW2901
            counts[kind] = counts.get(kind, 0) + 1
            if counts[kind] <= each:
                found.append(data)
    bare = [data[data.index(b'"data":') + 7 : -1] for data in found if data.startswith(b'{"stream"')]
    aggregate = [data.replace(b'"trade"', b'"aggTrade"').replace(b'"t":', b'"a":') for data in bare if b'"trade"' in data]
    return found + bare[::2] + aggregate[::2]


def _shortened(side: bytes) -> bytes:
    """The first ten levels of a snapshot's side."""
    return b"]".join(side.split(b"]", 10)[:10]) + b"]"
