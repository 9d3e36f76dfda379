"""The feeds that read other people's files. What reads them is imported when one is opened."""

from __future__ import annotations

from typing import ClassVar

from vtframe.builtin.imports.formats import HFTBACKTEST, LOBSTER, NAUTILUS, TARDIS
from vtframe.builtin.imports.imported import ImportedFeed


class HftbacktestFeed(ImportedFeed):
    """Plays hftbacktest's .npz event arrays (level 2). They carry no units: state them, or write a sidecar.

    Without a snapshot the book starts empty, as hftbacktest starts it. Update ids and the borders of messages are lost in such
    files, so a book that they leave crossed waits for their next snapshot.
    """

    name: ClassVar[str] = HFTBACKTEST
    reader: ClassVar[str] = "vtframe.builtin.imports.hftbacktest"


class LobsterFeed(ImportedFeed):
    """Plays LOBSTER's csv pairs, named by the message file or the zip that holds both. The names say symbol, day and levels."""

    name: ClassVar[str] = LOBSTER
    reader: ClassVar[str] = "vtframe.builtin.imports.lobster"


class NautilusFeed(ImportedFeed):
    """Plays order book deltas of NautilusTrader's Parquet catalogs (level 2). Instrument and precision are in the files; their
    trades are in others, and are not read."""

    name: ClassVar[str] = NAUTILUS
    reader: ClassVar[str] = "vtframe.builtin.imports.nautilus"


class TardisFeed(ImportedFeed):
    """Plays Tardis' incremental_book_L2 csv. Venue and symbol are in the files, units are not. There are no trades in them."""

    name: ClassVar[str] = TARDIS
    reader: ClassVar[str] = "vtframe.builtin.imports.tardis"
