"""The adapter `binance`: a lane's orders on Binance spot or USD-M, on a testnet, or on a venue that speaks their protocols."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from vtframe.api import ApprovedOrder, ConfigError, ExecutionAdapter, ExecutionContext, Fault, VtframeError
from vtframe.builtin.binance.execution.account import Account, read_account
from vtframe.builtin.binance.execution.account_lock import AccountLock
from vtframe.builtin.binance.execution.codes import VenueError
from vtframe.builtin.binance.execution.hosts import TEST_KEY, TEST_SECRET, Market, hosts_of, is_on_this_machine
from vtframe.builtin.binance.execution.link import Link
from vtframe.builtin.binance.execution.signer import Signer
from vtframe.builtin.binance.execution.timing import Timing
from vtframe.builtin.binance.known import SPOT, USDM
from vtframe.domain import CancelOrder, Instrument
from vtframe.secret import EXPECTED, Secret, is_reference, look_up
from vtframe.transport import Library, TransportError

_VENUES: dict[Market, str] = {"spot": SPOT, "usdm": USDM}
_log = logging.getLogger("vtframe.execution")


class VenueUnavailableError(VtframeError):
    """A venue cannot be traded on: ``where`` names it, ``problem`` says why."""

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"{where}: {problem}")


class BinanceAdapter(ExecutionAdapter):
    """Orders over the WebSocket API, their ends over user data. What it promises is in docs/execution.md."""

    name: ClassVar[str] = "binance"
    guarantee: ClassVar[Literal["exactly_once", "at_most_once"]] = "exactly_once"
    live: ClassVar[bool] = True

    market: Market
    url: str  # "testnet", "live", "embedded", or the http://127.0.0.1:PORT of a venue on this machine
    key: str = ""  # the API key, by reference; an embedded venue has an account of its own for those who name none
    secret: str = ""  # an HMAC secret or an Ed25519 private key (PEM), by reference
    real_money: bool = False  # must be true for url = "live"
    recv_window_ms: Annotated[int, Meta(ge=1, le=60_000)] = 5_000  # for so long may an order be on its way
    ack_timeout_ms: Annotated[int, Meta(ge=10, le=60_000)] = 1_000  # then it is UNKNOWN, and asked for
    ready_timeout_s: Annotated[float, Meta(ge=1, le=600)] = 20.0  # to log on at the start
    stop_timeout_s: Annotated[float, Meta(ge=0, le=600)] = 10.0  # to hear what became of orders at the end
    renew_s: Annotated[float, Meta(gt=0, le=86_400)] = 82_800.0  # a connection is replaced before it is so old
    existing: Literal["refuse", "ignore"] = "refuse"  # open orders and positions that are not this session's
    transport: Library = "websockets"

    def check(self, instruments: Sequence[Instrument]) -> Sequence[Fault]:
        faults = []
        try:
            hosts_of(self.url, self.market)
        except ValueError as e:
            faults.append(Fault(key="url", problem=f"found something else; {e}"))
        if self.url == "live" and not self.real_money:
            problem = 'url = "live" sends orders with real money, which must be asked for'
            faults.append(Fault(key="url", problem=problem, hint='write real_money = true beside it, or url = "testnet"'))
        if self.real_money and self.url != "live":
            faults.append(Fault(key="real_money", problem='found true, and url is not "live"', hint="leave it out"))
        if self._own_account:
            return [*faults, *self._elsewhere(instruments)]
        references = {key: reference for key in ("key", "secret") if not is_reference(reference := getattr(self, key))}
        for key in references:  # what was found is not told: it may be the secret
            problem = "is no reference to a secret, and what stands in a configuration is copied into sessions"
            faults.append(Fault(key=key, problem=problem, hint=EXPECTED))
        if not references:
            faults += self._unreadable()
        faults += self._elsewhere(instruments)
        return faults

    @property
    def _own_account(self) -> bool:
        """Whether it is that of every embedded venue."""
        return not self.key and not self.secret and is_on_this_machine(self.url)

    def _elsewhere(self, instruments: Sequence[Instrument]) -> list[Fault]:
        """What the lane acts on and the account cannot hold."""
        venue = _VENUES[self.market]
        others = [one.instrument_id for one in instruments if one.venue != venue]
        if others:
            problem = f"the lane acts on {', '.join(others[:5])}, and this is an account of {venue}"
            return [Fault(key="market", problem=problem, hint="limit the lane with instruments = [...]")]
        return []

    def account(self) -> str:
        return f"binance {self.market} {self.url} {self.key}"

    def start(self, context: ExecutionContext) -> None:
        faults = [fault for fault in self.check(()) if fault.key != "market"]
        if faults:
            raise ConfigError(*faults)
        traded = {index: context.instruments[index] for index in context.traded}
        self._where = f"binance {self.market} at {self.url}"
        self._symbols = tuple(instrument.symbol for instrument in traded.values())
        if self._own_account:
            self._signer = Signer(Secret(TEST_KEY), Secret(TEST_SECRET))
        else:
            self._signer = Signer(look_up(self.key, key="key"), look_up(self.secret, key="secret"))
        self.holdings: Account | None = None
        self._lock = AccountLock(f"{self.market} {self.url} {self._signer.key}")
        self._link = Link(
            self.market,
            hosts_of(self.url, self.market),
            signer=self._signer,
            instruments=traded,
            timing=Timing(
                recv_window_ms=self.recv_window_ms,
                ack_timeout_ms=self.ack_timeout_ms,
                stop_timeout_s=self.stop_timeout_s,
                renew_s=self.renew_s,
            ),
            library=self.transport,
            emit=context.sink.on_order_event,
            entries=context.sink.on_entries,
        )

    def report(self) -> Mapping[str, Any]:
        return self._link.report()

    async def open(self) -> None:
        self._lock.take()
        try:
            async with asyncio.timeout(self.ready_timeout_s):
                await self._link.open()
                self.holdings = await read_account(self._link.rest, self.market, self._symbols)
        except TimeoutError:
            raise VenueUnavailableError(self._where, f"was not ready within {self.ready_timeout_s:g} s") from None
        except (TransportError, VenueError) as e:
            raise VenueUnavailableError(self._where, f"cannot be traded on: {self._signer.scrubbed(str(e))}") from None
        if problems := self.holdings.problems(existing=self.existing):
            raise VenueUnavailableError(self._where, "; and ".join(problems))
        _log.info(
            "%s is ready",
            self._where,
            extra={
                "balances": {asset: f"{held:f}" for asset, held in self.holdings.balances.items()},
                "positions": {symbol: f"{held:f}" for symbol, held in self.holdings.positions.items()},
            },
        )

    def submit(self, order: ApprovedOrder) -> None:
        self._link.submit(order.command)

    def rehearse(self, order: ApprovedOrder) -> None:
        self._link.rehearse(order.command)

    def cancel(self, command: CancelOrder) -> None:
        self._link.cancel(command.client_order_id)

    async def close(self) -> None:
        try:
            await self._link.close()
        finally:
            self._lock.release()
        _log.info("%s is closed", self._where, extra=self._link.report())

    def _unreadable(self) -> list[Fault]:
        """What is wrong with the secrets, if they cannot be used."""
        try:
            Signer(look_up(self.key, key="key"), look_up(self.secret, key="secret"))
        except ConfigError as e:
            return list(e.faults)
        return []
