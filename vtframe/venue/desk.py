"""The order desk of one market: takes orders, gives them to the matching engine, and books what comes of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from vtframe.domain import Side
from vtframe.venue.account import Account
from vtframe.venue.filters import check_filters
from vtframe.venue.happening import Filled
from vtframe.venue.order import Fill, Order
from vtframe.venue.order_request import OrderRequest
from vtframe.venue.place import Place
from vtframe.venue.refusal import Refusal, no_funds, no_such_order, rejected, unknown_order
from vtframe.venue.user_event import tell_order

_FIRST_ORDER = {"spot": 28_457_000_000, "usdm": 8_389_765_000_000}
_MS = 1_000_000
_KEPT = 20_000  # closed orders that can still be asked for


class Desk:
    """Orders of every account on one market. Client order ids are unique among an account's open orders only."""

    def __init__(self, market: str, places: Mapping[str, Place]) -> None:
        self.market = market
        self.places = places  # by symbol
        self.accepted = 0
        self._last_id = _FIRST_ORDER[market]
        self._orders: dict[int, Order] = {}
        self._closed: deque[int] = deque()
        self._open: dict[str, dict[int, Order]] = {}  # by account, in order of acceptance
        self._working: dict[tuple[str, int], Order] = {}  # by instrument and the engine's number
        self._by_client: dict[tuple[str, str], Order] = {}  # the latest order of that id

    def place(self, account: Account, place: Place, request: OrderRequest, *, now_ns: int, algo_id: int = 0) -> Order:
        """Accept an order and give it to the market; raises Refusal."""
        self.bring_up(place, now_ns)
        request = self._with_quantity(place, request)
        self._check(account, place, request)
        self._last_id += 1
        order = Order(
            order_id=self._last_id,
            client_order_id=request.client_order_id or f"venue-{self._last_id}",
            account=account,
            listing=place.listing,
            side=request.side,
            kind=request.kind,
            time_in_force=request.time_in_force,
            price=request.price,
            quantity=request.quantity,
            quote_quantity=request.quote_quantity,
            reduce_only=request.reduce_only,
            created_ms=now_ns // _MS,
            updated_ms=now_ns // _MS,
            algo_id=algo_id,
        )
        self._fund(order, place)
        self.accepted += 1
        self._keep(order)
        tell_order(order, "NEW")
        self._work(order, place, now_ns)
        return order

    def cancel(self, order: Order, place: Place, *, now_ns: int, cancel_id: str = "") -> None:
        """Take an open order out of the market; raises Refusal where it is open no more."""
        self.bring_up(place, now_ns)
        if not order.is_open:
            raise unknown_order()
        order.cancel_id = cancel_id or f"venue-cancel-{order.order_id}"
        self._take_out(order, place, "CANCELED", now_ns)

    def find(self, account: Account, symbol: str, *, order_id: str, client_order_id: str, only_open: bool) -> Order:
        """The order that a request names by either id; raises Refusal."""
        order: Order | None = None
        if order_id:
            is_number = order_id.isascii() and order_id.isdigit() and len(order_id) < 20
            order = self._orders.get(int(order_id)) if is_number else None
        elif client_order_id:
            order = self._by_client.get((account.name, client_order_id))
        else:
            raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        known = order is not None and order.account is account and order.listing.symbol == symbol
        if order is None or not known or (only_open and not order.is_open):
            raise unknown_order() if only_open else no_such_order()
        return order

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        orders = self._open.get(account.name, {}).values()
        return [order for order in orders if symbol is None or order.listing.symbol == symbol]

    def orders(self, account: Account, symbol: str) -> list[Order]:
        """Every order that is still known, oldest first."""
        return [order for order in self._orders.values() if order.account is account and order.listing.symbol == symbol]

    def bring_up(self, place: Place, now_ns: int) -> None:
        """The market goes on to ``now_ns``; what it does to orders is booked."""
        place.advance(now_ns)
        self.collect(place)

    def collect(self, place: Place) -> None:
        """Book the engine's fills."""
        for filled in place.engine.take_fills():
            order = self._working.get((place.listing.symbol, filled.order))
            if order is not None:
                self._book(order, place, filled)

    def _with_quantity(self, place: Place, request: OrderRequest) -> OrderRequest:
        """A market order for an amount of quote currency, in lots."""
        if not request.quote_quantity:
            return request
        listing = place.listing
        left, lots = request.quote_quantity, 0
        for price, quantity in place.tape.book.levels(-request.side):
            part = min(quantity, int(left / listing.notional(price, 1)))
            lots, left = lots + part, left - listing.notional(price, part) if part else left
            if part < quantity:
                break
        return request._replace(quantity=lots)

    def _check(self, account: Account, place: Place, request: OrderRequest) -> None:
        listing, book = place.listing, place.tape.book
        opposite = book.top(Side(-request.side))[0]
        if request.client_order_id:
            known = self._by_client.get((account.name, request.client_order_id))
            if known is not None and known.is_open:
                if self.market == "spot":
                    raise rejected("Duplicate order sent.")
                raise Refusal(-4116, "ClientOrderId is duplicated.")
        check_filters(
            listing,
            request,
            last_price=place.tape.last_price,
            market_price=opposite or place.tape.last_price,
            open_orders=len(self.open_orders(account, listing.symbol)),
        )
        crosses = bool(opposite) and (request.price - opposite) * request.side >= 0
        if request.kind == "LIMIT_MAKER" and crosses:
            raise rejected("Order would immediately match and take.")
        if request.time_in_force == "GTX" and crosses:
            raise Refusal(
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be rejected. "
                "The order will not be recorded in the order history",
            )
        if request.reduce_only:
            self._check_reduces(account, place, request)

    def _check_reduces(self, account: Account, place: Place, request: OrderRequest) -> None:
        """What all reduce-only orders can take together is no more than the position."""
        held = -int(request.side) * account.margin.position(place.listing).lots
        others = sum(
            order.leaves
            for order in self.open_orders(account, place.listing.symbol)
            if order.reduce_only and order.side == request.side
        )
        if request.quantity + others > held:
            raise Refusal(-2022, "ReduceOnly Order is rejected.")

    def _fund(self, order: Order, place: Place) -> None:
        """Lock what a spot order can cost; check a futures order's margin. Raises Refusal."""
        account, listing = order.account, order.listing
        price = order.price or self._worst_price(place, order.side, order.quantity)
        if self.market == "spot":
            order.locked_asset, order.locked = account.wallet.needs(listing, order.side, price, order.quantity)
            if not account.wallet.lock(order.locked_asset, order.locked):
                raise no_funds()
        elif not order.reduce_only and self.margin_left(account) < self._margin_of(order, price):
            raise Refusal(-2019, "Margin is insufficient.")

    def margin_left(self, account: Account) -> Decimal:
        """What is free to open positions with: balances and open profit less what positions and orders hold."""
        margin = account.margin
        left = sum(margin.balances.values(), Decimal(0))
        for position in margin.positions.values():
            mark = self.places[position.listing.symbol].mark_price
            left += position.unrealized(mark) - abs(position.cost) / margin.leverage
        return left - sum((self._margin_of(order, order.price) for order in self.open_orders(account)), Decimal(0))

    def _margin_of(self, order: Order, price: int) -> Decimal:
        """An order that only takes back a position needs none."""
        held = -int(order.side) * order.account.margin.position(order.listing).lots
        opening = max(0, order.leaves - max(0, held))
        return order.listing.notional(price, opening) / order.account.margin.leverage

    def _worst_price(self, place: Place, side: Side, quantity: int) -> int:
        """What the last lot of a market order would trade at now."""
        price = place.tape.last_price
        for price, lots in place.tape.book.levels(-side):  # noqa: B007 - the last one counts
            quantity -= lots
            if quantity <= 0:
                break
        return price

    def _work(self, order: Order, place: Place, now_ns: int) -> None:
        """Give an accepted order to the engine, and book what it does at once."""
        fills_now = order.kind == "MARKET" or order.time_in_force in {"IOC", "FOK"}
        if order.time_in_force == "FOK" and place.tape.book.depth(-order.side, order.price) < order.quantity:
            self._end(order, "EXPIRED", now_ns)
            return
        try:
            if order.kind == "MARKET":
                order.number, happened = place.engine.market(order.side, order.quantity, ts_ns=now_ns)
            else:
                order.number, happened = place.engine.limit(
                    order.side, order.price, order.quantity, ts_ns=now_ns, rests=not fills_now
                )
        except ValueError:  # the engine has no room for it
            self._end(order, "EXPIRED", now_ns)
            return
        self._working[order.listing.symbol, order.number] = order
        place.tape.publish(happened)
        self.collect(place)

    def _book(self, order: Order, place: Place, filled: Filled) -> None:
        if filled.canceled:
            self._end(order, "EXPIRED", filled.ts_ns)
            return
        account, listing = order.account, order.listing
        fee = listing.maker_fee if filled.maker else listing.taker_fee
        profit = Decimal(0)
        if self.market == "spot":
            self._unlock(order, filled)
            asset, commission = account.wallet.trade(listing, order.side, price=filled.price, quantity=filled.quantity, fee=fee)
        else:
            commission, profit = account.margin.trade(
                listing, order.side, price=filled.price, quantity=filled.quantity, fee=fee
            )
            asset = listing.margin
        order.filled += filled.quantity
        order.quote_filled += listing.notional(filled.price, filled.quantity)
        order.updated_ms = filled.ts_ns // _MS
        order.status = "FILLED" if not order.leaves else "PARTIALLY_FILLED"
        order.fills.append(
            Fill(
                trade_id=place.tape.trade_id(filled.ts_ns, filled.price),
                price=filled.price,
                quantity=filled.quantity,
                maker=filled.maker,
                commission=commission,
                commission_asset=asset,
                profit=profit,
                time_ms=order.updated_ms,
            )
        )
        if not order.is_open:
            self._close(order)
        tell_order(order, "TRADE")
        if self.market == "usdm":
            self._trim(account, place, filled.ts_ns)

    def _unlock(self, order: Order, filled: Filled) -> None:
        """What was set aside for the part that trades now; a better price leaves more free."""
        share = order.locked
        if order.leaves > filled.quantity:
            _, share = order.account.wallet.needs(order.listing, order.side, order.price or filled.price, filled.quantity)
            share = min(share, order.locked)
        order.locked -= share
        order.account.wallet.release(order.locked_asset, share)

    def _trim(self, account: Account, place: Place, ts_ns: int) -> None:
        """Reduce-only orders that would take more than the position end, the newest first."""
        lots = account.margin.position(place.listing).lots
        orders = [order for order in self.open_orders(account, place.listing.symbol) if order.reduce_only]
        for side in (Side.BUY, Side.SELL):
            mine = [order for order in orders if order.side == side]
            while mine and sum(order.leaves for order in mine) > -int(side) * lots:
                self._take_out(mine.pop(), place, "EXPIRED", ts_ns)

    def _take_out(self, order: Order, place: Place, status: str, ts_ns: int) -> None:
        self._working.pop((order.listing.symbol, order.number), None)  # its report is no news
        _, happened = place.engine.cancel(order.number, ts_ns=ts_ns)
        place.tape.publish(happened)
        self._end(order, status, ts_ns)

    def _end(self, order: Order, status: str, ts_ns: int) -> None:
        if not order.is_open:
            return
        order.status = status
        order.updated_ms = ts_ns // _MS
        self._close(order)
        tell_order(order, status)

    def _close(self, order: Order) -> None:
        """It works no more: what is still locked is free again."""
        if order.locked:
            order.account.wallet.release(order.locked_asset, order.locked)
            order.locked = Decimal(0)
        self._open[order.account.name].pop(order.order_id, None)
        self._working.pop((order.listing.symbol, order.number), None)
        self._closed.append(order.order_id)
        while len(self._closed) > _KEPT:
            old = self._orders.pop(self._closed.popleft())
            if self._by_client.get((old.account.name, old.client_order_id)) is old:
                del self._by_client[old.account.name, old.client_order_id]

    def _keep(self, order: Order) -> None:
        self._orders[order.order_id] = order
        self._by_client[order.account.name, order.client_order_id] = order
        self._open.setdefault(order.account.name, {})[order.order_id] = order
