"""How much to hold: a notional in quote currency from an edge and a risk, and whole lots from a notional."""

from __future__ import annotations

from vtframe.domain import Instrument, InstrumentKind


def kelly_notional(*, edge_bps: float, variance_bps2: float, fraction: float, cap: float, capital: float) -> float:
    """``capital`` times the capped fractional Kelly share: min(cap, fraction x edge / variance).

    Kelly (1956) for a small, roughly normal return: the growth-optimal share is mean / variance (Thorp 2006, "The Kelly
    criterion in blackjack, sports betting and the stock market", section 7), here of the move over the horizon. ``edge_bps``
    is the expected move after costs. Never negative; 0 without an edge, or where the variance is not known to be positive.
    """
    if not (edge_bps > 0 and variance_bps2 > 0):
        return 0.0
    return capital * min(cap, fraction * edge_bps * 1e4 / variance_bps2)


def volatility_notional(*, target: float, volatility: float, cap: float, capital: float) -> float:
    """``capital`` times min(cap, target / volatility), both in one unit; 0 while the volatility is nan or not positive."""
    if not volatility > 0:
        return 0.0
    return capital * min(cap, target / volatility)


class Lots:
    """Whole lots of one instrument for a notional in quote currency. Floats: the gate decides in exact numbers."""

    def __init__(self, instrument: Instrument) -> None:
        self._by_price = instrument.kind is not InstrumentKind.INVERSE
        scale = 10.0 ** (instrument.quantity_decimals + (instrument.price_decimals if self._by_price else 0))
        self._lot = instrument.lot_size
        self._unit = float(instrument.multiplier) / scale  # notional of one fixed-point unit, at a price of one
        self._minimum = float(instrument.minimum_notional)

    def quantity(self, notional: float, price: int) -> int:
        """The most (fixed point) that ``notional`` buys at ``price``; 0 where that is under the venue's minimum."""
        unit = self._unit * price if self._by_price else self._unit
        if not (unit > 0 and notional > 0):
            return 0
        units = int(notional / unit)
        units -= units % self._lot
        return units if units * unit >= self._minimum else 0
