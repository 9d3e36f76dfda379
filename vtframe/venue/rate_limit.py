"""Request weight by the minute and orders by ten seconds, as the venue counts them: 429 first, 418 for who goes on."""

from __future__ import annotations

from typing import Any, NamedTuple

from vtframe.venue.refusal import Refusal

_MINUTE_MS, _TEN_MS, _DAY_MS = 60_000, 10_000, 86_400_000


class Limits(NamedTuple):
    """What a market allows. Each market counts by itself; every client of this machine is one address."""

    weight: int  # per minute
    orders: int  # per ten seconds and account
    orders_long: int  # per day (spot) or minute (futures) and account
    patience: int = 10  # requests after the first 429 of a minute; then the address is banned
    ban_s: int = 120


LIMITS = {"spot": Limits(6000, 100, 200_000), "usdm": Limits(2400, 300, 1200), "coinm": Limits(2400, 300, 1200)}


class RateLimiter:
    """One market's counts."""

    def __init__(self, market: str, limits: Limits) -> None:
        self.limits = limits
        self.refused = 0
        self._spot = market == "spot"
        self._long_ms = _DAY_MS if self._spot else _MINUTE_MS
        self._minute = self._used = self._over = 0
        self._banned_until_ms = 0
        self._orders: dict[tuple[str, int], tuple[int, int]] = {}  # by account and interval: window, count

    def spend(self, weight: int, now_ms: int) -> None:
        """Count a request; raises Refusal with Retry-After."""
        if now_ms < self._banned_until_ms:
            raise self._banned(now_ms)
        minute = now_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute, self._used, self._over = minute, 0, 0
        self._used += weight
        if self._used <= self.limits.weight:
            return
        self.refused += 1
        self._over += 1
        if self._over > self.limits.patience:
            self._banned_until_ms = now_ms + self.limits.ban_s * 1000
            raise self._banned(now_ms)
        raise Refusal(
            -1003,
            f"Too many requests; current limit is {self.limits.weight} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
            status=429,
            headers={"Retry-After": str((_MINUTE_MS - now_ms % _MINUTE_MS) // 1000 + 1), **self.weight_headers()},
        )

    def _banned(self, now_ms: int) -> Refusal:
        until = self._banned_until_ms
        return Refusal(
            -1003,
            f"Way too many requests; IP banned until {until}. Please use the websocket for live updates to avoid bans.",
            status=418,
            headers={"Retry-After": str((until - now_ms) // 1000 + 1)},
        )

    def count_order(self, account: str, now_ms: int) -> None:
        """Count a new order; raises Refusal."""
        for interval, limit, words in (
            (_TEN_MS, self.limits.orders, "10 SECOND"),
            (self._long_ms, self.limits.orders_long, "1 DAY" if self._spot else "1 MINUTE"),
        ):
            window, count = self._orders.get((account, interval), (0, 0))
            count = count + 1 if window == now_ms // interval else 1
            self._orders[account, interval] = now_ms // interval, count
            if count > limit:
                self.refused += 1
                retry = (interval - now_ms % interval) // 1000 + 1
                raise Refusal(
                    -1015,
                    f"Too many new orders; current limit is {limit} orders per {words}.",
                    status=429,
                    headers={"Retry-After": str(retry), **self.order_headers(account, now_ms)},
                )

    def weight_headers(self) -> dict[str, str]:
        used = str(self._used)
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used} if self._spot else {"X-MBX-USED-WEIGHT-1M": used}

    def order_headers(self, account: str, now_ms: int) -> dict[str, str]:
        name = "X-MBX-ORDER-COUNT-1D" if self._spot else "X-MBX-ORDER-COUNT-1M"
        return {
            "X-MBX-ORDER-COUNT-10S": str(self._count(account, _TEN_MS, now_ms)),
            name: str(self._count(account, self._long_ms, now_ms)),
        }

    def _count(self, account: str, interval: int, now_ms: int) -> int:
        window, count = self._orders.get((account, interval), (0, 0))
        return count if window == now_ms // interval else 0

    def table(self) -> list[dict[str, Any]]:
        """``rateLimits`` of exchangeInfo."""
        long_interval = "DAY" if self._spot else "MINUTE"
        return [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, self.limits.weight),
            _limit("ORDERS", "SECOND", 10, self.limits.orders),
            _limit("ORDERS", long_interval, 1, self.limits.orders_long),
        ]

    def counts(self, account: str | None, now_ms: int) -> list[dict[str, Any]]:
        """``rateLimits`` of a WebSocket API answer: limits with counts."""
        weight, short, long = self.table()
        found = [{**weight, "count": self._used}]
        if account is not None:
            found.insert(0, {**short, "count": self._count(account, _TEN_MS, now_ms)})
            found.insert(1, {**long, "count": self._count(account, self._long_ms, now_ms)})
        return found


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
