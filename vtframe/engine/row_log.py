"""Rows and predictions on their way from the hot path to the sinks, through a thread of its own. No row is lost.

The engine calls ``poll`` every few hundred inputs; it copies out of the ring in bulk and never waits, unless the thread is
so far behind that the ring would be overwritten or memory would grow without bound: that is counted as a stall.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vtframe.api import MarketBlock, PredictionBlock, RowBlock, SessionInfo, Sink
from vtframe.engine.market_log import MarketLog
from vtframe.engine.prediction_log import PredictionLog
from vtframe.errors import InvariantError, PluginError, VtframeError

__all__ = ["PredictionLog", "Receiver", "RowLog", "RowSource"]

_log = logging.getLogger("vtframe.row_log")
Block = RowBlock | PredictionBlock | MarketBlock
_Parts = tuple[MarketBlock | None, list[PredictionBlock], list[tuple[NDArray[Any], NDArray[Any]]]]
_Work = _Parts | threading.Event | None


class RowSource(Protocol):
    """The ring of rows (buffers.RowRing): row ``i`` of an instrument lies at ``i % capacity``, and again ``capacity`` on."""

    capacity: int
    values: NDArray[Any]
    meta: NDArray[Any]

    def head(self, instrument: int) -> int: ...


class Receiver(Protocol):
    """What the thread hands blocks to: a sink, or the meter of prediction quality."""

    @property
    def name(self) -> str: ...
    def start(self, session: SessionInfo) -> None: ...
    def rows(self, block: RowBlock) -> None: ...
    def predictions(self, block: PredictionBlock) -> None: ...
    def close(self) -> None: ...


class RowLog:
    """Hands every row of ``source``, and every prediction, to ``receivers``, blocks in the order of the inputs.

    A receiver that raises is logged once, kept by name in ``failed`` with its reason, and left out from then on.
    ``stalls`` counts the times that the engine had to wait for the thread; ``lost`` the rows that were given up because it
    did not come back within ``patience_s`` (a disk that hangs must not hang the exits of open positions).
    """

    def __init__(
        self,
        source: RowSource,
        receivers: Sequence[Receiver],
        session: SessionInfo,
        *,
        logs: Sequence[PredictionLog] = (),
        market: MarketLog | None = None,
        block_rows: int = 1024,
        block_polls: int = 8,
        queue_blocks: int = 64,
        patience_s: float = 10.0,
    ) -> None:
        self.failed: dict[str, str] = {}
        self.stalls = 0
        self.lost = 0
        self.handed = 0  # rows handed to the thread
        self._source = source
        self._session = session
        self._receivers = _named(receivers)
        self._logs = list(logs)
        self._market = market
        self._gathering: list[PredictionLog | MarketLog] = [*logs, *([] if market is None else [market])]
        self._instruments = range(len(session.instruments))
        self._tails = [0] * len(session.instruments)
        self._wanted = min(block_rows, max(1, source.capacity // 2))
        self._block_polls = self._polls_left = block_polls
        self._patience_s = patience_s
        self._given_up = False
        self._queue: queue.Queue[_Work] = queue.Queue(queue_blocks)
        self._thread = threading.Thread(target=self._run, name="row-log", daemon=True)

    def start(self) -> None:
        """Start the receivers (here: who cannot start stops the session before its first input), then the thread.

        Raises what a receiver raises where that is a VtframeError, else PluginError.
        """
        wanted, self._receivers = self._receivers, []
        for name, receiver in wanted:
            try:
                receiver.start(self._session)
            except Exception as e:
                self._each("close")
                self._receivers = []
                if isinstance(e, VtframeError):
                    raise
                raise PluginError(name, f"its sink cannot start: {type(e).__name__}: {e}") from e
            self._receivers.append((name, receiver))  # who was started is closed, once
        self._market_receivers = [named for named in self._receivers if isinstance(named[1], Sink) and named[1].takes_market]
        self._thread.start()

    def poll(self) -> None:
        """Hand on what has gathered, once it is a block's worth, and after ``block_polls`` calls in any case.

        Between two calls at most ``capacity`` rows may be made, of each instrument.

        Raises InvariantError when the ring was overwritten before its rows were taken.
        """
        head = self._source.head
        tails = self._tails
        waiting = 0
        for instrument in self._instruments:
            waiting += head(instrument) - tails[instrument]
        self._polls_left -= 1
        if waiting >= self._wanted or not self._polls_left or any(log.count >= self._wanted for log in self._gathering):
            self._hand_on()

    def drain(self) -> None:
        """Hand on everything and wait until the receivers have it, ``patience_s`` at most."""
        self._hand_on()
        reached = threading.Event()
        if self._put(reached):
            reached.wait(self._patience_s)

    def close(self) -> None:
        """Hand on everything, end the thread, close the receivers. Comes back within about ``patience_s``."""
        if self._thread.ident is None:
            return  # it was never started: nobody waits for a row, and there is nobody to close
        self._hand_on()
        self._put(None)
        self._thread.join(self._patience_s)
        if self._thread.is_alive():
            for name, _ in self._receivers:
                self._fail(name, f"did not finish within {self._patience_s:g} s")

    def report(self) -> dict[str, Any]:
        """``row_log``, ``sinks`` and ``sinks_failed`` of report.json."""
        told = {name: _told(receiver) for name, receiver in self._receivers if isinstance(receiver, Sink)}
        return {
            "row_log": {"rows": self.handed, "stalls": self.stalls, "lost": self.lost},
            "sinks": {name: numbers for name, numbers in told.items() if numbers},
            "sinks_failed": dict(self.failed),
        }

    def _hand_on(self) -> None:
        """Predictions first: their rows are then still to come, and whoever joins the two needs no long memory."""
        self._polls_left = self._block_polls
        market = self._market.take() if self._market is not None else None
        predictions = [block for log in self._logs if (block := log.take()) is not None]
        rows = [copied for instrument in self._instruments if (copied := self._copy(instrument)) is not None]
        if market is not None or predictions or rows:
            count = sum(len(meta) for meta, _ in rows)
            if self._put((market, predictions, rows)):
                self.handed += count
            else:
                self.lost += count

    def _copy(self, instrument: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
        source, tail, head = self._source, self._tails[instrument], self._source.head(instrument)
        count = head - tail
        if not count:
            return None
        if count > source.capacity:
            raise InvariantError(
                f"{count - source.capacity} rows of instrument {instrument} were overwritten before they were logged: "
                f"the row log must be polled at least every {source.capacity} rows"
            )
        first = tail % source.capacity
        self._tails[instrument] = head
        return (
            source.meta[instrument, first : first + count].copy(),
            source.values[instrument, first : first + count].copy(),
        )

    def _put(self, parts: _Work) -> bool:
        """False when the thread has not come back and the parts are given up."""
        try:
            self._queue.put_nowait(parts)
        except queue.Full:
            self.stalls += 1
            try:
                # once it has hung, it gets no second chance to hold up the engine, but may catch up
                self._queue.put(parts, timeout=0 if self._given_up else self._patience_s)
            except queue.Full:
                if not self._given_up:
                    self._given_up = True
                    _log.error("the row log's thread hangs; rows are lost", extra={"patience_s": self._patience_s})
                return False
        return True

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            if isinstance(work, threading.Event):
                work.set()
                continue
            market, predictions, rows = work
            if market is not None:
                self._each("market", market, to=self._market_receivers)
            for block in predictions:
                self._each("predictions", block)
            if rows:
                self._each("rows", _merged(rows))
        self._each("close")

    def _each(self, what: str, *arguments: Block, to: Sequence[tuple[str, Receiver]] | None = None) -> None:
        for name, receiver in self._receivers if to is None else to:
            if name in self.failed:
                continue
            try:
                getattr(receiver, what)(*arguments)
            except Exception as e:  # noqa: BLE001 - a sink's fault must not stop a session
                self._fail(name, f"{what}: {type(e).__name__}: {e}", error=e)

    def _fail(self, name: str, reason: str, *, error: Exception | None = None) -> None:
        self.failed[name] = reason
        _log.error("sink %s failed and is left out: %s", name, reason, exc_info=error)


def _told(sink: Sink) -> dict[str, Any]:
    """The sink's own numbers; one that cannot tell them says why, and harms nobody."""
    try:
        return dict(sink.report())
    except Exception as e:  # noqa: BLE001 - a sink's fault must not stop a session
        return {"error": f"{type(e).__name__}: {e}"}


def _named(receivers: Sequence[Receiver]) -> list[tuple[str, Receiver]]:
    """Each by its name; the second of a name is ``name#2``."""
    seen: Counter[str] = Counter()
    named = []
    for receiver in receivers:
        seen[receiver.name] += 1
        count = seen[receiver.name]
        named.append((receiver.name if count == 1 else f"{receiver.name}#{count}", receiver))
    return named


def _merged(rows: list[tuple[NDArray[Any], NDArray[Any]]]) -> RowBlock:
    """One block of all instruments' rows, in the order of their inputs."""
    if len(rows) == 1:
        return RowBlock(meta=rows[0][0], values=rows[0][1])
    meta = np.concatenate([meta for meta, _ in rows])
    order = np.argsort(meta["input"], kind="stable")
    return RowBlock(meta=meta[order], values=np.concatenate([values for _, values in rows])[order])
