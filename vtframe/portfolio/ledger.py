"""What a lane holds and what it earned, per settlement currency, in decimals that add up exactly over a round trip."""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import NamedTuple

from vtframe.domain import Instrument, InstrumentKind, LiquiditySide, OrderFilled, Position, Side, SubmitOrder

_EXACT = Context(prec=60, traps=[InvalidOperation, DivisionByZero, Overflow])
_QUANTUM = Decimal("1e-18")  # of a settlement currency: what a division is rounded to, ten decimals finer than any venue's
_ZERO = Decimal(0)
_FLAT = Position(quantity=0, average_price=_ZERO)


class FillResult(NamedTuple):
    """What one fill came to: ``realized`` in ``currency``, ``fee`` in ``fee_currency``; ``position`` is the one after it."""

    fee: Decimal
    realized: Decimal
    currency: str
    fee_currency: str
    position: Position


class _Holding:
    """An open position: signed quantity, and ``cost``, the signed value at which it was opened (see Ledger)."""

    __slots__ = ("cost", "instrument", "position")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.cost = _ZERO
        self.position = _FLAT


class Ledger:
    """Positions of one lane, and what each fill came to.

    A quantity q at price p has the value v = q x m x p (spot, linear) or -q x m / p (inverse), m being the multiplier, so
    that profit is the value of what is held at the exit less at the entry, for every kind (Instrument.profit). The ledger
    keeps the sum of entry values; a partial close takes its proportional part, rounded to 1e-18, and the last one takes the
    rest, so a closed position's profit is exactly the sum of its fills' values, whatever their order.

    Fees are what the venue says that it charged, in its currency. Where it does not say, they are the instrument's, charged in
    the settlement currency (spot: in quote, on both sides). A position is what was traded: a fee that the venue took out of
    the base asset is in no position.
    """

    def __init__(self) -> None:
        self._holdings: dict[int, _Holding] = {}

    def position(self, instrument: int) -> Position:
        """What is held of the instrument with that index; flat where nothing was traded."""
        holding = self._holdings.get(instrument)
        return holding.position if holding is not None else _FLAT

    def open_positions(self) -> dict[int, Position]:
        """By instrument index; those that are not flat."""
        return {index: holding.position for index, holding in self._holdings.items() if holding.position.quantity}

    def apply(self, fill: OrderFilled, order: SubmitOrder, instrument: Instrument) -> FillResult:
        """Book one fill of ``order``. Raises ValueError for a price or quantity that is not positive, or a fee that is none."""
        if fill.price <= 0 or fill.quantity <= 0:
            raise ValueError(f"fill of {fill.quantity} at {fill.price}: both must be positive")
        charged = _charged(fill)
        holding = self._holdings.setdefault(order.instrument, _Holding(instrument))
        with localcontext(_EXACT):
            realized = _trade(holding, order.side, fill)
            if charged is not None:
                return FillResult(charged, realized, instrument.settlement, fill.fee_currency, holding.position)
            rate = instrument.maker_fee if fill.liquidity_side is LiquiditySide.MAKER else instrument.taker_fee
            fee = _rounded(instrument.settlement_value(fill.price, fill.quantity) * rate)
        return FillResult(fee, realized, instrument.settlement, instrument.settlement, holding.position)

    def unrealized(self, instrument: int, price: int) -> Decimal:
        """Gross profit that closing the position at ``price`` (fixed point) would realize, in the settlement currency."""
        holding = self._holdings.get(instrument)
        if holding is None or not holding.position.quantity:
            return _ZERO
        with localcontext(_EXACT):
            return _value(holding.instrument, holding.position.quantity, price) - holding.cost


def _charged(fill: OrderFilled) -> Decimal | None:
    """The fee as the venue states it; None where it does not."""
    if not (fill.fee and fill.fee_currency):
        return None
    try:
        fee = Decimal(fill.fee)
    except InvalidOperation:
        raise ValueError(f"fee {fill.fee!r} of a fill is no number") from None
    if not fee.is_finite():
        raise ValueError(f"fee {fill.fee!r} of a fill is not finite")
    return fee


def _trade(holding: _Holding, side: Side, fill: OrderFilled) -> Decimal:
    """Move the position by the fill; the gross profit that this realized."""
    instrument = holding.instrument
    held = holding.position.quantity
    change = side * fill.quantity
    closed = 0 if held * change >= 0 else side * min(abs(held), fill.quantity)  # the part of the change that closes
    opened = change - closed
    closed_value = _value(instrument, closed, fill.price)
    realized = _ZERO
    opened_at = holding.position.opened_at
    if closed:
        released = holding.cost if closed == -held else _rounded(holding.cost * -closed / held)
        realized = -closed_value - released
        holding.cost -= released
    if opened:
        if held + closed == 0:
            opened_at = fill.ts_event
        holding.cost += _value(instrument, change, fill.price) - closed_value  # so that both parts add up to the fill
    after = held + change
    holding.position = Position(quantity=after, average_price=_average(holding, after), opened_at=opened_at) if after else _FLAT
    return realized


def _value(instrument: Instrument, quantity: int, price: int) -> Decimal:
    count = instrument.quantity(quantity) * instrument.multiplier
    if instrument.kind is InstrumentKind.INVERSE:
        return _rounded(-count / instrument.price(price))
    return count * instrument.price(price)


def _average(holding: _Holding, quantity: int) -> Decimal:
    count = holding.instrument.quantity(quantity) * holding.instrument.multiplier
    ratio = -count / holding.cost if holding.instrument.kind is InstrumentKind.INVERSE else holding.cost / count
    rounded = _rounded(ratio)
    whole = rounded.to_integral_value()
    return whole if rounded == whole else rounded.normalize()


def _rounded(value: Decimal) -> Decimal:
    """``value`` to 1e-18; as it is where it has no more digits than that."""
    rounded = value.quantize(_QUANTUM)
    return value if rounded == value else rounded
