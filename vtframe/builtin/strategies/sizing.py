"""How much to hold: a notional in quote currency from an edge and a risk, and whole lots from a notional."""

from __future__ import annotations

import math

from vtframe.domain import Instrument, InstrumentKind


def kelly_notional(*, edge_bps: float, variance_bps2: float, fraction: float, cap: float, capital: float) -> float:
    """``capital`` times the capped fractional Kelly share: min(cap, fraction x edge / variance).

    Kelly (1956) for a small, roughly normal return: the growth-optimal share is mean / variance (Thorp 2006, "The Kelly
    criterion in blackjack, sports betting and the stock market", section 7), here of the move over the horizon. ``edge_bps``
    is the expected move after costs; a variance that is not positive leaves the cap. Never negative.
    """
    if edge_bps <= 0 or math.isnan(edge_bps):
        return 0.0
    share = fraction * edge_bps * 1e4 / variance_bps2 if variance_bps2 > 0 else cap
    return capital * min(cap, share)


def volatility_notional(*, target: float, volatility: float, cap: float, capital: float) -> float:
    """``capital`` times min(cap, target / volatility), both in one unit; 0 while the volatility is nan or not positive."""
    if not volatility > 0:
        return 0.0
    return capital * min(cap, target / volatility)


def quantity_for(notional: float, price: int, instrument: Instrument) -> int:
    """The most whole lots (fixed point) that ``notional`` (quote currency) buys at ``price`` (fixed point)."""
    per_lot = float(instrument.quantity(instrument.lot_size)) * float(instrument.multiplier)
    if instrument.kind is not InstrumentKind.INVERSE:
        per_lot *= float(instrument.price(price))
    return int(notional / per_lot) * instrument.lot_size if per_lot > 0 and notional > 0 else 0
