"""The thread that talks to Redis. Each batch is one transaction with explicit ids, so that sending it again changes nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from vtframe_redis.buffer import Buffer, Item
from vtframe_redis.client import Backoff, refused, unreachable
from vtframe_redis.entries import Entries, Fields
from vtframe_redis.keys import MARKET, Description, Keys

_log = logging.getLogger("vtframe.redis")
_BEAT_S = 1.0  # between two signs of life
_BATCH = 1 << 20  # bytes
_THERE_ALREADY = "equal or smaller than the target stream top item"


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much Redis keeps."""

    items: int  # of rows, and of predictions of each model
    market: int  # inputs
    seconds: int  # every key, after the last change


class Publisher:
    """Empties ``buffer`` into Redis in a thread of its own, as long as it takes, and comes back after every failure."""

    def __init__(
        self,
        connect: Callable[[], Any],
        buffer: Buffer,
        entries: Entries,
        description: Description,
        keys: Keys,
        *,
        retention: Retention,
        where: str,
    ) -> None:
        """``connect`` makes a client, ``where`` is the address as it may be told."""
        self.connections = 0
        self.connected = False
        self.again = 0  # entries that were sent again and were there already
        self._connect = connect
        self._buffer = buffer
        self._entries = entries
        self._description = msgspec.json.encode(description)
        self._keys = keys
        self._retention = retention
        self._where = where
        self._client: Any = None
        self._backoff = Backoff()
        self._beat = 0
        self._deadline: float | None = None  # monotonic, once nothing more comes
        self._settling = threading.Lock()
        self._settled = False  # for good: what Redis answers from here on comes too late to be counted
        self._refused: set[str] = set()  # streams that an error was told of
        self._thread = threading.Thread(target=self._run, name="redis-publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, wait_s: float) -> None:
        """Publish what waits, for ``wait_s`` at most; what is not acknowledged by then is dropped."""
        self._deadline = time.monotonic() + wait_s
        self._buffer.close()
        self._thread.join(wait_s + 0.5)
        with self._settling:
            self._settled = True
            self._buffer.give_up()
        lost = {name: counts.dropped for name, counts in self._buffer.look().items() if counts.dropped}
        if lost:
            _log.warning("not everything went to Redis", extra={"redis": self._where, "dropped": lost})

    def _run(self) -> None:
        try:
            self._publish()
        except Exception:  # noqa: BLE001 - a thread that ends without a word would look like a slow Redis
            _log.exception("the publisher to Redis failed; from here on everything is dropped and counted")

    def _publish(self) -> None:
        known = (*unreachable(), refused())
        while True:
            items = self._buffer.take(most=_BATCH, wait_s=_BEAT_S)
            last = not items and self._deadline is not None
            batch = self._batch(items)
            while True:
                try:
                    self._send(items, batch, closing=last)
                except known as e:
                    self._lost(e)
                    if self._out_of_time() or (not items and not last):
                        break  # a sign of life is not worth sending again
                    if self._buffer.wait_closed(self._backoff.next_s()):
                        time.sleep(0.02)  # in a hurry, but not spinning
                else:
                    break
            if last or self._out_of_time():
                return

    def _out_of_time(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _batch(self, items: Iterable[Item]) -> tuple[list[tuple[str, int, Fields]], dict[str, Fields]]:
        """Entries (stream, last number, fields) and the newest of each instrument, encoded once."""
        entries: list[tuple[str, int, Fields]] = []
        newest: dict[str, Fields] = {}
        for item in items:
            entries += [(item.stream, last, fields) for last, fields in self._entries.of(item)]
            for key, fields in self._entries.newest(item):
                newest.setdefault(key, {}).update(fields)
        return entries, newest

    def _send(
        self, items: list[Item], batch: tuple[list[tuple[str, int, Fields]], dict[str, Fields]], *, closing: bool
    ) -> None:
        if self._client is None:
            self._open()
        entries, newest = batch
        kept = {name: (counts.made, counts.published, counts.dropped) for name, counts in self._buffer.look().items()}
        of_batch: dict[str, int] = {}
        for item in items:
            of_batch[item.stream] = of_batch.get(item.stream, 0) + item.count
        ends = {stream: last for stream, last, _ in entries}
        pipe = self._client.pipeline(transaction=True)
        for stream, last, fields in entries:
            trim = {"minid": max(1, last - self._keep(stream) + 1), "approximate": True} if last == ends[stream] else {}
            pipe.xadd(self._keys.stream(stream), fields, id=f"{last}-0", **trim)
        for key, fields in newest.items():
            pipe.hset(key, mapping=fields)
        self._beat += 1
        state: Fields = {"description": self._description, "beat": self._beat, "state": "closed" if closing else "running"}
        for stream, (made, published, dropped) in kept.items():
            sent = published + of_batch.get(stream, 0)
            state |= {
                f"made:{stream}": made,
                f"published:{stream}": sent,
                f"dropped:{stream}": made - sent if closing else dropped,
            }
        pipe.hset(self._keys.share, mapping=state)  # who we are, each time: Redis may have come back empty
        pipe.zadd(self._keys.sessions(self._keys.namespace), {self._keys.session: 0})
        for key in (self._keys.share, *map(self._keys.stream, ends), *newest):
            pipe.expire(key, self._retention.seconds)
        self._settle(items, entries, pipe.execute(raise_on_error=False))

    def _settle(self, items: list[Item], entries: list[tuple[str, int, Fields]], answers: list[Any]) -> None:
        """Count what the transaction did. An id that is there already is ours, from before the connection was lost."""
        failed: set[str] = set()
        for (stream, _, _), answer in zip(entries, answers, strict=False):
            if isinstance(answer, Exception):
                if _THERE_ALREADY in str(answer):
                    self.again += 1
                else:
                    failed.add(stream)
                    self._tell_refused(stream, answer)
        for answer in answers[len(entries) :]:
            if isinstance(answer, Exception):
                self._tell_refused("hashes", answer)
        published: dict[str, int] = {}
        dropped: dict[str, int] = {}
        for item in items:
            into = dropped if item.stream in failed else published
            into[item.stream] = into.get(item.stream, 0) + item.count
        with self._settling:
            if not self._settled:
                self._buffer.settle(published, dropped)
        self._backoff.reset()

    def _tell_refused(self, what: str, error: Exception) -> None:
        if what not in self._refused:
            self._refused.add(what)
            _log.error("Redis refused entries: %s", error, extra={"redis": self._where, "stream": what})

    def _open(self) -> None:
        """Connect, and clear the list of sessions of those that are gone."""
        client = self._connect()
        try:
            keys = self._keys
            index = keys.sessions(keys.namespace)
            for session in client.zrange(index, 0, -1):
                if not client.exists(Keys(keys.namespace, session.decode()).share):
                    client.zrem(index, session)
        except BaseException:
            client.close()
            raise
        self._client = client
        self.connections += 1
        self.connected = True
        if self._backoff.failures:
            _log.info("Redis is back", extra={"redis": self._where, "attempts": self._backoff.failures})

    def _lost(self, error: Exception) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.connected or not self._backoff.failures:  # once each time it goes away
            text = f"{type(error).__name__}: {error}"
            _log.warning("Redis cannot be reached, and rows wait: %s", text, extra={"redis": self._where})
        self.connected = False

    def _keep(self, stream: str) -> int:
        return self._retention.market if stream == MARKET else self._retention.items
