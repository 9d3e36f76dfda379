"""Prices and quantities as integers: value x 10**decimals, exact both ways. No float is involved."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_LIMIT = 2**63 - 1


def to_fixed(text: str, decimals: int) -> int:
    """``text`` (a plain or exponent decimal) times ``10**decimals``.

    Raises ValueError when it is not a finite number, has more digits than ``decimals``, or leaves int64.
    """
    try:
        scaled = Decimal(text).scaleb(decimals)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None
    if not scaled.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    value = int(scaled)
    if value != scaled:
        raise ValueError(f"{text!r} has more than {decimals} decimals")
    if abs(value) > _LIMIT:
        raise ValueError(f"{text!r} does not fit 64 bits with {decimals} decimals")
    return value


def to_decimal(value: int, decimals: int) -> Decimal:
    """The exact decimal that ``value`` stands for."""
    return Decimal(value).scaleb(-decimals)


def decimals(number: Decimal) -> int:
    """The fewest decimals that write ``number`` exactly."""
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
