"""What the venue has said of each of our orders, in whatever order it came, and what has to be asked for still.

Nothing here waits or sends: reports go in, order events come out, each once; ``wanted`` tells what to ask. An order's end is
held back until every trade that it states is known: who acts on an end must know the position that goes with it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from vtframe.builtin.binance.execution.codes import NO_SUCH_ORDER, VenueError
from vtframe.builtin.binance.execution.reports import Report, Trade
from vtframe.domain import (
    Instrument,
    LiquiditySide,
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderLost,
    OrderRejected,
    OrderType,
    SubmitOrder,
    TimeInForce,
)
from vtframe.domain.fixed_point import to_fixed
from vtframe.errors import DecodeError

NOT_FOUND: Final = "NOT_FOUND"
GRACE_NS: Final = 200_000_000  # that a trade may be under way before it is asked for
_PLAIN: Final = re.compile(r"-?[0-9]{1,24}(?:\.[0-9]{1,24})?")
_KEPT = 4096  # ended orders of which late trades are still taken
_ENDS: Final = {"CANCELED": "canceled", "EXPIRED": "expired", "EXPIRED_IN_MATCH": "expired", "REJECTED": "rejected"}
_PENDING: Final = frozenset({"NEW", "PENDING_NEW", "PENDING_CANCEL", "PARTIALLY_FILLED", "FILLED"})
Wanted = Literal["", "status", "trades"]


class Tracked:
    """One order. ``deadline_ms``: the venue's time after which a request with its timestamp is not taken any more."""

    __slots__ = (
        "acknowledged",
        "asked",
        "audited_ns",
        "cancel_wanted",
        "claimed",
        "command",
        "deadline_ms",
        "end",
        "ended",
        "filled",
        "lost",
        "next_ns",
        "reported",
        "sent_ns",
        "trades",
        "venue_order_id",
        "wanted",
    )

    def __init__(self, command: SubmitOrder, *, sent_ns: int, deadline_ms: int) -> None:
        self.command = command
        self.sent_ns = sent_ns  # monotonic
        self.deadline_ms = deadline_ms
        self.acknowledged = False
        self.reported = False  # by user data, whatever it was
        self.lost = False
        self.ended = False
        self.cancel_wanted = False
        self.filled = 0  # by the trades that are known
        self.claimed = 0  # by the venue's own sum
        self.trades: set[int] = set()
        self.venue_order_id = 0
        self.end: OrderEvent | None = None  # held back
        self.wanted: Wanted = ""
        self.asked = 0  # times in a row
        self.next_ns = 0  # monotonic: when to ask
        self.audited_ns = sent_ns  # monotonic: when it was asked for last

    @property
    def name(self) -> str:
        return self.command.client_order_id

    @property
    def rests(self) -> bool:
        """Whether it may work for long. Another has ended when the venue has matched it."""
        command = self.command
        waits = command.order_type is OrderType.LIMIT and command.time_in_force is TimeInForce.GTC
        return waits and not self.cancel_wanted


