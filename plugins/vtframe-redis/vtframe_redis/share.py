"""Reads what a session shares: rows and predictions as numpy arrays, bit by bit what they were, with every gap told."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe.api import InputError, Received
from vtframe.domain import EVENT, FRAME, PREDICTION, ROW
from vtframe_redis.address import resolve, shown
from vtframe_redis.client import connect, refused, unreachable
from vtframe_redis.keys import FORMAT, MARKET, PREDICTIONS, ROWS, Description, Keys, layout
from vtframe_redis.reader import Entry, Missing, Reader

_log = logging.getLogger("vtframe.redis")
_RECEIVED = msgspec.msgpack.Decoder(tuple[Received, ...])
_TURN_S = 0.2


class SharedRows(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive rows: ``meta`` (records of domain.ROW, shape (n,)), ``values`` (n, columns); ``first`` is counted from 1."""

    first: int
    meta: NDArray[Any]
    values: NDArray[Any]


class SharedPredictions(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive answers of a model: ``meta`` (records of domain.PREDICTION), ``outputs`` (n, outputs)."""

    model: str
    first: int
    meta: NDArray[Any]
    outputs: NDArray[Any]


class SharedMarket(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive market inputs; each frame of ReceivedRecords is one of ``count``."""

    first: int
    count: int
    inputs: tuple[Received, ...]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """``count`` items of a stream, from ``first``, that are not there: dropped before Redis, lost by it, or trimmed."""

    stream: str
    first: int
    count: int


Shared = SharedRows | SharedPredictions | SharedMarket | Gap


class Share:
    """One session's share. Opening it looks at its description; readers are made of it."""

    def __init__(self, address: str, keys: Keys, description: Description, *, timeout_s: float) -> None:
        self.keys = keys
        self.description = description
        self.where = shown(address)
        self._connect = partial(connect, address, timeout_s=timeout_s)

    @classmethod
    def open(cls, url: str, *, namespace: str = "vtframe", session: str | None = None, timeout_s: float = 5.0) -> Self:
        """The share of ``session``, or of the one that began last. Raises ConfigError for the address, InputError where Redis
        cannot be reached, there is no such share, or it is of another format or layout than this version reads."""
        address = resolve(url)
        client = connect(address, timeout_s=timeout_s)
        where = shown(address)
        try:
            known = _sessions(client, namespace)
            if not known or session not in {None, *known}:
                problem = f"no session {session!r}" if session else "no session"
                hint = f"there are {', '.join(known)}" if known else "start one with a redis sink"
                raise InputError(where, f"{problem} is shared in namespace {namespace!r}", hint)
            keys = Keys(namespace, session or known[-1])
            text = client.hget(keys.share, "description")
        except unreachable() as e:
            raise InputError(where, f"Redis cannot be reached: {e}", "is it running, and is this its address?") from None
        except refused() as e:
            raise InputError(where, f"Redis refuses: {e}") from None
        finally:
            client.close()
        return cls(address, keys, _described(text, where, keys), timeout_s=timeout_s)

    def expect(self, *, schema_hash: str | None = None, columns: Sequence[str] | None = None, dtype: str | None = None) -> None:
        """Raises InputError where rows are not of this schema, with what is there instead."""
        found = self.description
        if columns is not None and tuple(columns) != found.columns:
            raise InputError(self.where, f"shares the columns {', '.join(found.columns)}; expected {', '.join(columns)}")
        if dtype is not None and dtype != found.dtype:
            raise InputError(self.where, f"shares rows of {found.dtype}, expected {dtype}")
        if schema_hash is not None and schema_hash != found.schema_hash:
            hint = "the session's features, their settings or sampling are others"
            raise InputError(self.where, f"shares rows of schema {found.schema_hash}, expected {schema_hash}", hint)

    def streams(self) -> tuple[str, ...]:
        """Names of what it may share: ``rows``, ``predictions:MODEL``, and ``market`` where market inputs are shared."""
        found = (ROWS, *(PREDICTIONS + model for model in self.description.outputs))
        return (*found, MARKET) if self.description.market is not None else found

    def reader(self, streams: Sequence[str], **settings: Any) -> Reader:
        """A reader of these streams, with Reader's settings."""
        return Reader(self._connect, self.keys, streams, **settings)

    def counts(self) -> dict[str, dict[str, int]]:
        """``made``, ``published`` and ``dropped`` of each stream, as the publisher said last."""
        client = self._connect()
        try:
            state: Mapping[bytes, bytes] = client.hgetall(self.keys.share)
        finally:
            client.close()
        found: dict[str, dict[str, int]] = {}
        for key, value in state.items():
            what, _, stream = key.decode().partition(":")
            if stream and what in {"made", "published", "dropped"}:
                found.setdefault(stream, {})[what] = int(value)
        return found

    def decode(self, item: Entry | Missing) -> Shared:
        """An entry as arrays (read-only views of what came). One that cannot be read is a gap: nobody knows what it held."""
        if isinstance(item, Entry):
            try:
                return self._decoded(item)
            except (KeyError, ValueError):  # of bytes that are not as the description says; msgspec's are among them
                _log.error("an entry cannot be read", extra={"stream": self.keys.stream(item.stream), "first": item.first})
        return Gap(stream=item.stream, first=item.first, count=item.count)

    def _decoded(self, item: Entry) -> Shared:
        fields = item.fields
        if item.stream == MARKET:
            return SharedMarket(first=item.first, count=item.count, inputs=_RECEIVED.decode(fields[b"i"]))
        found = self.description
        if item.stream == ROWS:
            values = np.frombuffer(fields[b"v"], np.dtype(found.dtype).newbyteorder("<")).reshape(
                item.count, len(found.columns)
            )
            return SharedRows(first=item.first, meta=_records(fields, ROW, item.count), values=values)
        model = item.stream.removeprefix(PREDICTIONS)
        outputs = np.frombuffer(fields[b"v"], "<f4").reshape(item.count, len(found.outputs[model]))
        meta = _records(fields, PREDICTION, item.count)
        return SharedPredictions(model=model, first=item.first, meta=meta, outputs=outputs)


class read:  # noqa: N801 - reads as a function: ``for item in read(url): ...``
    """Rows and predictions of a share, as they come: SharedRows, SharedPredictions, and a Gap for whatever is missing.

    Without ``follow`` it ends with what is there; with it, when the session has ended and all was read, or nobody was heard for
    ``silence_s``. It outlives every break of the connection (without ``follow``: ``patience_s`` of it, then InputError).
    Streams are in order each; between two streams there is no order but that of the inputs that their records name.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "vtframe",
        session: str | None = None,
        streams: Sequence[str] | None = None,
        schema_hash: str | None = None,
        follow: bool = False,
        newest_only: bool = False,
        silence_s: float = 30.0,
        patience_s: float = 5.0,
    ) -> None:
        """``streams`` by default: rows and every model's predictions. Raises what ``Share.open`` and ``expect`` raise."""
        self.share = Share.open(url, namespace=namespace, session=session)
        self.share.expect(schema_hash=schema_hash)
        wanted = tuple(name for name in self.share.streams() if name != MARKET) if streams is None else tuple(streams)
        unknown = [name for name in wanted if name not in self.share.streams()]
        if unknown:
            problem = f"shares no {', '.join(unknown)}"
            raise InputError(self.share.where, problem, f"there are {', '.join(self.share.streams())}")
        self.reader = self.share.reader(wanted, newest_only=newest_only, silence_s=silence_s)
        self._follow = follow
        self._patience_s = patience_s
        self._items: Generator[Shared, None, None] = self._run()

    def __iter__(self) -> Iterator[Shared]:
        return self._items

    def __next__(self) -> Shared:
        return next(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._items.close()
        self.reader.close()

    def _run(self) -> Generator[Shared, None, None]:
        heard = time.monotonic()
        while True:
            found = self.reader.poll(_TURN_S if self._follow else 0)
            yield from map(self.share.decode, found)
            if self.reader.ended:
                return
            if found or not self.reader.problem:
                heard = time.monotonic()
                if not found and not self._follow:
                    return
            elif not self._follow:
                if heard + self._patience_s < time.monotonic():
                    raise InputError(self.share.where, f"Redis cannot be reached: {self.reader.problem}")
                time.sleep(0.02)


def sessions(url: str, *, namespace: str = "vtframe", timeout_s: float = 5.0) -> list[str]:
    """The sessions that are shared, in the order of their starts. Raises ConfigError or InputError."""
    address = resolve(url)
    client = connect(address, timeout_s=timeout_s)
    try:
        return _sessions(client, namespace)
    except (*unreachable(), refused()) as e:
        raise InputError(shown(address), f"Redis cannot be asked: {e}") from None
    finally:
        client.close()


def _records(fields: Mapping[bytes, bytes], dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    return np.frombuffer(fields[b"m"], dtype).reshape(count)


def _sessions(client: Any, namespace: str) -> list[str]:
    known = [name.decode() for name in client.zrange(Keys.sessions(namespace), 0, -1)]
    return [name for name in known if client.exists(Keys(namespace, name).share)]


def _described(text: bytes | None, where: str, keys: Keys) -> Description:
    class Version(msgspec.Struct):
        format: int

    try:
        version = msgspec.json.decode(text or b"", type=Version).format
        if version != FORMAT:
            problem = f"session {keys.session} is shared in format {version}, this version reads {FORMAT}"
            raise InputError(where, problem, "use the same version on both sides")
        found = msgspec.json.decode(text or b"", type=Description)
    except msgspec.MsgspecError as e:
        raise InputError(where, f"what {keys.share} holds is no description: {e}") from None
    for name, theirs, ours in (
        ("row", found.row, ROW),
        ("prediction", found.prediction, PREDICTION),
        ("frame", found.frame, FRAME),
        ("event", found.event, EVENT),
    ):
        if theirs != layout(ours):
            problem = f"session {keys.session} writes its {name} records in another layout than this version's"
            raise InputError(where, problem, "use the same version on both sides")
    return found
