"""The instrument's filters: limits on price, quantity and value, with each market's codes."""

from __future__ import annotations

from vtframe.venue.listing import TRADING, Listing
from vtframe.venue.order_request import OrderRequest
from vtframe.venue.refusal import Refusal, filter_failure


def check_filters(listing: Listing, request: OrderRequest, *, last_price: int, market_price: int, open_orders: int) -> None:
    """Raises Refusal. ``market_price`` is what a market order would about trade at; all in ticks."""
    if listing.status != TRADING:
        raise Refusal(-1013, "Market is closed.") if listing.market == "spot" else Refusal(-4141, "Symbol is closed.")
    check_quantity(listing, request.quantity, is_market=request.kind == "MARKET")
    if request.kind != "MARKET":
        check_price(listing, request.price, last_price)
    _check_notional(listing, request, request.price or market_price)
    if open_orders >= listing.maximum_orders:
        if listing.market == "spot":
            raise filter_failure("MAX_NUM_ORDERS")
        raise Refusal(-2025, "Reach max open order limit.")


def check_quantity(listing: Listing, quantity: int, *, is_market: bool) -> None:
    highest = listing.maximum_market_quantity if is_market else listing.maximum_quantity
    if listing.market == "spot":
        if is_market and quantity > highest:
            raise filter_failure("MARKET_LOT_SIZE")
        if not listing.lot <= quantity <= highest:
            raise filter_failure("LOT_SIZE")
        return
    if quantity <= 0:
        raise Refusal(-4003, "Quantity less than or equal to zero.")
    if quantity > highest:
        raise Refusal(-4005, "Quantity greater than max quantity.")


def check_price(listing: Listing, price: int, last_price: int) -> None:
    """Within the limits, and not too far from the last price."""
    down, up = listing.multipliers
    lowest, highest = int(last_price * down) + 1, int(last_price * up)
    if listing.market == "spot":
        if not price > 0:
            raise filter_failure("PRICE_FILTER")
        if not lowest <= price <= highest:
            raise filter_failure("PERCENT_PRICE_BY_SIDE")
        return
    if price <= 0:
        raise Refusal(-4001, "Price less than 0.")
    if price > highest:
        raise Refusal(-4016, f"Limit price can't be higher than {listing.price.text(highest)}.")
    if price < lowest:
        raise Refusal(-4024, f"Limit price can't be lower than {listing.price.text(lowest)}.")


def _check_notional(listing: Listing, request: OrderRequest, price: int) -> None:
    if request.reduce_only or listing.notional(price, request.quantity) >= listing.minimum_notional:
        return
    if listing.market == "spot":
        raise filter_failure("NOTIONAL")
    least = f"{listing.minimum_notional.normalize():f}"
    raise Refusal(-4164, f"Order's notional must be no smaller than {least} (unless you choose reduce only).")
