"""What the venue lists: instruments with their units, and how each market writes numbers. The market's kinds are data."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from vtframe.builtin.binance.known import COINM, SPOT, USDM, make_instrument
from vtframe.domain import Instrument
from vtframe.errors import InputError, nearest
from vtframe.venue.digits import Digits

TRADING = "TRADING"
WINDOW_TICKS = 15_000  # an order may be so far from the last price: the simulation keeps a window of prices


class Rules(NamedTuple):
    """How one of the three markets differs from the others."""

    name: str
    venue: str  # its name in vtframe
    depth_ms: dict[str, int]  # suffix of a depth stream: how often it is sent; 0 is at once
    bids_descend: bool  # in a diff
    first_id: int  # update ids start here
    prints_price: int | None  # digits of a price; None: the instrument's own
    prints_quantity: int | None
    snapshot_limits: tuple[int, ...]  # of a depth snapshot; a pair is a range
    snapshot_limit: int


_FUTURES_MS = {"": 250, "@250ms": 250, "@500ms": 500, "@100ms": 100, "@0ms": 0}
_FUTURES_LIMITS = (5, 10, 20, 50, 100, 500, 1000)

MARKETS = {
    "spot": Rules(
        name="spot",
        venue=SPOT,
        depth_ms={"": 1000, "@1000ms": 1000, "@100ms": 100},
        bids_descend=True,
        first_id=50_093_239_218,
        prints_price=8,
        prints_quantity=8,
        snapshot_limits=(1, 5000),
        snapshot_limit=100,
    ),
    "usdm": Rules(
        name="usdm",
        venue=USDM,
        depth_ms=_FUTURES_MS,
        bids_descend=False,
        first_id=5_123_107_852_948,
        prints_price=2,
        prints_quantity=3,
        snapshot_limits=_FUTURES_LIMITS,
        snapshot_limit=500,
    ),
    "coinm": Rules(
        name="coinm",
        venue=COINM,
        depth_ms=_FUTURES_MS,
        bids_descend=False,
        first_id=1_007_198_635_033,
        prints_price=None,
        prints_quantity=0,
        snapshot_limits=_FUTURES_LIMITS,
        snapshot_limit=500,
    ),
}


class _Units(NamedTuple):
    tick: str
    lot: str
    price: str  # where the simulation starts
    minimum_notional: str


_UNITS = {
    ("spot", "BTCUSDT"): _Units("0.1", "0.001", "61800", "5"),
    ("spot", "ETHUSDT"): _Units("0.01", "0.001", "2650", "5"),
    ("usdm", "BTCUSDT"): _Units("0.1", "0.001", "61800", "100"),
    ("usdm", "ETHUSDT"): _Units("0.01", "0.001", "2650", "20"),
    ("coinm", "BTCUSD_PERP"): _Units("0.1", "1", "61800", "0"),
    ("coinm", "ETHUSD_PERP"): _Units("0.01", "1", "2650", "0"),
}
_USUAL = {
    "spot": _Units("0.1", "0.001", "61800", "5"),
    "usdm": _Units("0.1", "0.001", "61800", "100"),
    "coinm": _Units("0.1", "1", "61800", "0"),
}

DEFAULT = ("spot:BTCUSDT", "spot:ETHUSDT", "usdm:BTCUSDT", "usdm:ETHUSDT", "coinm:BTCUSD_PERP")


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument of one market. Prices are ticks and quantities lots everywhere inside the venue."""

    market: str
    symbol: str
    pair: str
    base: str
    quote: str
    margin: str  # what it settles in
    price: Digits
    quantity: Digits
    start_price: int  # ticks
    minimum_notional: Decimal
    multiplier: Decimal  # of one contract: USD for COIN-M, else 1
    maker_fee: Decimal
    taker_fee: Decimal
    status: str = TRADING
    tick: int = 1  # an order's price is a multiple of it, in steps of ``price``
    lot: int = 1
    band: Decimal = Decimal("0.0242")  # how far an order's price may be from the last one, as a share of it
    maximum_quantity: int = 1_000_000
    maximum_market_quantity: int = 100_000
    maximum_orders: int = 200

    @property
    def rules(self) -> Rules:
        return MARKETS[self.market]

    @property
    def name(self) -> str:
        return f"{self.market}:{self.symbol}"

    @property
    def multipliers(self) -> tuple[Decimal, Decimal]:
        """How far a price may be from the last one, as factors: down and up."""
        return 1 - self.band, 1 + self.band

    def amount(self, quantity: int) -> Decimal:
        """Lots as a decimal number of the base asset (of contracts for COIN-M)."""
        return Decimal(quantity * self.quantity.step).scaleb(-self.quantity.decimals)

    def price_of(self, price: int) -> Decimal:
        """Ticks as a decimal number."""
        return Decimal(price * self.price.step).scaleb(-self.price.decimals)

    def notional(self, price: int, quantity: int) -> Decimal:
        """In quote currency, exact."""
        amount = self.amount(quantity) * self.multiplier
        return amount if self.market == "coinm" else amount * self.price_of(price)


