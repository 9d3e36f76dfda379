"""A request, wherever it came from, and the operations that answer it: REST and the WebSocket API share them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from vtframe.venue.account import Account
from vtframe.venue.place import Place
from vtframe.venue.refusal import Refusal, missing, unknown_symbol

if TYPE_CHECKING:
    from vtframe.venue.venue import Venue


class Security(Enum):
    """What a request must show."""

    NONE = 0
    KEY = 1
    SIGNED = 2


class Asked(NamedTuple):
    """A request, as far as its answer depends on it."""

    venue: Venue
    market: str
    parameters: Mapping[str, str]
    account: Account | None = None

    @property
    def owner(self) -> Account:
        """The account of a request that had to show its key."""
        if self.account is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return self.account

    @property
    def place(self) -> Place:
        """The instrument that the request names; raises Refusal."""
        symbol = self.parameters.get("symbol", "")
        if not symbol:
            raise missing("symbol")
        place = self.venue.places.get((self.market, symbol))
        if place is None:
            raise unknown_symbol()
        return place

    @property
    def now_ms(self) -> int:
        """As the venue tells it."""
        return self.venue.server_ms()


class Operation(NamedTuple):
    """What answers, what it weighs, and who may ask."""

    answer: Callable[[Asked], Any]
    weight: int | Callable[[Asked], int] = 1
    security: Security = Security.SIGNED
    is_order: bool = False  # it counts against the limit on new orders

    @property
    def name(self) -> str:
        """Of what answers: faults call it so."""
        return self.answer.__name__.lstrip("_")

    def weigh(self, asked: Asked) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(asked)
