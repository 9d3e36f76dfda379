"""What exchangeInfo said last, on disk with its time: sessions start from it while the venue does not answer."""

from __future__ import annotations

import hashlib
import ipaddress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import platformdirs

from vtframe.builtin.binance.exchange_info import Listed

FORMAT_VERSION: Final = 1


class CachedInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Instruments of one place that were asked for, and when (ns UTC)."""

    format_version: int = FORMAT_VERSION
    root: str
    ts: int
    listed: dict[str, Listed]


_DECODER = msgspec.json.Decoder(CachedInfo)


def cache_folder(root: str) -> Path | None:
    """The user's cache; None for a venue on this machine, whose port is another each time."""
    host = urlsplit(root).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    return None if local else Path(platformdirs.user_cache_dir("vtframe")) / "binance"


class InstrumentCache:
    """The file of one place in ``folder``; nothing is kept where that is None."""

    def __init__(self, folder: Path | None, root: str) -> None:
        self._root = root
        name = hashlib.sha256(root.encode()).hexdigest()[:16]
        self.path = None if folder is None else folder / f"{name}.json"

    def read(self) -> CachedInfo | None:
        """None where there is nothing that can be used: it is only a cache."""
        if self.path is None:
            return None
        try:
            found = _DECODER.decode(self.path.read_bytes())
        except (OSError, msgspec.DecodeError, ValueError):
            return None
        return found if found.root == self._root and found.format_version == FORMAT_VERSION else None

    def write(self, ts: int, listed: dict[str, Listed]) -> str:
        """Keep these besides what is kept; returns why that failed, if it did."""
        if self.path is None:
            return ""
        before = self.read()
        whole = CachedInfo(root=self._root, ts=ts, listed={**(before.listed if before else {}), **listed})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(".new")
            fresh.write_bytes(msgspec.json.encode(whole))
            fresh.replace(self.path)
        except OSError as e:
            return f"{self.path}: {e.strerror}"
        return ""
