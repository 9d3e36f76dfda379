"""Session folders as a run leaves them, made with the real writers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from vtframe.domain import (
    CancelOrder,
    Denied,
    Instrument,
    InstrumentKind,
    LiquiditySide,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderType,
    Side,
    SubmitOrder,
)
from vtframe.engine.meters import AGE, STAGES, Counters, Meters
from vtframe.engine.report import measured
from vtframe.journal import JournalWriter
from vtframe.journal.records import (
    CancelSent,
    Checkpoint,
    IntentFormed,
    LaneFailed,
    OrderApproved,
    OrderDenied,
    OrderReported,
    Record,
    SessionStarted,
    SessionStopped,
)

START = 1_723_161_600_000_000_000
INSTRUMENT = "BTCUSDT@binance"
BITCOIN = Instrument(
    venue="binance",
    symbol="BTCUSDT",
    kind=InstrumentKind.LINEAR,
    base="BTC",
    quote="USDT",
    settlement="USDT",
    price_decimals=1,
    quantity_decimals=3,
    tick_size=1,
    lot_size=1,
    taker_fee=Decimal("0.0004"),
)
QUALITY = {
    "direction": {
        "10": {
            "count": 45_210,
            "labels": {"down": 10_000, "flat": 25_210, "up": 10_000},
            "log_loss": 0.842,
            "brier": 0.51,
            "accuracy": 0.631,
            "macro_f1": 0.528,
            "information_coefficient": 0.213,
            "baseline": {"log_loss": 0.98, "brier": 0.6, "accuracy": 0.558, "macro_f1": 0.239},
            "unlabeled": 3,
            "missed": 0,
            "waiting": 10,
        }
    }
}


def started(session_id: str = "20240809-000000-abc", lanes: tuple[str, ...] = ("main",)) -> SessionStarted:
    return SessionStarted(
        session_id=session_id,
        vtframe_version="0.1.0",
        ts=START,
        config="[feed]\nuse = 'recorded'\n",
        instruments=(msgspec.to_builtins(BITCOIN),),
        lanes=lanes,
        models={"direction": "f" * 64},
        columns=("book_imbalance", "micro_spread"),
        schema_hash="c0ffee",
        fingerprint="numba 0.68",
    )


def trade(
    name: str, side: Side, quantity: int, position: int, *, realized: str = "0", fee: str = "0.024", lane: str = "main"
) -> list[Record]:
    """An intent, its approved order, and its fill."""
    order = SubmitOrder(
        client_order_id=name,
        lane=lane,
        instrument=0,
        side=side,
        order_type=OrderType.MARKET,
        quantity=quantity,
        cause="enter",
        input=100,
        row=50,
    )
    fill = OrderFilled(
        client_order_id=name,
        ts_event=START,
        price=600_000,
        quantity=quantity,
        leaves_quantity=0,
        liquidity_side=LiquiditySide.TAKER,
    )
    return [
        IntentFormed(lane=lane, instrument=INSTRUMENT, input=100, ts=START, target=position, position=0, cause="enter"),
        OrderApproved(order=order, instrument=INSTRUMENT, asked_quantity=quantity),
        OrderReported(
            lane=lane,
            input=101,
            event=fill,
            instrument=INSTRUMENT,
            fee=fee,
            realized=realized,
            currency="USDT",
            position=position,
        ),
    ]


def ended(name: str, event: type[OrderCanceled | OrderRejected], lane: str = "main") -> list[Record]:
    """An approved order that the venue ended without a fill."""
    order = SubmitOrder(
        client_order_id=name, lane=lane, instrument=0, side=Side.BUY, order_type=OrderType.LIMIT, quantity=1, price=1
    )
    records: list[Record] = [OrderApproved(order=order, instrument=INSTRUMENT, asked_quantity=1)]
    if event is OrderCanceled:
        records.append(CancelSent(command=CancelOrder(client_order_id=name, cause="stop")))
    outcome = event(client_order_id=name, ts_event=START, reason="")
    return [*records, OrderReported(lane=lane, input=102, event=outcome, instrument=INSTRUMENT)]


def denied(name: str, policy: str, lane: str = "main") -> Record:
    order = SubmitOrder(
        client_order_id=name, lane=lane, instrument=0, side=Side.BUY, order_type=OrderType.MARKET, quantity=1_000_000
    )
    denial = Denied(client_order_id=name, policy=policy, reason="1,000 over 5")
    return OrderDenied(order=order, instrument=INSTRUMENT, denied=denial)


def checkpoint(number: int = 93_954, *, orders: int = 0, fills: int = 0, intents: int = 0, **more: Any) -> Checkpoint:
    meters = Meters()
    for i, name in enumerate((*STAGES, AGE)):
        for k in range(1000):
            meters.stage(name).add((i + 1) * 1500 + k * k // 10)
    counters = Counters(
        frames=93_954,
        events=1_203_411,
        rows=66_012,
        predictions=65_801,
        late=12,
        orders=orders,
        fills=fills,
        intents=intents,
        resyncs=1,
    )
    counters.unknown_frames["markPriceUpdate"] += 345
    row_log = {"row_log": {"rows": 66_012, "stalls": 0, "lost": 0}, "sinks_failed": {}}
    report = measured(counters, meters, wall_seconds=12.5, quality=QUALITY, hashes={"rows": "aa"}, row_log=row_log)
    return Checkpoint(input=number, ts=START + number, report=report | more)


def busy_session() -> list[Record]:
    """Two round trips, a canceled, a rejected and three denied orders."""
    return [
        started(),
        checkpoint(10),
        *trade("s-1", Side.BUY, 10, 10),
        *trade("s-2", Side.SELL, 10, 0, realized="1.25"),
        denied("s-3", "max_position"),
        denied("s-4", "order_rate"),
        denied("s-5", "max_position"),
        *ended("s-6", OrderCanceled),
        *ended("s-7", OrderRejected),
        *trade("s-8", Side.SELL, 20, -20),
        *trade("s-9", Side.BUY, 15, -5, realized="-0.5"),
        checkpoint(93_954, orders=6, fills=4, intents=4),
        SessionStopped(ts=START, reason="end of data"),
    ]


def failed_lane() -> LaneFailed:
    return LaneFailed(lane="main", input=5, ts=START, problem="on_prediction raised ZeroDivisionError('division by zero')")


def write_session(folder: Path, records: list[Record]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    first = records[0]
    writer = JournalWriter(folder / "journal", session_id=first.session_id if isinstance(first, SessionStarted) else "s")
    for record in records:
        writer.write(record)
    writer.close()
    return folder
