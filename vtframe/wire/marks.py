"""Marks: lines of a recording that are no venue's frame. They say what happened between frames, and hold what a text line
cannot. A recording whose first line is a Heading has them; in any other file such a line is a frame like all others."""

from __future__ import annotations

import msgspec

from vtframe.errors import RecordingError

PREFIX = b'{"vtframe":'
RECORDING_VERSION = 1


class Heading(msgspec.Struct, frozen=True, kw_only=True, tag_field="vtframe", tag="recording"):
    """The first line of each file."""

    version: int
    recording: str  # the same in all files of one recording
    file: int  # its number among them, from 1
    first: int = 0  # inputs before it
    connection: int = 0  # that its first frames came on


class OnConnection(msgspec.Struct, frozen=True, tag_field="vtframe", tag="on"):
    """Frames from here on came on that connection."""

    connection: int


class ConnectionChange(msgspec.Struct, frozen=True, tag_field="vtframe", tag="connection"):
    """An input: a market connection came up or went down."""

    connection: int
    up: bool
    reason: str = ""


class DamageSeen(msgspec.Struct, frozen=True, tag_field="vtframe", tag="damage"):
    """An input: something that the feed could not read."""

    where: str
    problem: str


class Message(msgspec.Struct, frozen=True, tag_field="vtframe", tag="message"):
    """An input: a frame that cannot stand in a line as it is, in base64."""

    data: bytes


class FrameRecords(msgspec.Struct, frozen=True, tag_field="vtframe", tag="frame"):
    """An input: a frame of a feed that decodes by itself. The fields of domain.FRAME and domain.EVENT that the line does not
    give otherwise; instruments are positions in the sidecar."""

    ids: tuple[int, int, int]  # first, last, previous; -1: none
    checksum: int
    connection: int
    instrument: int
    kind: int
    events: list[
        tuple[int, int, int, int, int, int, int, int]
    ]  # ts_event, price, quantity, order_id, instrument, flags, kind, side


class Lost(msgspec.Struct, frozen=True, tag_field="vtframe", tag="lost"):
    """So many inputs are missing here: the recorder could not keep up."""

    inputs: int


class End(msgspec.Struct, frozen=True, tag_field="vtframe", tag="end"):
    """The last line of a file that was closed in order."""

    inputs: int  # of the recording so far, lost ones included
    more: bool  # another file follows


Mark = Heading | OnConnection | ConnectionChange | DamageSeen | Message | FrameRecords | Lost | End

encode_mark = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Mark).decode


def decode_mark(data: bytes) -> Mark:
    """Raises ValueError for what is no mark."""
    try:
        mark: Mark = _decode(data)
    except msgspec.DecodeError as e:
        raise ValueError(f"broken mark: {e}") from None
    return mark


def heading_of(where: str, data: bytes) -> Heading | None:
    """The heading, where a file's first line is one. Raises RecordingError for one of another version."""
    if not data.startswith(PREFIX):
        return None
    try:
        found = decode_mark(data)
    except ValueError:
        return None
    if not isinstance(found, Heading):
        return None
    if found.version != RECORDING_VERSION:
        raise RecordingError(where, f"is a recording of version {found.version}, this vtframe reads {RECORDING_VERSION}")
    return found


def is_plain(data: bytes) -> bool:
    """Whether a frame can stand in a line as it is, and is read back as it was."""
    return bool(data) and b"\n" not in data and data[-1] != 13 and not data.startswith(PREFIX)