class Tracker:
    """Orders of one adapter. ``emit`` gets their events; ``instrument`` gives the units of an index."""

    def __init__(self, emit: Callable[[OrderEvent], None], instrument: Callable[[int], Instrument]) -> None:
        self._emit = emit
        self._instrument = instrument
        self._open: dict[str, Tracked] = {}
        self._ended: OrderedDict[str, Tracked] = OrderedDict()
        self.repeated = 0  # reports of trades that were known
        self.foreign = 0  # reports of orders that are not this adapter's

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Tracked]:
        """Orders that have not ended. A copy: it may change meanwhile."""
        return iter(tuple(self._open.values()))

    def find(self, name: str) -> Tracked | None:
        """An order that has not ended."""
        return self._open.get(name)

    def sent(self, command: SubmitOrder, *, sent_ns: int, deadline_ms: int) -> Tracked:
        """It is with the socket."""
        one = self._open[command.client_order_id] = Tracked(command, sent_ns=sent_ns, deadline_ms=deadline_ms)
        return one

    def forget(self, name: str) -> None:
        """It never was."""
        self._open.pop(name, None)

    def accept(self, name: str, venue_order_id: int, ts_ms: int) -> None:
        """The venue has the order."""
        one = self._open.get(name)
        if one is None:
            return
        one.venue_order_id = one.venue_order_id or venue_order_id
        if one.acknowledged and not one.lost:
            return
        one.acknowledged, one.lost = True, False
        self._emit(OrderAccepted(client_order_id=name, ts_event=_ns(ts_ms), venue_order_id=str(one.venue_order_id)))

    def refuse(self, name: str, error: VenueError, ts_ms: int) -> None:
        """The venue has refused the order, or says something that leaves open whether it did."""
        one = self._open.get(name)
        if one is None:
            return
        if error.ambiguous or one.acknowledged or one.filled:
            self.lose(name, f"{error.code} {error.words}", ts_ms)
            return
        rejected = OrderRejected(client_order_id=name, ts_event=_ns(ts_ms), reason=f"{error.code}: {error.words}")
        self._finish(one, rejected)

    def unsent(self, name: str, reason: str, ts_ms: int) -> None:
        """The order did not leave this machine, for certain."""
        if (one := self._open.get(name)) is not None:
            self._finish(one, OrderRejected(client_order_id=name, ts_event=_ns(ts_ms), reason=f"not sent: {reason}"))

    def lose(self, name: str, reason: str, ts_ms: int) -> None:
        """Nobody knows what became of it: it is to be asked for, and never sent again."""
        one = self._open.get(name)
        if one is None:
            return
        self.want(one, "status")
        if not one.lost:
            one.lost = True
            self._emit(OrderLost(client_order_id=name, ts_event=_ns(ts_ms), reason=reason))

    def want(self, one: Tracked, what: Wanted, *, next_ns: int = 0) -> None:
        """Have it asked for, at ``next_ns`` or as soon as can be."""
        if one.wanted != what:
            one.wanted, one.asked, one.next_ns = what, 0, next_ns

    def report(self, report: Report, now_ns: int) -> None:
        """Take what user data or a query says of an order. Raises DecodeError for numbers that cannot be.

        ``now_ns`` is monotonic: a trade that is missing is asked for only a while later, since it may be under way.
        """
        one = self._open.get(report.name)
        if one is None:
            self._late(report)
            return
        queried = report.kind == "STATUS"
        one.reported = one.reported or not queried
        executed = self._quantity(one, report.executed)
        if not 0 <= executed <= one.command.quantity:
            raise DecodeError(f"{report.executed} of an order are said to be executed, and it was of another quantity")
        if report.trade is not None:
            self._fill(one, report.trade)
        if one.ended:
            return
        one.claimed = max(one.claimed, executed)
        if report.status in _ENDS:
            one.end = one.end or self._end(one, report, executed)
        elif report.status in _PENDING and (queried or report.trade is None):
            self.accept(report.name, report.venue_order_id, report.ts_ms)
        elif report.trade is not None:
            one.venue_order_id = one.venue_order_id or report.venue_order_id
        if queried and one.wanted == "status":
            self.want(one, "")
        self._go_on(one, now_ns)

    def missing(self, name: str, *, asked_after: bool, ts_ms: int) -> None:
        """The venue says that it does not know the order. ``asked_after``: it was asked when it could not come any more."""
        one = self._open.get(name)
        if one is None or one.acknowledged or one.filled or not asked_after:
            return
        words = f"{NOT_FOUND}: the venue does not know it ({NO_SUCH_ORDER}), and what was sent is too old to be taken"
        self._finish(one, OrderRejected(client_order_id=name, ts_event=_ns(ts_ms), reason=words))

    def traded(self, name: str, trades: Sequence[Trade], now_ns: int) -> None:
        """The venue's list of the order's trades. Raises DecodeError for numbers that cannot be."""
        one = self._open.get(name)
        if one is None:
            return
        for trade in sorted(trades, key=lambda one: one.trade_id):
            if trade.trade_id not in one.trades:
                self._fill(one, trade)
                if one.ended:
                    return
        self._go_on(one, now_ns)

    def _go_on(self, one: Tracked, now_ns: int) -> None:
        """An end is told once its trades are known, and trades that are missing are asked for."""
        if one.filled < one.claimed:
            self.want(one, "trades", next_ns=now_ns + GRACE_NS)
            return
        if one.wanted == "trades":
            self.want(one, "")
        if one.end is not None:
            self._finish(one, one.end)

    def _fill(self, one: Tracked, trade: Trade) -> None:
        if trade.trade_id in one.trades:
            self.repeated += 1
            return
        instrument = self._instrument(one.command.instrument)
        price = _fixed(trade.price, instrument.price_decimals, "a trade's price")
        quantity = self._quantity(one, trade.quantity)
        if price <= 0 or quantity <= 0:
            raise DecodeError(f"a trade of {trade.quantity} at {trade.price}: both must be positive")
        fee = _fee(trade)
        one.trades.add(trade.trade_id)
        one.filled += quantity
        one.lost = False
        event = OrderFilled(
            client_order_id=one.name,
            ts_event=_ns(trade.ts_ms),
            price=price,
            quantity=quantity,
            leaves_quantity=max(0, one.command.quantity - one.filled),
            liquidity_side=LiquiditySide.MAKER if trade.maker else LiquiditySide.TAKER,
            fill_id=str(trade.trade_id),
            fee=fee,
            fee_currency=trade.fee_currency,
        )
        if one.filled >= one.command.quantity and not one.ended:
            self._retire(one)
        self._emit(event)

    def _end(self, one: Tracked, report: Report, executed: int) -> OrderEvent:
        name, ts, leaves = one.name, _ns(report.ts_ms), max(0, one.command.quantity - executed)
        how = _ENDS[report.status]
        if how == "canceled":
            return OrderCanceled(client_order_id=name, ts_event=ts, leaves_quantity=leaves, reason=report.reason)
        if how == "rejected" and not (one.acknowledged or one.filled):
            return OrderRejected(client_order_id=name, ts_event=ts, reason=report.reason or "rejected")
        reason = report.reason or report.status
        return OrderExpired(client_order_id=name, ts_event=ts, leaves_quantity=leaves, reason=reason)

    def _finish(self, one: Tracked, event: OrderEvent) -> None:
        self._retire(one)
        self._emit(event)

    def _retire(self, one: Tracked) -> None:
        one.ended, one.wanted, one.lost = True, "", False
        self._open.pop(one.name, None)
        self._ended[one.name] = one
        if len(self._ended) > _KEPT:
            self._ended.popitem(last=False)

    def _late(self, report: Report) -> None:
        """Of an order that has ended, or of somebody else's."""
        one = self._ended.get(report.name)
        if one is None:
            self.foreign += 1
        elif report.trade is not None:
            self._fill(one, report.trade)

    def _quantity(self, one: Tracked, text: str) -> int:
        return _fixed(text, self._instrument(one.command.instrument).quantity_decimals, "a quantity")


def _fixed(text: str, decimals: int, what: str) -> int:
    """Exactly what is written. An exponent would make a short text a long number; the venue writes none."""
    if _PLAIN.fullmatch(text) is None:
        raise DecodeError(f"{what} is no plain decimal number: {text[:40]!r}")
    try:
        return to_fixed(text, decimals)
    except ValueError as e:
        raise DecodeError(f"{what}: {e}") from None


def _fee(trade: Trade) -> str:
    """The fee as it is written; empty where the venue does not say."""
    if not (trade.fee and trade.fee_currency):
        return ""
    if _PLAIN.fullmatch(trade.fee) is None:
        raise DecodeError(f"a trade's fee is no plain decimal number: {trade.fee[:40]!r}")
    return trade.fee


def _ns(ms: int) -> int:
    return ms * 1_000_000
