"""Keys come by reference only, and are never printed, journaled or shown: no message here has one in it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from vtframe.api import ConfigError, Fault

_KEY = re.compile(r"vq_(?:live|test)_[\x21-\x7e]{1,200}")  # no space: a header ends with one line
_EXPECTED = 'write "env:NAME" or "file:PATH", and put the key there'
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def check_reference(text: str, *, table: str = "") -> None:
    """Raises ConfigError where ``text`` is no reference (it may be the key itself, and so is not told)."""
    if text.partition(":")[0] not in {"env", "file"}:
        raise ConfigError(Fault(table=table, key="key", problem="is no reference to a key", hint=_EXPECTED))


def resolve(text: str) -> str:
    """The key that ``text`` refers to. Raises ConfigError where there is none, or what is there is no key."""
    check_reference(text)
    kind, _, name = text.partition(":")
    if kind == "env":
        key = os.environ.get(name, "").strip()
        if not key:
            raise ConfigError(
                Fault(key="key", problem=f"the environment variable {name!r} is not set", hint="set it to the key")
            )
    else:
        try:
            key = Path(name).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as e:
            problem = f"{name}: cannot be read: {getattr(e, 'strerror', None) or 'it is no text'}"
            raise ConfigError(Fault(key="key", problem=problem, hint="name a file with the key")) from None
    if not _KEY.fullmatch(key):
        problem = f"{text!r} refers to something that is no key of the market data API"
        raise ConfigError(Fault(key="key", problem=problem, hint="expected vq_live_... or vq_test_... on one line"))
    return key


def check_url(url: str, *, secret: bool) -> None:
    """Raises ConfigError for what is no WebSocket address, and for one that would carry a key in the open."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        user = parts.username
    except ValueError:
        usable, user = False, None
    if not usable or user:
        raise ConfigError(Fault(key="url", problem="is no WebSocket address", hint="expected wss://HOST/PATH"))
    if secret and parts.scheme == "ws" and parts.hostname not in _LOOPBACK:
        raise ConfigError(Fault(key="url", problem="would send the key unencrypted", hint="use wss://, or no key"))
