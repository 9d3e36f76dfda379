"""A venue for the laws of feeds: the market and its mishaps are here; a subclass says how its venue writes and reads.

class MyVenue(ScriptedVenue):
    instruments = (...)
    def feed(self, *, silence_s): return MyFeed(url=self.url, ...)
    def asked(self, client, text): ...        # which instruments a message of the feed asks for
    def picture(self, book): ...              # the whole book, as the venue writes it
    def change(self, book, change): ...       # one message of it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from vtframe.api import Feed
from vtframe.domain import Instrument
from vtframe.testing.loopback import Client, LoopbackServer
from vtframe.testing.scripted_book import Change, ScriptedBook


class ScriptedVenue:
    """An ``ExampleVenue`` of one WebSocket. What goes out is what was asked for: a picture first, then every change."""

    has_books: ClassVar[bool] = True
    numbered: ClassVar[bool] = True
    instruments: tuple[Instrument, ...]

    def __init__(self, *, seed: int = 1, port: int = 0) -> None:
        self.books = [ScriptedBook(one, seed=seed + k) for k, one in enumerate(self.instruments)]
        self.server = LoopbackServer(self, port=port)
        self._sent: list[bytes] = []
        self._subscriptions = 0
        self.turn = 0

    # ------------------------------------------------------------------ a venue's own

    def feed(self, *, silence_s: float) -> Feed:
        """As ``ExampleVenue.feed``."""
        raise NotImplementedError

    def asked(self, client: Client, text: str) -> Sequence[int]:
        """The instruments that a message of the feed subscribes to; answers of the venue go out by ``self.send``."""
        raise NotImplementedError

    def picture(self, book: ScriptedBook) -> bytes:
        """What a subscriber gets first; empty where the venue sends none."""
        raise NotImplementedError

    def change(self, book: ScriptedBook, change: Change) -> bytes:
        """What a subscriber gets when a level has changed."""
        raise NotImplementedError

    def broken(self) -> bytes:
        """A message that no codec can read: half a change, by default."""
        book = self.books[0]
        whole = self.change(book, Change(1, max(book.bids), 1))
        return whole[: len(whole) // 2]

    def admits(self, path: str, headers: Any) -> tuple[int, str]:
        """Whether a connection is accepted: 200, or another status and why."""
        return 200, ""

    def answered(self, path: str) -> bytes | None:
        """The answer to a plain HTTP request, for a venue that says some things over REST; None: the path is a socket's."""
        return None

    # ------------------------------------------------------------------ what laws direct

    @property
    def url(self) -> str:
        return self.server.url

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def subscriptions(self) -> int:
        return self.server.call(lambda: self._subscriptions)

    def open_connections(self) -> int:
        return self.server.call(lambda: len(self.server.clients))

    def advance(self, messages: int) -> None:
        def go_on() -> None:
            for _ in range(messages):
                self.step()

        self.server.call(go_on)

    def lose(self) -> None:
        self.server.call(lambda: [book.step() for book in self.books])

    def babble(self) -> None:
        def say() -> None:
            for client in self.server.clients:
                self.send(client, self.broken())

        self.server.call(say)

    def cut(self) -> None:
        def end() -> None:
            for client in self.server.clients:
                client.cut()

        self.server.call(end)

    def refuse(self, *, on: bool) -> None:
        self.server.refusing = on

    def sent(self) -> Sequence[bytes]:
        return self.server.call(lambda: tuple(self._sent))

    def levels(self, instrument: int) -> tuple[Mapping[int, int], Mapping[int, int]]:
        book = self.books[instrument]
        return self.server.call(lambda: (dict(book.bids), dict(book.asks)))

    # ------------------------------------------------------------------ the server's thread

    def send(self, client: Client, message: bytes) -> None:
        """Send one message, and note that it went out."""
        self._sent.append(message)
        client.send(message)

    def joined(self, client: Client) -> None:
        """Somebody connected."""

    def said(self, client: Client, text: str) -> None:
        """A message of the feed: what it asks for is sent from here on, after a picture of what is."""
        before = len(client.notes)
        for instrument in self.asked(client, text):
            client.notes.add(instrument)
            picture = self.picture(self.books[instrument])
            if picture:
                self.send(client, picture)
        if before < len(client.notes) == len(self.books):
            self._subscriptions += 1

    def left(self, client: Client) -> None:
        """Somebody is gone."""

    def step(self) -> None:
        """The market's next message, to all who asked for its instrument. Runs in the server's thread."""
        number = self.turn % len(self.books)
        self.turn += 1
        book = self.books[number]
        message = self.change(book, book.step())
        for client in self.server.clients:
            if number in client.notes:
                self.send(client, message)
