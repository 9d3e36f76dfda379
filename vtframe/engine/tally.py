"""What a journal's records add up to. The same sums whether the session ended in order, was killed, or still runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec

from vtframe.domain import (
    Instrument,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderLost,
    OrderRejected,
    SubmitOrder,
)
from vtframe.domain.fixed_point import to_decimal
from vtframe.journal.records import (
    CancelSent,
    Checkpoint,
    DenialsRepeated,
    IntentFormed,
    LaneFailed,
    LanesExchanged,
    ModelChanged,
    OrderApproved,
    OrderDenied,
    OrderReported,
    Record,
    SessionStarted,
    SessionStopped,
)

_ENDS = {OrderCanceled: "canceled", OrderExpired: "expired", OrderRejected: "rejected"}


class _Money:
    """Gross profit and fees in one currency."""

    def __init__(self) -> None:
        self.gross = Decimal(0)
        self.fees = Decimal(0)

    def report(self) -> dict[str, float]:
        return {"gross": float(self.gross), "fees": float(self.fees), "net": float(self.gross - self.fees)}


class _LaneTally:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.denials: Counter[str] = Counter()
        self.money: dict[str, _Money] = {}
        self.positions: Counter[str] = Counter()  # instrument: signed quantity, fixed point
        self.problem: str | None = None


class Tally:
    """Takes a journal's records one by one. Positions come from the fills alone and are checked against the journalled ones."""

    def __init__(self) -> None:
        self.started: SessionStarted | None = None
        self.stopped: SessionStopped | None = None
        self.checkpoint: Checkpoint | None = None
        self.warnings: list[str] = []
        self._lanes: dict[str, _LaneTally] = {}
        self._instruments: dict[str, Instrument] = {}
        self._orders: dict[str, SubmitOrder] = {}
        self._open: dict[str, int] = {}  # client order id: quantity filled
        self._lost: set[str] = set()  # of the open ones: what became of them is not known
        self._ordinals: dict[str, int] = {}
        self._denied_again: Counter[tuple[object, ...]] = Counter()  # by run that goes on
        self._shadows: set[str] = set()
        self._changes: list[dict[str, Any]] = []
        self._decisions = hashlib.sha256()
        self._encode = msgspec.msgpack.Encoder().encode

    def add(self, record: Record) -> None:
        match record:
            case SessionStarted():
                self._start(record)
            case IntentFormed():
                self._lane(record.lane).counts["intents"] += 1
                self._decided(
                    record.lane,
                    "intent",
                    record.lane,
                    record.instrument,
                    record.input,
                    record.target,
                    record.position,
                    record.cause,
                )
            case OrderApproved():
                self._approve(record)
            case OrderDenied():
                lane = self._lane(record.order.lane)
                lane.denials[record.denied.policy] += 1
                self._decided(
                    record.order.lane,
                    "denied",
                    self._ordinal(record.order.lane, record.order.client_order_id),
                    record.denied.policy,
                )
            case DenialsRepeated():
                self._deny_again(record)
            case CancelSent():
                name = record.command.client_order_id
                lane_id = self._orders[name].lane if name in self._orders else ""
                self._decided(lane_id, "cancel", self._ordinal(lane_id, name), record.command.cause)
            case ModelChanged() | LanesExchanged():
                self._changes.append(msgspec.to_builtins(record))
            case OrderReported():
                self._report(record)
            case LaneFailed():
                self._lane(record.lane).problem = record.problem
            case Checkpoint():
                self.checkpoint = record
            case SessionStopped():
                self.stopped = record

    def counts(self) -> dict[str, int]:
        """Of intents, orders and fills, over all lanes of the account."""
        return {name: sum(lane.counts[name] for lane in self._account()) for name in ("intents", "orders", "fills")}

    def denials(self) -> dict[str, int]:
        """Denied orders by policy, most frequent first."""
        total: Counter[str] = Counter()
        for lane in self._account():
            total.update(lane.denials)
        return dict(total.most_common())

    def orders(self) -> dict[str, int]:
        """Approved orders by how they ended."""
        names = ("filled", "canceled", "expired", "rejected")
        ended = {name: sum(lane.counts[name] for lane in self._account()) for name in names}
        still = sum(self._orders[name].lane not in self._shadows for name in self._open)
        lost = self.unknown()
        unknown = {"unknown": len(lost)} if lost else {}
        return {"approved": self.counts()["orders"], **ended, "open": still, **unknown}

    def unknown(self) -> list[str]:
        """Orders of the account of which nobody knows what became, by client order ID."""
        return sorted(name for name in self._lost if self._orders[name].lane not in self._shadows)

    def pnl(self) -> dict[str, dict[str, float]]:
        """Realized ``gross``, ``fees`` and ``net`` by settlement currency."""
        total: dict[str, _Money] = {i.settlement: _Money() for i in self._instruments.values()}
        for lane in self._account():
            for currency, money in lane.money.items():
                into = total.setdefault(currency, _Money())
                into.gross += money.gross
                into.fees += money.fees
        return {currency: money.report() for currency, money in total.items()}

    def lanes(self) -> dict[str, dict[str, Any]]:
        """By lane: counts, denials, profit, what is still held (as the decimal that it is), and why it failed, if it did."""
        return {
            name: {
                **{key: lane.counts[key] for key in ("intents", "orders", "fills")},
                "denials": dict(lane.denials.most_common()),
                "pnl": {currency: money.report() for currency, money in lane.money.items()},
                "positions": {i: self._quantity(i, held) for i, held in lane.positions.items() if held},
                "problem": lane.problem,
                **({"shadow": True} if name in self._shadows else {}),
            }
            for name, lane in self._lanes.items()
        }

    def changes(self) -> list[dict[str, Any]]:
        """What operators changed of models and lanes, in order."""
        return list(self._changes)

    def decisions(self) -> str:
        """A hash of all decisions and what came of them. Two sessions that decided alike have the same one: names that depend
        on the session, and times that were measured, are not in it."""
        return self._decisions.hexdigest()

    def _start(self, record: SessionStarted) -> None:
        self.started = record
        self._shadows.update(record.shadows)
        for lane in record.lanes:
            self._lane(lane)
        for fields in record.instruments:
            instrument = msgspec.convert(fields, Instrument)
            self._instruments[instrument.instrument_id] = instrument

    def _approve(self, record: OrderApproved) -> None:
        order = record.order
        self._lane(order.lane).counts["orders"] += 1
        self._orders[order.client_order_id] = order
        self._open[order.client_order_id] = 0
        self._decided(
            order.lane,
            "order",
            self._ordinal(order.lane, order.client_order_id),
            record.instrument,
            int(order.side),
            order.order_type.value,
            order.quantity,
            order.price,
            order.time_in_force.value,
            order.cause,
            order.input,
            order.row,
        )

    def _deny_again(self, record: DenialsRepeated) -> None:
        lane = self._lane(record.lane)
        lane.counts["intents"] += record.count
        lane.denials[record.policy] += record.count
        run = (record.lane, record.instrument, record.policy, int(record.side), record.cause)
        self._denied_again[run] += record.count
        if record.ended:  # when checkpoints fell in between is no decision
            self._decided(record.lane, "denied again", *run, self._denied_again.pop(run), record.first_input, record.last_input)

    def _report(self, record: OrderReported) -> None:
        event = record.event
        name = event.client_order_id
        order = self._orders.get(name)
        if order is None:
            self._warn(f"{type(event).__name__} of {name}, an order that the journal does not have")
            return
        lane = self._lane(record.lane)
        self._decided(
            record.lane, "event", self._ordinal(record.lane, name), type(event).__name__, *_numbers(event), record.input
        )
        if isinstance(event, OrderLost):
            self._lost.add(name)
            return
        self._lost.discard(name)
        if isinstance(event, OrderFilled):
            lane.counts["fills"] += 1
            money = lane.money.setdefault(record.currency, _Money())
            money.gross += Decimal(record.realized)
            lane.money.setdefault(record.fee_currency or record.currency, _Money()).fees += Decimal(record.fee)
            lane.positions[record.instrument] += order.side * event.quantity
            if lane.positions[record.instrument] != record.position:
                held = lane.positions[record.instrument]
                self._warn(
                    f"lane {record.lane}: {record.instrument} is {held} by its fills and {record.position} in the journal"
                )
            if name in self._open:
                self._open[name] += event.quantity
                if self._open[name] >= order.quantity:
                    self._end(name, lane, "filled")
        elif type(event) in _ENDS:
            self._end(name, lane, _ENDS[type(event)])

    def _end(self, name: str, lane: _LaneTally, how: str) -> None:
        if self._open.pop(name, None) is not None:
            lane.counts[how] += 1

    def _quantity(self, instrument: str, held: int) -> str:
        known = self._instruments.get(instrument)
        return f"{to_decimal(held, known.quantity_decimals):f}" if known is not None else str(held)

    def _lane(self, name: str) -> _LaneTally:
        return self._lanes.setdefault(name, _LaneTally())

    def _ordinal(self, lane: str, client_order_id: str) -> int:
        """Of the account's orders; those of shadows are in no hash."""
        return 0 if lane in self._shadows else self._ordinals.setdefault(client_order_id, len(self._ordinals))

    def _account(self) -> list[_LaneTally]:
        """The lanes that trade for the account."""
        return [lane for name, lane in self._lanes.items() if name not in self._shadows]

    def _decided(self, lane: str, *what: object) -> None:
        if lane not in self._shadows:
            self._decisions.update(self._encode(what))

    def _warn(self, text: str) -> None:
        if len(self.warnings) < 20:
            self.warnings.append(text)


def _numbers(event: OrderEvent) -> tuple[int, ...]:
    return (event.price, event.quantity) if isinstance(event, OrderFilled) else ()
