"""Reads protobuf's wire format: numbered fields of bytes. Enough for ONNX files, without a package for it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Message:
    """One message: its fields by number, each a list of integers (varint, fixed) or of bytes, in the file's order."""

    def __init__(self, data: bytes | memoryview) -> None:
        """Raises ValueError where ``data`` is not a message."""
        self._fields: dict[int, list[int | memoryview]] = {}
        for number, value in _fields(memoryview(data)):
            self._fields.setdefault(number, []).append(value)

    def messages(self, number: int) -> list[Message]:
        return [Message(value) for value in self.blocks(number)]

    def message(self, number: int) -> Message:
        """The last one; an empty message where there is none."""
        blocks = self.blocks(number)
        return Message(blocks[-1] if blocks else b"")

    def has(self, number: int) -> bool:
        return number in self._fields

    def blocks(self, number: int) -> list[memoryview]:
        found = self._fields.get(number, [])
        if not all(isinstance(value, memoryview) for value in found):
            raise ValueError(f"field {number} is a number where bytes are expected")
        return found  # type: ignore[return-value]

    def texts(self, number: int) -> tuple[str, ...]:
        return tuple(bytes(block).decode() for block in self.blocks(number))

    def text(self, number: int) -> str:
        texts = self.texts(number)
        return texts[-1] if texts else ""

    def integers(self, number: int) -> tuple[int, ...]:
        """Signed 64-bit numbers, packed or one by one."""
        found: list[int] = []
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            position = 0
            while position < len(value):
                one, position = _varint(value, position)
                found.append(_signed(one))
        return tuple(found)

    def integer(self, number: int) -> int:
        """The last one; 0 where there is none."""
        found = self.integers(number)
        return found[-1] if found else 0

    def floats(self, number: int) -> tuple[float, ...]:
        """32-bit numbers, packed or one by one."""
        found: list[float] = []
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                found += struct.unpack("<f", value.to_bytes(4, "little"))
            else:
                found += struct.unpack(f"<{len(value) // 4}f", value)
        return tuple(found)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, position = _varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a field of unknown kind {kind}")
        block = data[position : position + length]
        if len(block) != length:
            raise ValueError("it ends in the middle of a field")
        position += length
        yield key >> 3, block if kind == _BYTES else int.from_bytes(block, "little")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError("it ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
