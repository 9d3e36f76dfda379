"""An account: its keys, what it owns on each market, and who listens to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from vtframe.builtin.binance.execution.hosts import TEST_KEY, TEST_SECRET
from vtframe.errors import InputError
from vtframe.venue.margin import Margin
from vtframe.venue.wallet import Wallet

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class AccountTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[accounts]]: one account. A secret signs with HMAC-SHA256; a public key verifies Ed25519."""

    name: str = "test"
    api_key: str = TEST_KEY
    secret: str = ""
    public_key: str = ""  # PEM
    spot: dict[str, Decimal] = msgspec.field(default_factory=lambda: {"USDT": Decimal(1_000_000), "BTC": Decimal(10)})
    usdm: dict[str, Decimal] = msgspec.field(default_factory=lambda: {"USDT": Decimal(1_000_000)})
    leverage: int = 20


TEST_ACCOUNT = AccountTable(secret=TEST_SECRET)


class Listener(Protocol):
    """Somebody who wants an account's events: called with an event's JSON."""

    def __call__(self, event: str) -> None: ...


class Carry(Protocol):
    """Brings an event to a listener; where the venue's faults come in."""

    def __call__(self, market: str, tell: Callable[[], None], /, *, is_fill: bool) -> None: ...


class Account:
    """One account of the venue."""

    def __init__(self, table: AccountTable, carry: Carry) -> None:
        self._carry = carry
        self.name = table.name
        self.api_key = table.api_key
        self.wallet = Wallet(table.spot)
        self.margin = Margin(table.usdm, leverage=table.leverage)
        self.listeners: dict[str, dict[object, Listener]] = {"spot": {}, "usdm": {}}
        self._secret = table.secret.encode()
        self._public_key = _read_key(table) if table.public_key else None
        if not table.secret and not table.public_key:
            raise InputError(f"account {table.name!r}", "has neither secret nor public_key", "write one of them")

    @property
    def signs_ed25519(self) -> bool:
        """It may log a session on."""
        return self._public_key is not None

    def signed(self, payload: str, signature: str) -> bool:
        """Whether ``signature`` is this account's of ``payload``."""
        if self._public_key is not None and not _is_hex(signature):
            return _verify(self._public_key, payload, signature)
        if not self._secret:
            return False
        expected = hmac.new(self._secret, payload.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())

    def tell(self, market: str, event: str, *, is_fill: bool = False) -> None:
        """An event of this account on ``market``."""
        for listener in list(self.listeners[market].values()):
            self._carry(market, partial(listener, event), is_fill=is_fill)


def _is_hex(signature: str) -> bool:
    return len(signature) == 64 and all(letter in "0123456789abcdefABCDEF" for letter in signature)


def _read_key(table: AccountTable) -> Ed25519PublicKey:
    where = f"account {table.name!r}"
    ed25519, serialization = _cryptography(where)
    try:
        key = serialization.load_pem_public_key(table.public_key.encode())
    except ValueError as e:
        raise InputError(where, f"public_key is no PEM public key: {e}") from None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise InputError(where, "public_key is not an Ed25519 key", "openssl genpkey -algorithm ed25519 makes one")
    public_key: Ed25519PublicKey = key
    return public_key


def _cryptography(where: str) -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra: only Ed25519 keys need it
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ModuleNotFoundError:
        raise InputError(where, "an Ed25519 key needs the package cryptography", "pip install 'vtframe[ed25519]'") from None
    return ed25519, serialization


def _verify(key: Ed25519PublicKey, payload: str, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    try:
        key.verify(base64.b64decode(signature, validate=True), payload.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
