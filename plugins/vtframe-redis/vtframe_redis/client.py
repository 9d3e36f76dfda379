"""The client library, imported when something connects. It neither retries nor waits on its own: who calls it decides."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtframe.api import ConfigError, Fault
from vtframe_redis.address import shown

FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 2.0


def connect(address: str, *, timeout_s: float, table: str = "") -> Any:
    """A client for ``address``; nothing is sent yet. Raises ConfigError for options that it does not know."""
    import redis  # noqa: PLC0415 - heavy, and only who shares needs it
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    try:
        return redis.Redis.from_url(
            address, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0), protocol=2
        )
    except (ValueError, TypeError) as e:
        fault = Fault(table=table, key="url", problem=f"{shown(address)}: an option is wrong ({type(e).__name__})")
        raise ConfigError(fault) from None


def unreachable() -> tuple[type[Exception], ...]:
    """What is raised while Redis cannot be reached: worth trying again (a refused password too)."""
    import redis  # noqa: PLC0415

    return (redis.ConnectionError, redis.TimeoutError, OSError)


def refused() -> type[Exception]:
    """What is raised where Redis answers with an error."""
    import redis  # noqa: PLC0415

    return redis.RedisError


class Backoff:
    """Waits that double up to a longest one, each shortened at random, so that clients do not come back all at once."""

    def __init__(self, *, first_s: float = FIRST_WAIT_S, longest_s: float = LONGEST_WAIT_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._random = np.random.default_rng()
        self.failures = 0

    def next_s(self) -> float:
        """How long to wait after one more failure: between half and all of the present wait."""
        wait = min(self._longest_s, self._first_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return float(wait * self._random.uniform(0.5, 1.0))

    def reset(self) -> None:
        self.failures = 0
