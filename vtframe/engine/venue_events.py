"""What venues say, as inputs of the engine: numbered and journalled before anything follows from them, live and replayed."""

from __future__ import annotations

from vtframe.domain import OrderEvent
from vtframe.engine.engine import Engine
from vtframe.engine.lane import Lane
from vtframe.journal.records import EntriesChanged, OrderEventArrived


def take_order_event(engine: Engine, lane: Lane, event: OrderEvent) -> None:
    """A venue on one of the lane's orders."""
    number, ts = engine.begin_input()
    engine.journal.write(OrderEventArrived(number=number, ts=ts, lane=lane.lane_id, event=event))
    lane.on_venue_event(event, number)


def take_entries(engine: Engine, lane: Lane, *, allowed: bool, reason: str) -> None:
    """A lane's venue takes entries from here on, or does not any more."""
    number, ts = engine.begin_input()
    engine.journal.write(EntriesChanged(number=number, ts=ts, lane=lane.lane_id, allowed=allowed, reason=reason))
    lane.on_entries(allowed=allowed, reason=reason)
