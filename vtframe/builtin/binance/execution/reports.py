"""What the venue says of orders: user data events, answers to queries, trades. Typed here, numbers left as their digits."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from vtframe.errors import DecodeError

MOST_TEXT: Final = 256  # of what a venue says in words
Text = Annotated[str, msgspec.Meta(max_length=MOST_TEXT)]
Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One report on one order, whichever market and way it came by. Times in ms, quantities as decimal text."""

    name: str  # our client order ID, where it is ours
    symbol: str
    kind: str  # NEW, CANCELED, REJECTED, EXPIRED, TRADE, TRADE_PREVENTION, AMENDMENT, CALCULATED, REPLACED
    status: str  # NEW, PARTIALLY_FILLED, FILLED, CANCELED, REJECTED, EXPIRED, EXPIRED_IN_MATCH
    venue_order_id: int
    executed: str  # in all
    ts_ms: int
    reason: str = ""
    trade: Trade | None = None


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one order."""

    trade_id: int
    price: str
    quantity: str
    ts_ms: int
    maker: bool
    fee: str = ""
    fee_currency: str = ""


class _Execution(msgspec.Struct, frozen=True):
    """The members that ``executionReport`` (spot) and the ``o`` of ``ORDER_TRADE_UPDATE`` (USD-M) have in common."""

    s: Text
    c: Text
    x: Text
    X: Text
    i: Id
    z: Text
    T: int
    C: Text = ""  # spot: the order's own client ID, where ``c`` is the cancel's
    r: Text = ""  # spot: why it was rejected
    l: Text = "0"  # noqa: E741 - the venue's names
    L: Text = "0"
    n: Text | None = None
    N: Text | None = None
    t: int = -1
    m: bool = False

    def report(self) -> Report:
        trade = None
        if self.x == "TRADE":
            trade = Trade(
                trade_id=self.t,
                price=self.L,
                quantity=self.l,
                ts_ms=self.T,
                maker=self.m,
                fee=self.n or "",
                fee_currency=self.N or "",
            )
        return Report(
            name=self.C or self.c,
            symbol=self.s,
            kind=self.x,
            status=self.X,
            venue_order_id=self.i,
            executed=self.z,
            ts_ms=self.T,
            reason="" if self.r in {"", "NONE"} else self.r,
            trade=trade,
        )


class _Update(msgspec.Struct, frozen=True):
    o: _Execution


class Event(msgspec.Struct, frozen=True):
    """The kind of a user data event."""

    e: Text = ""


class OrderState(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to ``order.status``, and of ``order.cancel``. Spot says when in ``transactTime`` or ``updateTime``."""

    symbol: Text
    order_id: Id
    client_order_id: Text
    status: Text = ""  # spot's answer to an order tells neither it nor what was executed
    executed_qty: Text = ""
    update_time: int = 0
    transact_time: int = 0
    orig_client_order_id: Text = ""

    def report(self, name: str) -> Report:
        """Raises DecodeError: an end that does not say what was filled is none that can be believed."""
        if self.status and not self.executed_qty:
            raise DecodeError(f"an order of Binance is {self.status[:20]}, and executedQty is missing")
        return Report(
            name=name,
            symbol=self.symbol,
            kind="STATUS",
            status=self.status,
            venue_order_id=self.order_id,
            executed=self.executed_qty or "0",
            ts_ms=self.update_time or self.transact_time,
        )


class _TradeRow(msgspec.Struct, frozen=True, rename="camel"):
    """One row of ``myTrades`` (spot: isMaker) or ``userTrades`` (USD-M: maker)."""

    id: Id
    price: Text
    qty: Text
    time: int
    order_id: int = 0
    commission: Text = ""
    commission_asset: Text = ""
    is_maker: bool = False
    maker: bool = False

    def trade(self) -> Trade:
        return Trade(
            trade_id=self.id,
            price=self.price,
            quantity=self.qty,
            ts_ms=self.time,
            maker=self.is_maker or self.maker,
            fee=self.commission,
            fee_currency=self.commission_asset,
        )


_event = msgspec.json.Decoder(Event).decode
_execution = msgspec.json.Decoder(_Execution).decode
_update = msgspec.json.Decoder(_Update).decode
_state = msgspec.json.Decoder(OrderState).decode
_trades = msgspec.json.Decoder(list[_TradeRow]).decode


def kind_of(event: bytes | msgspec.Raw) -> str:
    """What a user data event is. Raises DecodeError for what is none."""
    return str(_read(_event, event, "a user data event").e)


def read_report(kind: str, event: bytes | msgspec.Raw) -> Report | None:
    """The report in a user data event of that kind; None where it holds none. Raises DecodeError."""
    if kind == "executionReport":
        execution: _Execution = _read(_execution, event, kind)
        return execution.report()
    if kind == "ORDER_TRADE_UPDATE":
        update: _Update = _read(_update, event, kind)
        return update.o.report()
    return None


def read_state(body: bytes | msgspec.Raw, name: str) -> Report:
    """The answer to a query or a cancel of order ``name``. Raises DecodeError."""
    state: OrderState = _read(_state, body, "an order's state")
    return state.report(name)


def read_trades(body: bytes) -> list[Trade]:
    """The answer to a query for an order's trades. Raises DecodeError."""
    return [row.trade() for row in _read(_trades, body, "a list of trades")]


def _read(decode: Any, body: bytes | msgspec.Raw, what: str) -> Any:
    """What was found is not repeated: it holds an account's affairs."""
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise DecodeError(f"{what} of Binance cannot be read: {str(e)[:MOST_TEXT]}") from None
