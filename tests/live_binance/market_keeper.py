"""A sink that keeps the market inputs of its session in a file, so that a test can play them again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from vtframe.api import MarketBlock, SessionInfo, Sink, hookimpl


class MarketKeeper(Sink):
    """Appends every block to ``path``."""

    name: ClassVar[str] = "market_keeper"
    path: str

    @property
    def takes_market(self) -> bool:
        return True

    def start(self, session: SessionInfo) -> None:
        self._file = Path(self.path).open("wb")  # noqa: SIM115 - closed in close()

    def market(self, block: MarketBlock) -> None:
        data = msgspec.msgpack.encode(block)
        self._file.write(len(data).to_bytes(8, "little") + data)

    def close(self) -> None:
        self._file.close()


@hookimpl
def register_sinks() -> Sequence[type[Sink]]:
    return (MarketKeeper,)


def kept(path: Path) -> list[MarketBlock]:
    """The blocks of a file."""
    data, blocks, at = path.read_bytes(), [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        blocks.append(msgspec.msgpack.decode(data[at + 8 : at + 8 + size], type=MarketBlock))
        at += 8 + size
    return blocks
