"""Where Redis is. Secrets come by reference only: an address is never written with its password, nor shown with its user."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from vtframe.api import ConfigError, Fault

_SCHEMES = ("redis", "rediss", "unix")
_EXPECTED = 'expected redis://HOST:PORT/DB, rediss://... (TLS), unix://PATH, "env:NAME" or "file:/PATH"'


def resolve(text: str, *, table: str = "") -> str:
    """The address that ``text`` is or refers to (``env:NAME``: an environment variable, ``file:PATH``: a file's first line).

    Raises ConfigError where there is none, or where ``text`` itself holds a password.
    """

    def fault(problem: str, hint: str) -> ConfigError:
        return ConfigError(Fault(table=table, key="url", problem=problem, hint=hint))

    kind, _, name = text.partition(":")
    if kind == "env":
        address = os.environ.get(name, "").strip()
        if not address:
            raise fault(f"the environment variable {name!r} is not set", "set it to the address of Redis")
    elif kind == "file":
        try:
            address = Path(name).expanduser().read_text(encoding="utf-8").strip().partition("\n")[0]
        except (OSError, UnicodeDecodeError) as e:
            raise fault(
                f"{name}: cannot be read: {getattr(e, 'strerror', None) or e}", "name a file with the address"
            ) from None
    else:
        address = text
    try:
        parts = urlsplit(address)
        usable = parts.scheme in _SCHEMES and bool(parts.path if parts.scheme == "unix" else parts.hostname)
        usable = usable and (parts.scheme == "unix" or parts.port is None or parts.port > 0)
        password = parts.password
    except ValueError:
        usable, password = False, None
    if not usable:  # what was found is not told: it may be a secret in the wrong place
        raise fault(f"{'refers to no' if kind in {'env', 'file'} else 'is no'} address of Redis", _EXPECTED)
    if address is text and (password or "password=" in parts.query):
        raise fault("holds a password, and configurations are copied into sessions", 'put the address into "env:NAME"')
    return address


def shown(address: str) -> str:
    """``address`` as it may be printed: without user, password and options."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"
