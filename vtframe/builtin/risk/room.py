"""How much of an instrument a sum of quote currency buys: shared by the policies that limit notional. Exact, in integers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from vtframe.api import RiskContext
from vtframe.domain import Instrument, InstrumentKind, Side, SubmitOrder


def reference_price(order: SubmitOrder, context: RiskContext) -> int | None:
    """What the order is valued at: its limit price, else the touch that it takes; None while that side is empty."""
    if order.price is not None:
        return order.price
    top = context.top(order.instrument)
    price, quantity = (top.ask, top.ask_quantity) if order.side is Side.BUY else (top.bid, top.bid_quantity)
    return price if quantity > 0 else None


class Room:
    """The largest quantities within one notional, by instrument and price."""

    def __init__(self, notional: float) -> None:
        self.notional = Decimal(str(notional))
        self._ratios: dict[Instrument, tuple[int, int, bool]] = {}

    def lots(self, price: int, instrument: Instrument) -> int:
        """The largest quantity, in whole lots (fixed point), whose notional at ``price`` is not above the limit."""
        ratio = self._ratios.get(instrument)
        if ratio is None:
            ratio = self._ratios[instrument] = self._ratio(instrument)
        units, per, by_price = ratio
        quantity = units // (per * price if by_price else per)
        return quantity - quantity % instrument.lot_size

    def _ratio(self, instrument: Instrument) -> tuple[int, int, bool]:
        """Notional = quantity x multiplier (x price, unless the contract is worth quote), all of it in fixed point."""
        by_price = instrument.kind is not InstrumentKind.INVERSE
        decimals = instrument.quantity_decimals + (instrument.price_decimals if by_price else 0)
        ratio = Fraction(self.notional) * 10**decimals / Fraction(instrument.multiplier)
        return ratio.numerator, ratio.denominator, by_price
