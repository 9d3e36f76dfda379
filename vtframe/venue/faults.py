"""The faults that are active, and where they strike. Every hit is counted by kind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from vtframe.venue.connection import Connection
from vtframe.venue.damage import cut, more_fragments, mutate, nest, spoil_frame
from vtframe.venue.fault import FRAMES, SOCKETS, USER_DATA, ActiveFault, Fault
from vtframe.venue.frame import Message, frame
from vtframe.venue.refusal import Refusal
from vtframe.venue.words import reject_code, status_code, words


class AnswerLost(Exception):  # noqa: N818 - it was made, and nobody hears it
    """The request was obeyed or not, and its answer is never sent."""


class Faults:
    """Adds, ends and applies faults; the same seed and the same traffic, the same faults."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._seed = seed
        self._active: list[ActiveFault] = []
        self._number = 0
        self._frame_faults: list[ActiveFault] = []

    def add(self, fault: Fault) -> ActiveFault:
        self._number += 1
        active = ActiveFault(self._number, fault, self._seed)
        self._active.append(active)
        self._sort()
        return active

    def end(self, number: int | None = None) -> int:
        """End one fault, or all; how many."""
        ended = [active for active in self._active if number in (None, active.number)]
        self._active = [active for active in self._active if active not in ended]
        self._sort()
        return len(ended)

    @property
    def active(self) -> list[ActiveFault]:
        return list(self._active)

    @property
    def on_frames(self) -> bool:
        """Whether messages must pass through ``deliver``."""
        return bool(self._frame_faults)

    def _sort(self) -> None:
        self._frame_faults = [active for active in self._active if active.fault.kind in FRAMES and not active.is_over]

    def _hits(self, kind: str, hears: Callable[[ActiveFault], bool]) -> ActiveFault | None:
        """The first fault of ``kind`` that strikes."""
        for active in self._active:
            if active.fault.kind == kind and hears(active) and active.strikes():
                self.counts[kind] += 1
                return active
        return None

    def deliver(self, connection: Connection, market: str, message: Message) -> None:
        """Send a stream's message as the faults have it."""
        hit = None
        for active in self._frame_faults:
            if active.hears(market, message.name) and active.strikes():
                hit = active
                self.counts[active.fault.kind] += 1
                break
        if hit is None:
            connection.send(message)
            return
        self._deliver(connection, message, hit)
        if hit.fault.kind != "reorder":
            connection.let_go(message.stream)

    def _deliver(self, connection: Connection, message: Message, hit: ActiveFault) -> None:
        if hit.is_over:
            self._sort()
        fault, framed = hit.fault, message.framed(combined=connection.combined)
        match fault.kind:
            case "drop":
                return
            case "duplicate":
                connection.send_raw(framed)
                connection.send_raw(framed)
            case "reorder":
                connection.hold(message.stream, framed)
            case "delay":
                connection.stall(fault.delay_ms / 1000)
                connection.send_raw(framed)
            case "corrupt":
                connection.send_raw(cut(message.text(combined=connection.combined), hit.pick))
            case "oversize":
                connection.send_raw(frame(message.text(combined=connection.combined).ljust(fault.size)))
            case "mutate" | "nest":
                connection.send_raw(frame(_spoilt(message.text(combined=connection.combined), hit)))
            case "bad_frame":
                _break(connection, message.text(combined=connection.combined), hit)

    def tell(self, connection: Connection, market: str, event: str) -> None:
        """Send an account's event on a connection that is no stream's."""
        self.deliver(connection, market, Message(USER_DATA, event))
        connection.flush()

    def spoil(self, market: str, operation: str, body: bytes) -> bytes:
        """The body of an answer as the faults have it."""
        hit = self._answer_hit(market, operation, ("mutate", "nest")) if self._active else None
        return body if hit is None else _spoilt(body, hit)

    def answer(self, connection: Connection, market: str, operation: str, body: bytes) -> None:
        """Send an answer over a WebSocket as the faults have it."""
        hit = self._answer_hit(market, operation, ("bad_frame",)) if self._active else None
        if hit is not None:
            _break(connection, body, hit)
            connection.flush()
        else:
            connection.send_text(self.spoil(market, operation, body))

    def _answer_hit(self, market: str, operation: str, kinds: tuple[str, ...]) -> ActiveFault | None:
        for kind in kinds:
            hit = self._hits(kind, lambda active: active.hears_answer(market, operation))
            if hit is not None:
                return hit
        return None

    def leaves_gap(self, market: str, stream: str) -> bool:
        """A depth message that nobody gets."""
        return bool(self._active) and self._hits("gap", lambda active: active.hears(market, stream)) is not None

    def stale_changes(self, market: str) -> int:
        """How many changes ago a snapshot is from; 0 where it is not stale."""
        hit = self._hits("stale_snapshot", lambda active: active.hears_request(market, "depth"))
        return hit.fault.changes if hit is not None else 0

    def skew_ms(self, *, used: bool = True) -> int:
        """How far the venue's time is off now. ``used``: it is told, or a timestamp is judged by it, which counts as a hit."""
        skew = 0
        for active in self._active:
            if active.fault.kind == "clock_skew" and (active.strikes() if used else not active.is_over):
                self.counts["clock_skew"] += used
                skew += active.fault.skew_ms
        return skew

    def strike_sockets(self, connections: Iterable[Connection], now_s: float) -> None:
        """What is due on connections: silence, cuts, half-open sockets, the end of their day."""
        for active in self._active:
            fault = active.fault
            if fault.kind not in SOCKETS or active.is_over:
                continue
            if active.last_s and (not fault.every_s or now_s - active.last_s < fault.every_s):
                continue
            if not active.last_s and fault.every_s:
                active.last_s = now_s  # the first time is one period from now
                continue
            active.last_s = now_s
            for connection in sorted(connections, key=lambda one: one.number):
                if not connection.closed and active.hears_connection(connection.market, connection.path):
                    self._strike(active, connection)

    def _strike(self, active: ActiveFault, connection: Connection) -> None:
        if not active.strikes():
            return
        self.counts[active.fault.kind] += 1
        match active.fault.kind:
            case "silence":
                connection.silence(active.fault.seconds)
            case "disconnect":
                connection.abort()
            case "half_open":
                connection.go_deaf(active.fault.seconds)
            case "expire":
                connection.close(1008, "disconnected")

    async def before(self, market: str, operation: str) -> None:
        """Faults that come instead of an operation; raises Refusal or AnswerLost."""
        if not self._active:
            return

        def hears(active: ActiveFault) -> bool:
            return active.hears_request(market, operation)

        slow = self._hits("slow", hears)
        if slow is not None:
            await asyncio.sleep(slow.fault.delay_ms / 1000)
        if self._hits("refuse", hears) is not None:
            raise AnswerLost
        for kind in ("status", "reject"):
            hit = self._hits(kind, hears)
            if hit is not None:
                raise _refusal(hit.fault, market, operation)

    def after(self, market: str, operation: str) -> None:
        """Faults that take the answer of an operation that was done; raises Refusal or AnswerLost."""
        hit = self._hits("lost_ack", lambda active: active.hears_request(market, operation)) if self._active else None
        if hit is None:
            return
        if hit.fault.how == "timeout":
            raise Refusal(-1007, words(market, -1007), status=408)
        raise AnswerLost

    def carry(self, market: str, tell: Callable[[], None], *, is_fill: bool) -> None:
        """Deliver an account's event: late, twice, never, or as it should be."""

        def hears(active: ActiveFault) -> bool:
            return active.hears_connection(market, "")

        if is_fill and self._active:
            if self._hits("lost_fill", hears) is not None:
                return
            late = self._hits("late_fill", hears)
            if late is not None:
                asyncio.get_running_loop().call_later(late.fault.delay_ms / 1000, tell)
                return
            if self._hits("duplicate_fill", hears) is not None:
                tell()
        tell()


def _refusal(fault: Fault, market: str, operation: str) -> Refusal:
    """What the venue answers instead of what it was asked for."""
    status = fault.status if fault.kind == "status" else 400
    usual = status_code(status) if fault.kind == "status" else reject_code(market, operation)
    code = usual if fault.code is None else fault.code
    headers = {"Retry-After": str(fault.retry_after_s)} if status in {418, 429} else {}
    return Refusal(code, fault.message or words(market, code), status=status, headers=headers)


def _spoilt(text: bytes, active: ActiveFault) -> bytes:
    if active.fault.kind == "mutate":
        return mutate(text, active.pick, lies=active.fault.lies)
    return nest(active.fault.depth, active.pick)


def _break(connection: Connection, text: bytes, active: ActiveFault) -> None:
    damage = active.fault.damage
    connection.send_raw(spoil_frame(text, damage, active.pick))
    if damage == "fragments":
        connection.never_end(more_fragments(active.pick))
