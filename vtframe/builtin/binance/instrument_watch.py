"""Looks at the instruments again while a session runs. What changes is told; that one is not traded takes effect at once, all
else at the next start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from vtframe.builtin.binance.exchange_info import TRADING, ExchangeInfo, InfoError, Listed, differences, read_info
from vtframe.builtin.binance.places import Market
from vtframe.builtin.binance.rest import LARGE, RestClient, RestError


class InstrumentWatch:
    """``changed(where, problem)`` is told of each instrument that is not as it was, ``failed`` of looks that failed.

    ``traded(symbol, status)`` is told of each that is not traded, and when it is again.
    """

    def __init__(
        self,
        market: Market,
        client: RestClient,
        listed: Mapping[str, Listed],
        *,
        every_s: float,
        changed: Callable[[str, str], None],
        traded: Callable[[str, str], None],
        failed: Callable[[str, str], None],
    ) -> None:
        self._market = market
        self._client = client
        self._listed = dict(listed)
        self._every = every_s
        self._changed = changed
        self._traded = traded
        self._halted: set[str] = set()
        self._failed = failed

    async def run(self) -> None:
        """Until it is canceled."""
        market = self._market
        self._look({symbol: one.status for symbol, one in self._listed.items()})
        while True:
            await asyncio.sleep(self._every)
            try:
                body = await self._client.get("exchangeInfo", weight=market.info_weight, most_bytes=LARGE)
                info = await asyncio.to_thread(read_info, market, body, list(self._listed))
            except (RestError, InfoError) as e:
                self._failed("exchangeInfo", f"instruments not refreshed: {e}")
                continue
            for symbol, change in differences(self._listed, info).items():
                self._changed(f"{symbol}@{market.venue}", f"instrument changed: {change}")
            self._listed.update(info.listed)
            self._look(_statuses(self._listed, info))

    def _look(self, statuses: Mapping[str, str]) -> None:
        for symbol, status in statuses.items():
            if (status != TRADING) != (symbol in self._halted):
                self._halted ^= {symbol}
                self._traded(symbol, status)


def _statuses(wanted: Iterable[str], info: ExchangeInfo) -> dict[str, str]:
    """What the venue says of each; of one that cannot be read, nothing."""
    gone = {symbol: "not listed" for symbol in wanted if symbol not in info.listed and symbol not in info.broken}
    return gone | {symbol: one.status for symbol, one in info.listed.items()}
