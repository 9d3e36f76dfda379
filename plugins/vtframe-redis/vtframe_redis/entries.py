"""Blocks as entries of streams: raw little-endian bytes, and readable text beside them where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import MarketBlock, PredictionBlock, Received, ReceivedRecords, RowBlock, SessionInfo
from vtframe.domain import FRAME, PREDICTION, ROW, BookState, Verdict
from vtframe_redis.buffer import Block, Item
from vtframe_redis.keys import Keys

Fields = dict[str, Any]
_MARKET_BYTES = 256 << 10  # of one entry, about
_STATES = {state.value: state.name for state in BookState}
_VERDICTS = [verdict.value for verdict in Verdict]
_RECEIVED = msgspec.msgpack.Encoder()
_FIXED = 32  # bytes of an input besides its data, about


def size_of(block: Block) -> int:
    """Bytes that it takes, about."""
    if isinstance(block, RowBlock):
        return int(block.meta.nbytes + block.values.nbytes)
    if isinstance(block, PredictionBlock):
        return int(block.meta.nbytes + block.outputs.nbytes)
    return sum(_received_size(received) for received in block.inputs)


class Entries:
    """Makes entries of items. ``rows_per_entry`` records go into one entry; with ``readable``, one, and text beside it."""

    def __init__(self, session: SessionInfo, keys: Keys, *, rows_per_entry: int, readable: bool) -> None:
        self._session = session
        self._keys = keys
        self._step = 1 if readable else rows_per_entry
        self._readable = readable

    def of(self, item: Item) -> Iterator[tuple[int, Fields]]:
        """Each entry's last number, and its fields."""
        block = item.block
        if isinstance(block, MarketBlock):
            yield from self._market(item, block)
            return
        values = block.values if isinstance(block, RowBlock) else block.outputs
        for start in range(0, item.count, self._step):
            meta, part = block.meta[start : start + self._step], values[start : start + self._step]
            fields: Fields = {"n": len(meta), "m": meta.tobytes(), "v": _plain(part)}
            if self._readable:
                fields |= self._text(block, meta[0], part[0])
            yield item.first + start + len(meta) - 1, fields

    def newest(self, item: Item) -> Iterator[tuple[str, Fields]]:
        """The key and fields of the newest row or prediction of each instrument in ``item``."""
        block = item.block
        if isinstance(block, MarketBlock):
            return
        instruments, places = np.unique(block.meta["instrument"][::-1], return_index=True)
        for instrument, place in zip(instruments.tolist(), places.tolist(), strict=True):
            index = item.count - 1 - place
            meta = block.meta[index]
            if isinstance(block, RowBlock):
                name, values = "row", block.values[index]
            else:
                name, values = f"prediction:{block.model}", block.outputs[index]
            fields: Fields = {
                f"{name}:session": self._session.session_id,
                f"{name}:schema_hash": self._session.schema_hash,
                f"{name}:sequence": item.first + index,
                f"{name}:m": meta.tobytes(),
                f"{name}:v": _plain(values),
            }
            if self._readable:
                fields |= {f"{name}:{key}": text for key, text in self._text(block, meta, values).items()}
            yield self._keys.newest(self._session.instruments[instrument]), fields

    def _text(self, block: Block, meta: NDArray[Any], values: NDArray[Any]) -> Fields:
        """Fixed fields by their names; features and outputs as ``column:NAME``, in digits that give the same float back."""
        session = self._session
        if isinstance(block, RowBlock):
            names, columns = ROW.names, session.columns
            words = {"state": _STATES.get(int(meta["state"]), "")}
        elif isinstance(block, PredictionBlock):
            names, columns = PREDICTION.names, session.outputs[block.model]
            words = {"verdict": _VERDICTS[int(meta["verdict"])]}
        else:
            return {}
        fields: Fields = {name: int(meta[name]) for name in names or ()}
        fields |= {"instrument": session.instruments[int(meta["instrument"])], **words}
        return fields | {f"column:{name}": str(value) for name, value in zip(columns, values, strict=True)}

    def _market(self, item: Item, block: MarketBlock) -> Iterator[tuple[int, Fields]]:
        last = item.first - 1
        gathered: list[Received] = []
        count = size = 0
        for received in block.inputs:
            gathered.append(received)
            count += len(received.frames) // FRAME.itemsize if isinstance(received, ReceivedRecords) else 1
            size += _received_size(received)
            if size >= _MARKET_BYTES:
                last += count
                yield last, {"n": count, "i": _RECEIVED.encode(gathered)}
                gathered, count, size = [], 0, 0
        if gathered:
            yield last + count, {"n": count, "i": _RECEIVED.encode(gathered)}


def _plain(values: NDArray[Any]) -> bytes:
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _received_size(received: Received) -> int:
    if isinstance(received, ReceivedRecords):
        return _FIXED + len(received.frames) + len(received.events)
    return _FIXED + len(getattr(received, "data", b""))
