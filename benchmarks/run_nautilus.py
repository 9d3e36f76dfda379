"""Top-of-book imbalance in NautilusTrader's BacktestEngine: a Python strategy that reads its book at every callback.

It does more than is timed elsewhere: the simulated exchange keeps a second book, and an account, a portfolio and a risk engine
stand ready. Logging is off, and the risk engine is bypassed.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, Literal

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
from nautilus_trader.model.enums import AccountType, BookAction, BookType, OmsType, OrderSide, RecordFlag
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.risk.config import RiskEngineConfig
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy
from numpy.typing import NDArray
from replay_events import Replay

from vtframe.domain import EventKind, Instrument

Given = Literal["one delta an event", "one batch a frame"]


class Imbalance(Strategy):
    """Keeps arrival time and imbalance of every callback."""

    def __init__(self, instrument_id: InstrumentId) -> None:
        super().__init__(StrategyConfig(strategy_id="imbalance"))
        self._instrument_id = instrument_id
        self.times: list[int] = []
        self.values: list[float] = []
        self._book: Any = None

    def on_start(self) -> None:
        self.subscribe_order_book_deltas(self._instrument_id, BookType.L2_MBP)

    def on_order_book_deltas(self, deltas: OrderBookDeltas) -> None:
        book = self._book
        if book is None:
            book = self._book = self.cache.order_book(self._instrument_id)
        bid, ask = book.best_bid_size(), book.best_ask_size()
        self.times.append(deltas.ts_init)
        if bid is None or ask is None:
            self.values.append(float("nan"))
            return
        bid, ask = bid.as_double(), ask.as_double()
        self.values.append((bid - ask) / (bid + ask))


class NautilusRun:
    """``seconds`` replays once, engine built anew; ``series`` is what the replay before computed."""

    def __init__(self, replay: Replay, instrument: Instrument, given: Given) -> None:
        self.name = f"NautilusTrader, {given}"
        self._instrument = _instrument(instrument)
        self._data = deltas(replay, self._instrument)
        if given == "one batch a frame":
            ends = np.cumsum(replay.frames["n_events"]).tolist()
            starts = [0, *ends[:-1]]
            self._data = [
                OrderBookDeltas(self._instrument.id, self._data[start:end])
                for start, end in zip(starts, ends, strict=True)
                if end > start
            ]

    def seconds(self) -> float:
        engine = BacktestEngine(
            BacktestEngineConfig(
                trader_id=TraderId("BENCH-001"),
                logging=LoggingConfig(bypass_logging=True),
                risk_engine=RiskEngineConfig(bypass=True),
                run_analysis=False,
            )
        )
        engine.add_venue(
            venue=self._instrument.id.venue,
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            starting_balances=[Money(1_000_000, USDT)],
            book_type=BookType.L2_MBP,
        )
        engine.add_instrument(self._instrument)
        engine.add_data(self._data)
        strategy = Imbalance(self._instrument.id)
        engine.add_strategy(strategy)
        before = time.perf_counter_ns()
        engine.run()
        spent = (time.perf_counter_ns() - before) / 1e9
        self._times, self._values = strategy.times, strategy.values
        engine.dispose()
        return spent

    def series(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Arrival time and imbalance of every callback."""
        return np.array(self._times, np.int64), np.array(self._values)


def deltas(replay: Replay, instrument: CryptoPerpetual) -> list[OrderBookDelta]:
    """One delta for each event: prices and quantities exact, the last of each frame flagged."""
    frames, events = replay.frames, replay.events
    arrivals = np.repeat(frames["ts_recv"], frames["n_events"]).tolist()
    last = np.zeros(len(events), np.bool_)
    last[np.cumsum(frames["n_events"])[frames["n_events"] > 0] - 1] = True
    price_scale, quantity_scale = (Decimal(10) ** -places for places in (instrument.price_precision, instrument.size_precision))
    made = []
    for event, arrival, ends in zip(events.tolist(), arrivals, last.tolist(), strict=True):
        _, ts_event, price, quantity, _, _, _, kind, side = event
        flags = int(RecordFlag.F_LAST) if ends else 0
        if kind == EventKind.BOOK_CLEAR:
            made.append(OrderBookDelta.clear(instrument.id, 0, ts_event, arrival))
            continue
        order = BookOrder(
            OrderSide.BUY if side > 0 else OrderSide.SELL,
            Price.from_str(str(price * price_scale)),
            Quantity.from_str(str(quantity * quantity_scale)),
            0,
        )
        action = BookAction.UPDATE if quantity else BookAction.DELETE
        made.append(OrderBookDelta(instrument.id, action, order, flags, 0, ts_event, arrival))
    return made


def _instrument(instrument: Instrument) -> CryptoPerpetual:
    tick = (
        Decimal(instrument.tick_size).scaleb(-instrument.price_decimals).quantize(Decimal(1).scaleb(-instrument.price_decimals))
    )
    lot = Decimal(instrument.lot_size).scaleb(-instrument.quantity_decimals)
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(instrument.symbol), Venue("BENCH")),
        raw_symbol=Symbol(instrument.symbol),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=instrument.price_decimals,
        size_precision=instrument.quantity_decimals,
        price_increment=Price.from_str(str(tick)),
        size_increment=Quantity.from_str(str(lot)),
        ts_event=0,
        ts_init=0,
        margin_init=Decimal("0.05"),
        margin_maint=Decimal("0.025"),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
    )
