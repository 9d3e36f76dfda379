"""Where a data set's run stood between two blocks: enough to make the next row without making those before it.

It is believed only whole: its hash, its job and the digests of the parts that it stands behind must all agree.
"""

from __future__ import annotations

import hashlib

import msgspec

FORMAT = 1
_MAGIC = b"vtframe data set checkpoint\n"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far a collector is: deliveries of the feed that it has taken, and what it counted on the way."""

    deliveries: int
    number: int  # of the next input
    inputs: int
    damaged: int
    damage: list[str]


class WorkCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """``parts`` are the digests of the parts that were finished; ``pipeline`` is its own checkpoint."""

    format: int = FORMAT
    job: bytes  # sha256
    parts: list[str]
    place: Place
    pipeline: bytes

    def encode(self) -> bytes:
        body = msgspec.msgpack.encode(self)
        return _MAGIC + hashlib.sha256(body).digest() + body


def read_checkpoint(data: bytes, job: bytes) -> WorkCheckpoint:
    """Raises ValueError, in words, for bytes that are not the checkpoint of ``job`` as it was written."""
    start = len(_MAGIC) + 32
    if not data.startswith(_MAGIC) or hashlib.sha256(data[start:]).digest() != data[len(_MAGIC) : start]:
        raise ValueError(f"it is damaged or cut short: its {len(data):,} bytes do not have the hash that they state")
    found = msgspec.msgpack.decode(data[start:], type=WorkCheckpoint)
    if found.format != FORMAT:
        raise ValueError(f"it has format {found.format}, this vtframe reads {FORMAT}")
    if found.job != job_hash(job):
        raise ValueError("it is of another data set")
    return found


def job_hash(job: bytes) -> bytes:
    """The name of a job in checkpoints."""
    return hashlib.sha256(job).digest()