def read_listing(name: str) -> Listing:
    """The instrument ``market:SYMBOL``; raises InputError for what no market can list."""
    market, _, symbol = name.partition(":")
    if market not in MARKETS or not symbol:
        hint = nearest(market, MARKETS) or "write spot:BTCUSDT, usdm:BTCUSDT or coinm:BTCUSD_PERP"
        raise InputError(f"instrument {name!r}", "expected market:SYMBOL with market spot, usdm or coinm", hint)
    rules = MARKETS[market]
    units = _UNITS.get((market, symbol), _USUAL[market])
    tick, lot = Decimal(units.tick), Decimal(units.lot)
    price_decimals = rules.prints_price if rules.prints_price is not None else _decimals(tick)
    quantity_decimals = rules.prints_quantity if rules.prints_quantity is not None else _decimals(lot)
    instrument = make_instrument(
        rules.venue,
        symbol,
        tick=tick,
        lot=lot,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        minimum_notional=Decimal(units.minimum_notional),
    )
    if instrument is None:
        expected = "a coin and USD_PERP" if market == "coinm" else "a base and a quote asset, like ETHUSDT"
        raise InputError(f"instrument {name!r}", f"the symbol does not say its currencies: expected {expected}")
    return Listing(
        market=market,
        symbol=symbol,
        pair=symbol.partition("_")[0],
        base=instrument.base,
        quote=instrument.quote,
        margin=instrument.settlement,
        price=Digits(price_decimals, instrument.tick_size),
        quantity=Digits(quantity_decimals, instrument.lot_size),
        start_price=int(Decimal(units.price) / tick),
        band=(WINDOW_TICKS * tick / Decimal(units.price)).quantize(Decimal("0.0001")),
        minimum_notional=instrument.minimum_notional,
        multiplier=instrument.multiplier,
        maker_fee=instrument.maker_fee,
        taker_fee=instrument.taker_fee,
    )


def recorded_listing(instrument: Instrument) -> Listing:
    """An instrument of a recording: steps are what its codec counts in, so that every level is exact."""
    market = next(name for name, rules in MARKETS.items() if rules.venue == instrument.venue)
    rules = MARKETS[market]
    price_decimals = rules.prints_price if rules.prints_price is not None else instrument.price_decimals
    quantity_decimals = rules.prints_quantity if rules.prints_quantity is not None else instrument.quantity_decimals
    one = int(1 / Decimal(10) ** -instrument.quantity_decimals)
    return Listing(
        market=market,
        symbol=instrument.symbol,
        pair=instrument.symbol.partition("_")[0],
        base=instrument.base,
        quote=instrument.quote,
        margin=instrument.settlement,
        price=Digits(price_decimals, 10 ** (price_decimals - instrument.price_decimals)),
        quantity=Digits(quantity_decimals, 10 ** (quantity_decimals - instrument.quantity_decimals)),
        start_price=0,
        minimum_notional=instrument.minimum_notional,
        multiplier=instrument.multiplier,
        maker_fee=instrument.maker_fee,
        taker_fee=instrument.taker_fee,
        tick=instrument.tick_size,
        lot=instrument.lot_size,
        band=Decimal("0.5"),
        maximum_quantity=1000 * one,
        maximum_market_quantity=100 * one,
    )


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))
