"""Looks at the instruments again while a session runs: what changes is told, and takes effect at the next start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from vtframe.builtin.binance.exchange_info import InfoError, Listed, differences, read_info
from vtframe.builtin.binance.places import Market
from vtframe.builtin.binance.rest import LARGE, RestClient, RestError


class InstrumentWatch:
    """``changed(where, problem)`` is told of each instrument that is not as it was, ``failed`` of looks that failed."""

    def __init__(
        self,
        market: Market,
        client: RestClient,
        listed: Mapping[str, Listed],
        *,
        every_s: float,
        changed: Callable[[str, str], None],
        failed: Callable[[str, str], None],
    ) -> None:
        self._market = market
        self._client = client
        self._listed = dict(listed)
        self._every = every_s
        self._changed = changed
        self._failed = failed

    async def run(self) -> None:
        """Until it is canceled."""
        market = self._market
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
