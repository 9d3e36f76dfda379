"""ccxt's exchanges by id, their symbols, their errors in our words. ccxt is imported here, on first use."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from vtframe.api import ConfigError, Fault

_SECRETS = ("apikey", "secret", "password", "privatekey", "token", "uid", "login", "twofa", "walletaddress")
_SHOWN = 300  # characters of what ccxt says


def exchange_class(name: str) -> Any:
    """ccxt.pro's class. Raises ConfigError where there is none of that id, or no ccxt."""
    try:
        import ccxt.pro  # noqa: PLC0415 - over a second
    except ImportError:
        raise ConfigError(Fault(key="exchange", problem="ccxt is not installed", hint="pip install ccxt")) from None
    if name not in ccxt.pro.exchanges:
        near = difflib.get_close_matches(name, ccxt.pro.exchanges, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {len(ccxt.pro.exchanges)}, among them binance and kraken"
        raise ConfigError(Fault(key="exchange", problem=f"ccxt streams nothing of {name!r}", hint=hint))
    return _guarded(getattr(ccxt.pro, name))


def _guarded(cls: Any) -> Any:
    """The class, with connections that end where ccxt cannot handle a message. Otherwise its loop over the socket would stop,
    with the socket open and nobody told."""
    import ccxt  # noqa: PLC0415 - heavy

    class Guarded(cls):  # type: ignore[misc, valid-type]
        def client(self, url: str) -> Any:
            client = super().client(url)
            if not hasattr(client, "_unguarded"):
                client._unguarded = client.handle_message  # noqa: SLF001 - the mark of a guarded one

                def handle(message: Any) -> None:
                    try:
                        client._unguarded(message)  # noqa: SLF001
                    except Exception as e:  # noqa: BLE001 - whatever it is, what was said is lost
                        client.on_error(ccxt.NetworkError(f"a message that ccxt cannot handle: {type(e).__name__}: {e}"))

                client.handle_message = handle
            return client

    Guarded.__name__ = cls.__name__
    return Guarded


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises ConfigError for keys of an account: public data needs none, and configurations are copied into sessions."""
    found = [key for key in settings if key.lower() in _SECRETS]
    if found:
        problem = f"settings have {found[0]!r}, and this feed needs no account"
        raise ConfigError(Fault(key="settings", problem=problem, hint="leave it out"))


def symbols_in(markets: Mapping[str, Any], symbols: Sequence[str]) -> Sequence[str]:
    """The symbols. Raises ConfigError for one that the venue does not have, and for one that is not traded."""
    for symbol in symbols:
        if symbol not in markets:
            near = difflib.get_close_matches(symbol, list(markets), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "symbols are in ccxt's words, like BTC/USDT or BTC/USDT:USDT"
            raise ConfigError(Fault(key="symbols", problem=f"there is no market {symbol!r}", hint=hint))
        if markets[symbol].get("active") is False:
            raise ConfigError(Fault(key="symbols", problem=f"{symbol} is not traded now", hint="leave it out"))
    return symbols


def shown(error: BaseException) -> str:
    """What ccxt says, on one line and not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {text[:_SHOWN]}"
