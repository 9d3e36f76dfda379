"""A venue on loopback that does what it is told: what the laws of feeds are tried on (``Feed.example``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class ExampleVenue(Protocol):
    """Speaks its venue's protocol over real sockets, and sends market data only when it is told to.

    Its methods are called from another thread than its own, and have taken effect when they return.
    """

    has_books: bool  # False: quotes or trades alone
    numbered: bool  # whether what comes after a lost message shows that one is missing

    def start(self) -> None:
        """Listen on a free port of loopback."""
        ...

    def stop(self) -> None:
        """End every connection and listen no more."""
        ...

    def feed(self, *, silence_s: float) -> Any:
        """A new feed pointed here, for all of its instruments, with short waits between connections; it takes a connection
        that is silent for ``silence_s`` for dead."""
        ...

    def subscriptions(self) -> int:
        """How many connections have asked for every instrument, since the start."""
        ...

    def open_connections(self) -> int:
        """How many there are now."""
        ...

    def advance(self, messages: int) -> None:
        """The market goes on by so many messages, in turns of the instruments, each sent to all who asked for it."""
        ...

    def lose(self) -> None:
        """The market goes on by one message of every instrument, and nobody gets them."""
        ...

    def babble(self) -> None:
        """Send everybody a message that is broken."""
        ...

    def cut(self) -> None:
        """End every connection without a word, as a network does."""
        ...

    def refuse(self, *, on: bool) -> None:
        """From now on accept no connection; or accept them again."""
        ...

    def sent(self) -> Sequence[bytes]:
        """Every message that went out so far, as often as it did."""
        ...

    def levels(self, instrument: int) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """Bids and asks as they are now, price to quantity in fixed point; of a venue of quotes the best of each."""
        ...
