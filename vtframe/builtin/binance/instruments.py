"""The instruments that a session wants, from the venue or from what it said last."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import msgspec

from vtframe.api import Clock, ConfigError, Fault
from vtframe.builtin.binance.exchange_info import TRADING, ExchangeInfo, InfoError, Listed, near, read_info
from vtframe.builtin.binance.instrument_cache import InstrumentCache
from vtframe.builtin.binance.places import Market
from vtframe.builtin.binance.rest import LARGE, RestClient, RestError
from vtframe.builtin.binance.weights import Weights

T = TypeVar("T")
_UNKNOWN_SYMBOL: Final = -1121
_OLDEST_NS: Final = 7 * 86_400_000_000_000  # of what is kept


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Instruments by symbol, in the order asked for, and the weight that may be used in a minute."""

    listed: dict[str, Listed]
    weight_limit: int


def load_instruments(
    market: Market,
    root: str,
    symbols: Sequence[str],
    *,
    weights: Weights,
    cache: InstrumentCache,
    clock: Clock,
    timeout_s: float,
    announce: Callable[[str], None],
) -> Loaded:
    """Ask the venue; where it does not answer, take what it said within the last week. Raises ConfigError."""
    try:
        info = _run(_ask(market, root, symbols, weights, timeout_s))
    except (RestError, InfoError) as e:
        kept = cache.read()
        age = clock.now_ns() - kept.ts if kept is not None else 0
        if kept is None or not set(symbols) <= set(kept.listed) or age > _OLDEST_NS:
            hint = "is the venue up, and url right?"
            raise ConfigError(Fault(key="url", problem=f"no instruments: {e}", hint=hint)) from None
        announce(f"the venue gives no instruments ({e}); using what it said {age / 3.6e12:.1f} hours ago")
        return Loaded(listed={symbol: kept.listed[symbol] for symbol in symbols}, weight_limit=market.weight_limit)
    faults = [fault for symbol in symbols if (fault := _fault(symbol, info)) is not None]
    if faults:
        raise ConfigError(*faults)
    listed = {symbol: info.listed[symbol] for symbol in symbols}
    for symbol, one in listed.items():
        if one.status != TRADING:
            announce(f"{symbol}@{market.venue} is not traded now: its status is {one.status}")
    problem = cache.write(clock.now_ns(), listed)
    if problem:
        announce(f"instruments are not kept: {problem}")
    return Loaded(listed=listed, weight_limit=info.weight_limit or market.weight_limit)


async def _ask(market: Market, root: str, symbols: Sequence[str], weights: Weights, timeout_s: float) -> ExchangeInfo:
    """Only what is wanted where the venue can be asked so; everything where it then says that it does not know a symbol."""
    async with RestClient(root, weights, timeout_s=timeout_s) as client:
        if market.rest.startswith("api/"):
            try:
                wanted = msgspec.json.encode(list(symbols)).decode()
                body = await client.get("exchangeInfo", weight=market.info_weight, most_bytes=LARGE, symbols=wanted)
                return read_info(market, body, symbols)
            except RestError as e:
                if e.code != _UNKNOWN_SYMBOL:
                    raise
        return read_info(market, await client.get("exchangeInfo", weight=market.info_weight, most_bytes=LARGE), symbols)


def _fault(symbol: str, info: ExchangeInfo) -> Fault | None:
    if symbol in info.listed:
        return None
    if symbol in info.broken:
        return Fault(key="instruments", problem=f"{symbol!r} cannot be used: {info.broken[symbol]}")
    hint = near(symbol, (*info.listed, *info.broken))
    return Fault(key="instruments", problem=f"the venue has no instrument {symbol!r}", hint=hint)


def _run(main: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop of its own, whether or not this thread has one that runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main)
    answer: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            answer.append(asyncio.run(main))
        except BaseException as e:  # noqa: BLE001 - raised below
            errors.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return answer[0]
