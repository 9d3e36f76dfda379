"""The contracts of what brings market data in: codecs turn bytes into records, feeds bring bytes or records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec

from vtframe.api.example_venue import ExampleVenue
from vtframe.api.part import Part
from vtframe.clock import Clock
from vtframe.domain import BookState, ChecksumRule, Instrument, Records, SequenceRule


class InstrumentTable(Protocol):
    """The session's instruments; an index in it stands for one in every record."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Instrument: ...
    def __iter__(self) -> Iterator[Instrument]: ...
    def index(self, instrument_id: str) -> int:
        """Index of ``SYMBOL@venue``; raises KeyError."""
        ...

    def find(self, venue: str, symbol: str) -> int | None:
        """Index of a venue's symbol; None where the session does not have it."""
        ...


class Codec(Part):
    """Decodes one venue's messages. ``decode`` is on the hot path."""

    venues: ClassVar[tuple[str, ...]] = ()  # the venues (as in Instrument.venue) whose messages it reads
    reference_of: ClassVar[str] = ""  # the codec that this one is the plain twin of: used only where it is named

    @property
    def fallbacks(self) -> Mapping[str, int]:
        """How many messages a compiled codec handed on to its plain twin, by reason; for the report."""
        return {}

    def open(self, instruments: InstrumentTable) -> None:
        """Learn the session's instruments; called once before ``decode``."""
        raise NotImplementedError

    def decode(self, data: bytes, records: Records) -> str:
        """Append the frames of one message (none where it carries no market data) and return the name of its type.

        Frames of instruments that the session does not have are not appended. Numbers, times of arrival and connections are
        stamped by the caller. Raises DecodeError for a broken message, and then appends nothing.
        """
        raise NotImplementedError

    def sequence_rule(self, instrument: int) -> SequenceRule:
        """How the update ids of that instrument's depth frames follow each other."""
        raise NotImplementedError

    def checksum_rule(self, instrument: int) -> ChecksumRule | None:
        """How the checksums in that instrument's frames (``FRAME.checksum``, unsigned; -1 where there is none) are made of its
        book. Each is verified after its frame; one that does not agree is a gap. None where the venue sends none."""
        return None

    @classmethod
    def recognize(cls, messages: Iterable[bytes]) -> Sequence[Instrument]:
        """The instruments that the messages leave no doubt of, with their units; empty where there is doubt."""
        return ()

    @classmethod
    def known_instrument(cls, venue: str, symbol: str) -> Instrument | None:
        """What the codec knows by heart of one of its venues' instruments; None where it knows nothing."""
        return None

    @classmethod
    def examples(cls) -> tuple[Sequence[Instrument], Sequence[bytes]]:
        """Instruments, and whole messages about them in the venue's order: what ``vtframe plugins check`` tries the laws on.
        Empty where a recording must be named."""
        return (), ()


class BookWatch(Protocol):
    """The session's books, as far as a live feed must know of them to keep them right."""

    @property
    def alarms(self) -> int:
        """Messages, so far, that the codec refused, and depth frames that a book could not take, so that they wait for a
        snapshot: a book that stops being live by what its frames say makes this grow with that same frame. Reading it costs
        some 50 ns; look at it after each message. An alarm beside a live book is a refused message: what it said is lost."""
        ...

    def state(self, instrument: int) -> BookState: ...
    def update_id(self, instrument: int) -> int:
        """The venue's id of the last change in the book; -1 before the first."""
        ...

    def oldest_waiting(self, instrument: int) -> tuple[int, int] | None:
        """First and previous update id of the oldest depth frame that waits for a snapshot; None where none waits. A snapshot
        that ends before it would leave a hole."""
        ...


class FeedSink(Protocol):
    """Where a feed puts what it receives. Every call is one numbered input and is handled before it returns."""

    @property
    def stopping(self) -> bool:
        """True once the session wants to stop; ``run`` then returns soon."""
        ...

    @property
    def books(self) -> BookWatch:
        """The state of each book after the last call. Only live feeds look."""
        ...

    def on_message(self, data: bytes, ts_recv: int, *, connection: int = 0) -> None:
        """One message of a market connection."""
        ...

    def on_records(self, records: Records) -> None:
        """Frames that need no decoding, arrival times filled in; each frame is an input of its own."""
        ...

    def on_damage(self, where: str, problem: str) -> None:
        """Something that could not be read; it is counted and reported, and the feed goes on."""
        ...

    def on_connection(self, connection: int, *, up: bool, reason: str = "") -> None:
        """A market connection came up or went down."""
        ...


def _say_nothing(message: str) -> None:
    """Where nobody listens."""


class FeedContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed may use: the codecs by name, the folder that relative paths start from, the clock, and a way to say what
    takes long while it opens."""

    codecs: Mapping[str, type[Codec]]
    folder: Path
    clock: Clock
    announce: Callable[[str], None] = _say_nothing


class Feed(Part):
    """Brings one market's data. ``open`` learns the instruments, ``run`` delivers until the data ends or the sink stops."""

    market_time: ClassVar[bool] = False  # True: the session's clock follows ts_recv (recordings, simulation)

    def open(self, context: FeedContext) -> Sequence[Instrument]:
        """Connect, or look at the files; return the instruments, in the order of their indexes in records."""
        raise NotImplementedError

    def look(self, context: FeedContext) -> Sequence[Instrument]:
        """What ``vtframe check`` asks: its instruments, as far as they can be told without a network and without reading files
        to their ends; none where they cannot. Raises what ``open`` raises, for settings and files that cannot be played.

        ConfigError may carry several faults. Nothing is kept: a session opens the feed all the same.
        """
        return ()

    def codec(self) -> Codec | None:
        """The decoder of its messages (not yet opened); None where it delivers records."""
        return None

    def sequence_rule(self, instrument: int) -> SequenceRule:
        """How the update ids of that instrument's depth frames follow each other, where the feed delivers records; where it
        has a codec, the codec's rule counts."""
        return SequenceRule.NONE

    def total(self) -> int | None:
        """How many inputs it will deliver, where that is known; for progress."""
        return None

    def position(self) -> str:
        """Where the message in hand comes from (``file:line``), for reports of broken ones; empty where there is no place."""
        return ""

    def files(self) -> Sequence[Path]:
        """The files that it reads, once it is open: their hashes go into the journal, and ``vtframe parity`` reads them again.
        Empty where it reads none."""
        return ()

    def report(self) -> Mapping[str, Any]:
        """Numbers for ``feed`` of report.json; asked from time to time, and at the end."""
        return {}

    @classmethod
    def example(cls) -> ExampleVenue | None:
        """A venue on loopback that ``vtframe plugins check`` tries the laws of feeds against; None where there is none.

        Import what it needs here: a feed is loaded by every command, its example by few.
        """
        return None

    async def run(self, sink: FeedSink) -> None:
        """Deliver until the data ends or the sink is stopping.

        ``ts_recv`` never goes back on a connection, whatever the machine's clock does. A message that is lost makes a GAP: by
        its sequence, or by a STATUS frame that says so.
        """
        raise NotImplementedError
