"""A plain client's book by Binance's rules, of dicts: snapshot, buffered diffs, the chain of update ids."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from venue_process import VenueProcess
from websockets.sync.client import ClientConnection

Levels = dict[Decimal, Decimal]


class BookFollower:
    """Raises AssertionError where the chain breaks."""

    def __init__(self, market: str) -> None:
        self.futures = market != "spot"
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.update_id = 0
        self.applied = 0
        self._synced = False
        self._buffered: list[dict[str, Any]] = []

    def snapshot(self, body: dict[str, Any]) -> None:
        self.bids = {Decimal(price): Decimal(quantity) for price, quantity in body["bids"]}
        self.asks = {Decimal(price): Decimal(quantity) for price, quantity in body["asks"]}
        self.update_id = body["lastUpdateId"]
        self._synced = True
        buffered, self._buffered = self._buffered, []
        for diff in buffered:
            if diff["u"] > self.update_id:
                self.diff(diff)

    def diff(self, diff: dict[str, Any]) -> None:
        if not self._synced:
            self._buffered.append(diff)
            return
        if diff["u"] <= self.update_id:
            return
        if self.applied or not self.futures:
            assert self._follows(diff), (diff["U"], diff.get("pu"), self.update_id)
        for levels, changes in ((self.bids, diff["b"]), (self.asks, diff["a"])):
            for price, quantity in changes:
                if Decimal(quantity):
                    levels[Decimal(price)] = Decimal(quantity)
                else:
                    levels.pop(Decimal(price), None)
        self.update_id = diff["u"]
        self.applied += 1

    def _follows(self, diff: dict[str, Any]) -> bool:
        if self.futures:
            return bool(diff["pu"] == self.update_id)
        return bool(diff["U"] <= self.update_id + 1 <= diff["u"])

    def best(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]


def levels_of(rows: list[list[str]]) -> Levels:
    return {Decimal(price): Decimal(quantity) for price, quantity in rows}


def read(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=10))


def ask(socket: ClientConnection, method: str, params: Any = None, request_id: Any = 1) -> Any:
    """A request on a stream socket, and its answer: stream messages before it are passed over."""
    request = {"method": method, "id": request_id}
    socket.send(json.dumps(request if params is None else {**request, "params": params}))
    while True:
        answer = read(socket)
        if "result" in answer or "error" in answer:
            return answer


def assert_truth(venue: VenueProcess, market: str, symbol: str, follower: BookFollower) -> None:
    """The client's book is the venue's at the same update id."""
    truth = venue.truth(market, symbol, follower.update_id)
    assert truth.status == 200, truth
    assert truth.body["update_id"] == follower.update_id
    assert levels_of(truth.body["bids"]) == follower.bids
    assert levels_of(truth.body["asks"]) == follower.asks
