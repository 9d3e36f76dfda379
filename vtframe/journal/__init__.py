"""The append-only record of every input that is not market data, and of every decision."""

from vtframe.journal.reader import JournalReader
from vtframe.journal.records import Record
from vtframe.journal.segment import TornTail
from vtframe.journal.writer import JournalWriter

__all__ = ["JournalReader", "JournalWriter", "Record", "TornTail"]
