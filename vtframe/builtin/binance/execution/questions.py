"""Questions about orders whose end nobody heard, a few at a time, with pauses that grow. They change nothing at the venue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from vtframe.builtin.binance.execution.codes import NO_SUCH_ORDER, VenueError
from vtframe.builtin.binance.execution.hosts import Market
from vtframe.builtin.binance.execution.limits import Limits
from vtframe.builtin.binance.execution.reports import read_state
from vtframe.builtin.binance.execution.rest import Rest
from vtframe.builtin.binance.execution.server_clock import ServerClock
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.builtin.binance.execution.tracker import Tracked, Tracker
from vtframe.builtin.binance.execution.user_data_watch import UserDataWatch, known_of
from vtframe.builtin.binance.execution.ws_api import ApiConnection
from vtframe.clock import Clock
from vtframe.domain import Instrument
from vtframe.errors import DecodeError
from vtframe.transport import TransportError

_MARGIN_MS: Final = 1_000  # that a venue may take to find an order that it has taken
_MOST: Final = 4  # at a time
_AGAIN_NS: Final = 100_000_000
_AGAIN_MOST_NS: Final = 1_000_000_000
_PING: Final = "ping:"  # no order has this name
_log = logging.getLogger("vtframe.execution")


class Questions:
    """``api`` is the connection in use. None are asked while ``limits`` say so. ``still_works`` is told an order that works
    although it was canceled."""

    def __init__(
        self,
        market: Market,
        api: Callable[[], ApiConnection],
        rest: Rest,
        tracker: Tracker,
        *,
        signer: Signer,
        clock: Clock,
        server: ServerClock,
        instruments: dict[int, Instrument],
        recv_window_ms: int,
        limits: Limits,
        watch: UserDataWatch,
        still_works: Callable[[Tracked], None],
    ) -> None:
        self._market = market
        self._api = api
        self._rest = rest
        self._tracker = tracker
        self._signer = signer
        self._clock = clock
        self._server = server
        self._instruments = instruments
        self._window = recv_window_ms
        self._limits = limits
        self._watch = watch
        self._still_works = still_works
        self._asked: dict[str, asyncio.Task[None]] = {}

    def ask(self, one: Tracked) -> None:
        """What is wanted of an order, unless that is being asked, or too much is."""
        if one.name not in self._asked and len(self._asked) < _MOST and self._limits.are_asking():
            self._begin(one.name, self._ask(one))

    def ping(self) -> None:
        """Whether the connection lives; it is ended where it does not."""
        if _PING not in self._asked and self._limits.are_asking():
            self._begin(_PING, self._ping())

    async def stop(self) -> None:
        asked = tuple(self._asked.values())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    def _begin(self, name: str, question: Coroutine[Any, Any, None]) -> None:
        task = self._asked[name] = asyncio.create_task(question)
        task.add_done_callback(lambda _: self._asked.pop(name, None))

    async def _ask(self, one: Tracked) -> None:
        name, before = one.name, known_of(one)
        too_old = self._server.is_past(one.deadline_ms + _MARGIN_MS)  # for the venue to take it after this
        try:
            if one.wanted == "trades" and one.venue_order_id:
                trades = await self._rest.trades(self._symbol(one), one.venue_order_id)
                self._tracker.traded(name, trades, self._clock.monotonic_ns())
                happened_ms = max((trade.ts_ms for trade in trades), default=0)
            else:
                answer = await self._api().ask("order.status", self._query(one))
                state = read_state(answer.result, name)
                self._tracker.report(state, self._clock.monotonic_ns())
                happened_ms = state.ts_ms
                if one.cancel_wanted and not one.ended and not one.wanted:
                    self._still_works(one)
            self._watch.answered(one, before, happened_ms, self._clock.monotonic_ns())
        except VenueError as e:
            if e.code == NO_SUCH_ORDER:
                self._tracker.missing(name, asked_after=too_old, ts_ms=self._server.now_ms())
            else:
                _log.warning("the question for %s was refused: %d %s", name, e.code, e.words)
        except (TransportError, DecodeError) as e:
            _log.warning("the question for %s was not answered: %s", name, self._signer.scrubbed(str(e)))
        now = self._clock.monotonic_ns()
        one.asked += 1
        one.audited_ns = now
        one.next_ns = now + min(_AGAIN_NS << min(one.asked, 8), _AGAIN_MOST_NS)

    def _symbol(self, one: Tracked) -> str:
        return self._instruments[one.command.instrument].symbol

    def _query(self, one: Tracked) -> dict[str, str | int]:
        params: dict[str, str | int] = {
            "origClientOrderId": one.name,
            "recvWindow": self._window,
            "symbol": self._symbol(one),
            "timestamp": self._server.now_ms(),
        }
        return params if self._signer.logs_on else self._signer.signed(params)

    async def _ping(self) -> None:
        api = self._api()  # another may have taken its place when it has not answered
        try:
            await api.ask("ping" if self._market == "spot" else "session.status", {})
        except VenueError:
            return  # it answers
        except TransportError as e:
            _log.warning("%s", e)
            await api.close()
