"""Everything that a folder's files hold, packed or not: what is looked through for what must not be there."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow.parquet as pq
import zstandard

_PACKED = {".zst", ".gz", ".parquet"}


def contents(folder: Path) -> dict[str, bytes]:
    """Each file's bytes by its path; of packed ones also what is in them, by the path and "unpacked"."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            found[str(path)] = data = path.read_bytes()
            if path.suffix in _PACKED:
                found[f"{path} unpacked"] = _unpacked(path.suffix, data)
    return found


def _unpacked(suffix: str, data: bytes) -> bytes:
    if suffix == ".parquet":
        table = pq.read_table(io.BytesIO(data))
        told = [f"{table.schema.to_string(show_schema_metadata=True, truncate_metadata=False)}"]
        told += [f"{column.to_pylist()}" for column in table.columns]
        return "\n".join(told).encode()
    if suffix == ".gz":
        return gzip.decompress(data)
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        return reader.read()
