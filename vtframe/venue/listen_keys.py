"""Futures listen keys: one for an account, good for an hour, kept alive by request."""

from __future__ import annotations

import hashlib
from functools import partial

import msgspec

from vtframe.venue.account import Account
from vtframe.venue.asked import Asked
from vtframe.venue.fault import USER_DATA
from vtframe.venue.hub import Hub
from vtframe.venue.refusal import Refusal

_LIFE_MS = 3_600_000


class ListenKeys:
    """Keys of one market. A stream by a key's name carries its account's events."""

    def __init__(self, market: str, hub: Hub, seed: int) -> None:
        self._market = market
        self._hub = hub
        self._seed = seed
        self._made = 0
        self._keys: dict[str, Account] = {}  # by account's name
        self._names: dict[str, tuple[str, int]] = {}  # by account's name: key, end in ms

    def start(self, account: Account, now_ms: int) -> str:
        """The account's key, made or kept alive."""
        if account.name not in self._names:
            self._made += 1
            text = f"{self._seed}/{account.name}/{self._made}"
            key = hashlib.sha256(text.encode()).hexdigest()
            self._names[account.name] = key, now_ms + _LIFE_MS
            self._keys[key] = account
            account.listeners[self._market][key] = partial(self._hub.publish, self._market, key, name=USER_DATA)
            return key
        return self.keep(account, now_ms)

    def keep(self, account: Account, now_ms: int) -> str:
        if account.name not in self._names:
            raise Refusal(-1125, "This listenKey does not exist.")
        key = self._names[account.name][0]
        self._names[account.name] = key, now_ms + _LIFE_MS
        return key

    def close(self, account: Account) -> None:
        if account.name not in self._names:
            raise Refusal(-1125, "This listenKey does not exist.")
        key, _ = self._names.pop(account.name)
        del self._keys[key]
        account.listeners[self._market].pop(key, None)

    def expire(self, now_ms: int) -> None:
        """End what nobody kept alive, and say so."""
        for name, (key, end) in list(self._names.items()):
            if now_ms >= end:
                self._hub.publish(
                    self._market,
                    key,
                    msgspec.json.encode({"e": "listenKeyExpired", "E": now_ms, "listenKey": key}).decode(),
                    name=USER_DATA,
                )
                self.close(self._keys[key])
                self._names.pop(name, None)

    def knows(self, key: str) -> bool:
        return key in self._keys


def start_key(asked: Asked) -> object:
    return {"listenKey": _keys(asked).start(asked.owner, asked.venue.own_ms())}


def keep_key(asked: Asked) -> object:
    return {"listenKey": _keys(asked).keep(asked.owner, asked.venue.own_ms())}


def close_key(asked: Asked) -> object:
    _keys(asked).close(asked.owner)
    return {}


def gone(_: Asked) -> object:
    """Spot's listen keys are no more."""
    raise Refusal(-1104, "Listen keys are gone: subscribe with userDataStream.subscribe over the WebSocket API.", status=410)


def _keys(asked: Asked) -> ListenKeys:
    return asked.venue.listen_keys[asked.market]
