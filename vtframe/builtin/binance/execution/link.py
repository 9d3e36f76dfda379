"""The way to the venue and back: connections, orders out, reports in, and questions wherever an answer was lost.

Everything runs in the session's event loop. ``submit`` and ``cancel`` hand their bytes to the socket before they return.
Nothing is sent twice but questions and cancels, which may be repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from vtframe.builtin.binance.execution.codes import CANCEL_REJECTED, CLOCK, VenueError
from vtframe.builtin.binance.execution.hosts import Hosts, Market
from vtframe.builtin.binance.execution.leg import Leg
from vtframe.builtin.binance.execution.limits import Limits
from vtframe.builtin.binance.execution.log_on import log_on
from vtframe.builtin.binance.execution.private_stream import PrivateStream
from vtframe.builtin.binance.execution.questions import Questions
from vtframe.builtin.binance.execution.reports import MOST_TEXT, kind_of, read_report, read_state
from vtframe.builtin.binance.execution.request import CANCEL, PLACE, RequestWriter
from vtframe.builtin.binance.execution.rest import Rest
from vtframe.builtin.binance.execution.server_clock import ServerClock
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.builtin.binance.execution.succession import Succession
from vtframe.builtin.binance.execution.timing import Timing
from vtframe.builtin.binance.execution.tracker import Tracked, Tracker
from vtframe.builtin.binance.execution.user_data_watch import UserDataWatch, known_of
from vtframe.builtin.binance.execution.ws_api import Answer, ApiConnection
from vtframe.builtin.binance.places import MARKETS
from vtframe.builtin.binance.weights import weights_at
from vtframe.clock import LiveClock
from vtframe.domain import Instrument, OrderEvent, SubmitOrder
from vtframe.errors import DecodeError
from vtframe.transport import Library, TransportError

_TURN_S: Final = 0.02  # between two looks at what is late
_SILENCE_NS: Final = 1_500_000_000  # of user data on an order that was acknowledged
_DEAF_NS: Final = 300_000_000  # between questions about an order while there is no user data
_AUDIT_NS: Final = 2_000_000_000  # between questions about one that should have ended
_PING_NS: Final = 10_000_000_000
_ORDERS, _USER_DATA, _SETTLING, _LIMITED = "orders", "user data", "settling", "limit"
_log = logging.getLogger("vtframe.execution")


class Entries(Protocol):
    """Told whether orders that open can be sent."""

    def __call__(self, *, allowed: bool, reason: str = "") -> None: ...


class Link:
    """One account's way to one market. ``instruments`` by index are those that may be traded over it."""

    def __init__(
        self,
        market: Market,
        hosts: Hosts,
        *,
        signer: Signer,
        instruments: dict[int, Instrument],
        timing: Timing,
        library: Library,
        emit: Callable[[OrderEvent], None],
        entries: Entries,
    ) -> None:
        self._market = market
        self._signer = signer
        self._instruments = instruments
        self._timing = timing
        self._entries = entries
        self._clock = LiveClock()
        self._server = ServerClock(self._clock)
        self._limits = Limits(weights_at(hosts.rest, MARKETS[market], self._clock))
        self.tracker = Tracker(emit, instruments.__getitem__)
        self._rehearsed = Tracker(emit, instruments.__getitem__)
        window = timing.recv_window_ms
        self._writer = RequestWriter(market, instruments, recv_window_ms=window, signer=None if signer.logs_on else signer)
        self.rest = Rest(
            hosts.rest,
            market,
            signer=signer,
            clock=self._server,
            recv_window_ms=window,
            weights=self._limits.weights,
            learn=self._learn,
        )
        self._hosts, self._library = hosts, library
        self._canceled: dict[str, int] = {}  # cancels without an answer: monotonic time
        patience_s = timing.ack_timeout_ms / 1000
        self._entry = Succession(self._make_api, begin=self._log_on, due=self._owes, patience_s=patience_s)
        self._orders = Leg(_ORDERS, self._entry, self._went_down, self._came_up, renew_s=timing.renew_s)
        self._legs = [self._orders]
        self._streams: Succession[PrivateStream] | None = None
        self._watch = UserDataWatch()
        if market == "usdm":
            streams = self._streams = Succession(self._make_stream, begin=self._begin_stream)
            self._legs.append(Leg(_USER_DATA, streams, self._went_down, self._came_up, renew_s=timing.renew_s))
            self._watch = UserDataWatch(lambda: streams.current.pulse())  # noqa: PLW0108 - another may be current by then
        self._closed: dict[str, str] = {}  # why entries are closed, by cause
        self._questions = Questions(
            market,
            lambda: self._api,
            self.rest,
            self.tracker,
            signer=signer,
            clock=self._clock,
            server=self._server,
            instruments=instruments,
            recv_window_ms=window,
            limits=self._limits,
            watch=self._watch,
            still_works=self._cancel_again,
        )
        self._tasks: list[asyncio.Task[Any]] = []
        self._closing = False

    async def open(self) -> None:
        """Connect, log on, hear user data, measure the clock. Raises VtframeError."""
        self.rest.open()
        await self._server.measure(self.rest.time)
        for leg in self._legs:
            await leg.open()
        self._tasks = [asyncio.create_task(leg.keep()) for leg in self._legs]
        self._tasks += [asyncio.create_task(self._tend()), asyncio.create_task(self._server.keep(self.rest.time))]

    def rehearse(self, order: SubmitOrder) -> None:
        """``submit`` up to the socket, with a tracker of its own, and a time that makes the request one of 1970: no venue would
        take it."""
        now_ms = self._server.now_ms()
        tracker, name = self._rehearsed, order.client_order_id
        tracker.sent(order, sent_ns=self._clock.monotonic_ns(), deadline_ms=now_ms + self._timing.recv_window_ms)
        if not self._writer.refusal(order) and self._orders.is_up:
            self._api.rehearse(self._writer.place(order, 0))
        tracker.forget(name)

    def submit(self, order: SubmitOrder) -> None:
        now_ms = self._server.now_ms()
        name = order.client_order_id
        tracked = self.tracker.sent(order, sent_ns=self._clock.monotonic_ns(), deadline_ms=now_ms + self._timing.recv_window_ms)
        problem = self._writer.refusal(order) or self._limits.banned()
        if not problem and self._orders.is_up:
            try:
                self._api.send(self._writer.place(order, now_ms))
            except TransportError as e:
                problem = e.problem
        elif not problem:
            problem = "there is no connection"
        if problem:
            tracked.reported = True  # nothing will come
            asyncio.get_running_loop().call_soon(self.tracker.unsent, name, problem, now_ms)

    def cancel(self, name: str) -> None:
        tracked = self.tracker.find(name)
        if tracked is not None:  # else it has ended, and said so then
            tracked.cancel_wanted = True
            self._cancel(tracked)

    async def close(self) -> None:
        """Wait for the ends of orders, as long as the settings say, and disconnect."""
        try:
            give_up = self._clock.monotonic_ns() + int(self._timing.stop_timeout_s * 1e9)
            while self._tasks and len(self.tracker) and self._clock.monotonic_ns() < give_up:
                await asyncio.sleep(_TURN_S)
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._questions.stop()
        for one in (self._streams, self._entry):
            if one is not None:
                await one.close()
        await self.rest.close()

    def report(self) -> dict[str, Any]:
        return {
            "repeated": self.tracker.repeated,
            "foreign": self.tracker.foreign,
            "limited": self._limits.refused,
            "reconnects": sum(leg.reconnects for leg in self._legs),
            "renewals": sum(leg.renewals for leg in self._legs),
            "clock_offset_ms": round(self._server.offset_ns / 1e6, 3),
            "clock_error_ms": round(self._server.error_ms(), 3),
        }

    @property
    def _api(self) -> ApiConnection:
        """The connection that orders go over."""
        return self._entry.current

    def _make_api(self, over: Callable[[str], None]) -> ApiConnection:
        return ApiConnection(
            self._hosts.ws_api,
            self._clock,
            library=self._library,
            on_answer=self._answered,
            on_event=self._heard,
            on_over=over,
            on_broken=self._distrust,
            admit=lambda: self._limits.admit("the WebSocket API"),
            note=lambda counters: self._limits.note(counters, self._server.now_ms()),
            learn=self._learn,
        )

    def _make_stream(self, over: Callable[[str], None]) -> PrivateStream:
        base, library = self._hosts.private, self._library
        return PrivateStream(base, self.rest, self._clock, library=library, on_event=self._heard, on_over=over)

    async def _log_on(self, api: ApiConnection) -> None:
        await log_on(api, self._market, self._signer, self._server, recv_window_ms=self._timing.recv_window_ms)
        if self._market == "spot":
            self._watch.opened(self._clock.monotonic_ns(), self._server.now_ms())

    async def _begin_stream(self, _: PrivateStream) -> None:
        self._watch.opened(self._clock.monotonic_ns(), self._server.now_ms())

    def _owes(self, api: ApiConnection) -> Callable[[], bool]:
        """Whether answers to what was sent over it until now are still to come."""
        sent = [one for one in self.tracker if not one.acknowledged]
        canceled = dict(self._canceled)
        return lambda: (
            api.is_asked
            or any(not (one.acknowledged or one.ended or one.reported or one.lost) for one in sent)
            or any(self._canceled.get(name) == since for name, since in canceled.items())
        )

    def _went_down(self, leg: str, reason: str) -> None:
        """What was sent and not answered is lost; what was acknowledged may have changed unheard."""
        if self._closing:
            return
        words = f"the connection for {leg} was lost: {self._signer.scrubbed(reason)}"
        _log.warning("%s", words)
        self._close(leg, words)
        if leg == _ORDERS:
            for one in self.tracker:
                if not (one.acknowledged or one.reported):
                    self.tracker.lose(one.name, words, self._server.now_ms())
            self._canceled.clear()

    def _came_up(self, leg: str) -> None:
        """Whatever happened meanwhile is asked for before entries open again."""
        _log.info("the connection for %s is back", leg)
        for one in self.tracker:
            self.tracker.want(one, "status")
        self._close(_SETTLING, "what happened to working orders meanwhile is being asked for")
        self._reopen(leg)

    def _close(self, cause: str, reason: str) -> None:
        self._closed[cause] = reason
        self._tell()

    def _reopen(self, cause: str) -> None:
        if self._closed.pop(cause, None) is not None:
            self._tell()

    def _tell(self) -> None:
        reason = next(iter(self._closed.values()), "")
        self._entries(allowed=not self._closed, reason=reason)

    def _distrust(self, problem: str) -> None:
        """Something came that cannot be read: what it would have said is asked for."""
        _log.error("%s", self._signer.scrubbed(problem))
        for one in self.tracker:
            self.tracker.want(one, "status")

    def _heard(self, event: bytes | msgspec.Raw) -> None:
        """A user data event."""
        try:
            kind = kind_of(event)
            report = read_report(kind, event)
            self._watch.told("" if report is None else report.name, self._clock.monotonic_ns())
            if report is not None:
                self.tracker.report(report, self._clock.monotonic_ns())
        except DecodeError as e:
            self._distrust(str(e))
            return
        if kind in {"listenKeyExpired", "eventStreamTerminated"}:
            _log.warning("the venue ended the user data: %s", kind)
            self._renew()

    def _renew(self) -> None:
        """User data from anew: the connection that brings it ends, and its leg makes another."""
        connection = self._streams.current.drop() if self._streams is not None else self._api.close()
        self._tasks.append(asyncio.create_task(connection))

    def _answered(self, answer: Answer) -> None:
        """To an order or a cancel; anything else is the answer to a question that nobody waits for any more."""
        kind, name = str(answer.id)[: len(PLACE)], str(answer.id)[len(PLACE) :]
        if kind not in {PLACE, CANCEL}:
            return
        refusal = answer.refusal("order.place" if kind == PLACE else "order.cancel")
        if refusal is not None:
            self._refused(kind, name, refusal)
            return
        self._canceled.pop(name, None)
        try:
            report = read_state(answer.result, name)
            if kind == PLACE:
                self.tracker.accept(name, report.venue_order_id, report.ts_ms)
            elif (one := self.tracker.find(name)) is not None:
                before = known_of(one)
                self.tracker.report(report, self._clock.monotonic_ns())
                self._watch.answered(one, before, report.ts_ms, self._clock.monotonic_ns())
        except DecodeError as e:
            self._distrust(str(e))

    def _refused(self, kind: str, name: str, refusal: VenueError) -> None:
        now_ms = self._server.now_ms()
        self._learn(refusal)
        if kind == PLACE:
            self.tracker.refuse(name, refusal, now_ms)
            return
        self._canceled.pop(name, None)
        if (one := self.tracker.find(name)) is not None:
            if refusal.code != CANCEL_REJECTED:
                _log.warning("the cancel of %s was refused: %d %s", name, refusal.code, refusal.words)
            self.tracker.want(one, "status")

    def _learn(self, refusal: VenueError) -> None:
        """What a refusal says beside the request that it refuses. Its words are cut once no secret is in them that a cut could
        hide in part."""
        refusal.words = self._signer.scrubbed(refusal.words)[:MOST_TEXT]
        if refusal.limited:
            self._limits.refuse(refusal, self._server.now_ms())
        if refusal.code == CLOCK and not self._server.measuring:
            self._tasks.append(asyncio.create_task(self._server.refresh(self.rest.time)))

    def _cancel(self, one: Tracked) -> None:
        if self._limits.banned():
            self.tracker.want(one, "status")  # when it is over; what works then is canceled
            return
        self._canceled[one.name] = self._clock.monotonic_ns()
        try:
            self._api.send(self._writer.cancel(one.name, one.command.instrument, self._server.now_ms()))
        except TransportError:
            self.tracker.want(one, "status")  # once there is a connection; if it still works, it is canceled then

    def _cancel_again(self, one: Tracked) -> None:
        """It works although it was canceled, and nobody hears why."""
        if one.name not in self._canceled:
            self._cancel(one)

    async def _tend(self) -> None:
        """What is late: acknowledgements, reports, answers to cancels; questions; limits that are over."""
        while True:
            await asyncio.sleep(_TURN_S)
            now, now_ms = self._clock.monotonic_ns(), self._server.now_ms()
            for one in self.tracker:
                self._look_at(one, now, now_ms)
            if all(leg.is_up for leg in self._legs) and (doubt := self._watch.doubt(now)):
                _log.warning("%s: the stream is made anew", doubt)
                self._renew()
            for name, since in tuple(self._canceled.items()):
                if now - since > self._timing.ack_timeout_ms * 1_000_000:
                    del self._canceled[name]
                    if (late := self.tracker.find(name)) is not None:
                        self.tracker.want(late, "status")
            if (
                _SETTLING in self._closed
                and not any(one.wanted for one in self.tracker)
                and all(leg.is_up for leg in self._legs)
            ):
                self._reopen(_SETTLING)
            limited = self._limits.closed_for(now_ms)
            if limited and _LIMITED not in self._closed:
                self._close(_LIMITED, limited)
            elif not limited:
                self._reopen(_LIMITED)
            if self._orders.is_up and now - self._api.heard_ns > _PING_NS:
                self._questions.ping()
            self._tasks = [task for task in self._tasks if not task.done()]

    def _look_at(self, one: Tracked, now: int, now_ms: int) -> None:
        waited = now - one.sent_ns
        if not (one.acknowledged or one.reported or one.lost) and waited > self._timing.ack_timeout_ms * 1_000_000:
            self.tracker.lose(one.name, f"no answer within {self._timing.ack_timeout_ms} ms", now_ms)
        elif one.acknowledged and not one.reported and waited > _SILENCE_NS:
            one.reported = True  # once an order
            _log.warning("user data says nothing of %s, which was acknowledged: it is made anew", one.name)
            self._renew()
        elif now - one.audited_ns > self._patience_ns(one, now):
            one.audited_ns = now
            if not one.wanted:
                self.tracker.want(one, "status")
        if one.wanted and now >= one.next_ns and self._orders.is_up:
            self._questions.ask(one)

    def _patience_ns(self, one: Tracked, now: int) -> int:
        """For how long nobody asks what became of an order: a report may be lost, and nothing tells that it was."""
        if not self._legs[-1].is_up:
            return _DEAF_NS
        return self._watch.patience_ns(now, len(self.tracker)) if one.rests else _AUDIT_NS
