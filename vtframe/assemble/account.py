"""The lanes of a configuration and what they share: order table, ledgers, client order ids, the account's gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vtframe.api import BundleInfo, SessionInfo
from vtframe.assemble.drift import restrained
from vtframe.assemble.parts import LaneParts, Parts
from vtframe.clock import Clock
from vtframe.engine.instrument_table import SessionInstruments
from vtframe.engine.lane import Lane
from vtframe.engine.lane_view import Journal, Market
from vtframe.engine.meters import Meters
from vtframe.engine.newest_rows import NewestRows
from vtframe.engine.rehearsal import Rehearsal, Rehearsals
from vtframe.engine.risk_view import RiskView
from vtframe.execution.client_order_ids import ClientOrderIds
from vtframe.execution.order_table import OrderTable
from vtframe.features.pipeline import Pipeline
from vtframe.inference.drift import DriftRule
from vtframe.journal.scratch import ScratchJournal
from vtframe.portfolio.ledger import Ledger
from vtframe.risk.gate import Gate
from vtframe.risk.restraint import DriftRestraint


class Account:
    """Makes the lanes of one session, each once. ``start`` starts the gates."""

    def __init__(
        self,
        *,
        info: SessionInfo,
        parts: Parts,
        bundles: Mapping[str, BundleInfo],
        rules: list[DriftRule],
        clock: Clock,
        instruments: SessionInstruments,
        pipeline: Pipeline,
        journal: Journal,
        meters: Meters,
    ) -> None:
        """``rules`` are those on drift."""
        self._info = info
        self._parts = parts.lanes
        self._bundles = bundles
        self._rules = rules
        self._journal = journal
        self._meters = meters
        self._orders = OrderTable()
        self._ids = ClientOrderIds(info.session_id)
        self._ledgers = {lane.id: Ledger() for lane in parts.lanes if not lane.table.shadow}
        self._shadows = sum(lane.table.shadow for lane in parts.lanes)
        self._market = Market(
            clock=clock, instruments=instruments, books=pipeline.books, rows=NewestRows(pipeline.ring, pipeline.columns)
        )
        self._gate = Gate(parts.risk, self._risk_view(self._orders, self._ledgers))
        self._gates = [self._gate]
        in_turn = sorted(parts.lanes, key=lambda one: one.table.shadow)  # shadows after those that trade
        self.lanes: dict[str, Lane] = {one.id: self._lane(one) for one in in_turn}
        self._models = {lane.id: lane.table.model for lane in parts.lanes}

    def start(self) -> None:
        """Raises what policies say of their configuration."""
        for gate in self._gates:
            gate.start()

    def lanes_of(self, model: str) -> list[Lane]:
        """Those that trade it, at the beginning."""
        return [lane for name, lane in self.lanes.items() if self._models[name] == model]

    def rehearsals(self) -> Rehearsals | None:
        """Of the lanes that trade at venues and are to be kept warm; None where there are none. Raises JournalError."""
        lanes = [self.lanes[one.id] for one in self._parts if one.execution.live and one.table.keep_warm]
        if not lanes:
            return None
        journal = ScratchJournal(self._info.folder)
        return Rehearsals([Rehearsal(lane, gate=self._gate, market=self._market, journal=journal) for lane in lanes], journal)

    def _risk_view(self, orders: OrderTable, ledgers: Mapping[str, Ledger], lane: str | None = None) -> RiskView:
        return RiskView(market=self._market, orders=orders, ledgers=ledgers, lane=lane)

    def _lane(self, parts: LaneParts) -> Lane:
        table = parts.table
        models = restrained(self._rules)
        restraint = DriftRestraint() if table.model in models or (models and self._shadows) else None
        limits: tuple[Any, ...] = parts.limits if restraint is None else (restraint, *parts.limits)
        gate, orders, ledgers, ids = self._gate, self._orders, self._ledgers, self._ids
        if table.shadow:  # an account of its own
            orders, ledgers = OrderTable(), {parts.id: Ledger()}
            gate = Gate(parts.account, self._risk_view(orders, ledgers))
            ids = ClientOrderIds(f"{self._info.session_id}-s{len(self._gates)}")
            self._gates.append(gate)
        chosen = [self._info.instruments.index(name) for name in table.instruments] or None
        return Lane(
            parts.id,
            parts.strategy,
            parts.execution,
            gate=gate,
            limits=Gate(limits, self._risk_view(orders, ledgers, parts.id)) if limits else None,
            restraint=restraint,
            ledger=ledgers[parts.id],
            orders=orders,
            ids=ids,
            capital=table.capital,
            when_late=table.when_late,
            model=self._bundles.get(table.model),
            market=self._market,
            journal=self._journal,
            meters=None if table.shadow else self._meters,
            shadow=table.shadow,
            instruments=chosen,
        )
