"""Reads streams of one share in order, over every break of the connection; what is missing is told by its numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from vtframe_redis.client import Backoff, refused, unreachable
from vtframe_redis.keys import Keys


class Entry(msgspec.Struct, frozen=True):
    """One entry of a stream: items ``first`` to ``first + count - 1``."""

    stream: str
    first: int
    count: int
    fields: dict[bytes, bytes]


class Missing(msgspec.Struct, frozen=True):
    """Items that are not there: dropped by the publisher, lost by Redis, or trimmed before they were read."""

    stream: str
    first: int
    count: int


class Reader:
    """Hands over entries as they come. It is ``ended`` once the publisher has closed and everything was read."""

    def __init__(
        self,
        connect: Callable[[], Any],
        keys: Keys,
        streams: Sequence[str],
        *,
        newest_only: bool = False,
        silence_s: float = 30.0,
        batch: int = 256,
    ) -> None:
        """``newest_only`` starts after what is there now; after ``silence_s`` without a sign of life the publisher is taken
        for dead. ``batch`` is how many entries of a stream come at once, at most."""
        self.ended = False
        self.silent = False  # it ended because nobody was heard any more
        self.failures = 0  # of the connection
        self.problem = ""  # why there is no connection; empty where there is one
        self._connect = connect
        self._client: Any = None
        self._keys = keys
        self._streams = {keys.stream(name).encode(): name for name in streams}
        self._next = dict.fromkeys(streams, 1)
        self._newest_only = newest_only
        self._silence_s = silence_s
        self._batch = batch
        self._backoff = Backoff()
        self._beat: bytes | None = None
        self._heard = time.monotonic()

    def position(self, stream: str) -> int:
        """The number of the next item."""
        return self._next[stream]

    def poll(self, wait_s: float) -> list[Entry | Missing]:
        """What came next; waits up to about ``wait_s`` for it. Empty where nothing came, or Redis cannot be reached."""
        try:
            found = self._read(wait_s)
        except (*unreachable(), refused()) as e:
            self._break(e)
            time.sleep(min(wait_s, self._backoff.next_s()))
            return []
        if self._backoff.failures:
            self._backoff.reset()
            self._heard = time.monotonic()
        self.problem = ""
        return found

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _break(self, error: Exception) -> None:
        if not self.problem:
            self.failures += 1
        self.problem = f"{type(error).__name__}: {error}"
        self.close()
        if time.monotonic() - self._heard > self._silence_s:
            self.ended = self.silent = True

    def _read(self, wait_s: float) -> list[Entry | Missing]:
        if self._client is None:
            self._client = self._connect()
        if self._newest_only:
            self._skip()
        found = self._entries(wait_s)
        if found:
            self._heard = time.monotonic()
            return found
        state = self._client.hgetall(self._keys.share)
        if state.get(b"state") == b"closed":
            found = self._entries(0)
            if not found:
                self.ended = True
                found = self._rest(state)
        elif state.get(b"beat") != self._beat:
            self._beat = state.get(b"beat")
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > self._silence_s:
            self.ended = self.silent = True
            found = self._rest(state)
        return found

    def _entries(self, wait_s: float) -> list[Entry | Missing]:
        after = {key: f"{self._next[name] - 1}-0" for key, name in self._streams.items()}
        block = max(1, int(wait_s * 1000)) if wait_s > 0 else None
        found: list[Entry | Missing] = []
        for key, entries in self._client.xread(after, count=self._batch, block=block) or ():
            name = self._streams[key]
            for entry, fields in entries:
                last = int(entry.partition(b"-")[0])
                count = _count(fields)
                first = last - count + 1  # one that does not say how many it holds is missing as well
                if first > self._next[name]:
                    found.append(Missing(name, self._next[name], first - self._next[name]))
                if count:
                    found.append(Entry(name, first, count, fields))
                self._next[name] = last + 1
        return found

    def _rest(self, state: dict[bytes, bytes]) -> list[Entry | Missing]:
        """What was made and never came."""
        found: list[Entry | Missing] = []
        for name in self._streams.values():
            made = int(state.get(f"made:{name}".encode(), 0))
            if made >= self._next[name]:
                found.append(Missing(name, self._next[name], made - self._next[name] + 1))
                self._next[name] = made + 1
        return found

    def _skip(self) -> None:
        for key, name in self._streams.items():
            last = self._client.xrevrange(key, count=1)
            self._next[name] = int(last[0][0].partition(b"-")[0]) + 1 if last else 1
        self._newest_only = False


def _count(fields: dict[bytes, bytes]) -> int:
    text = fields.get(b"n", b"")
    return int(text) if text.isdigit() else 0
