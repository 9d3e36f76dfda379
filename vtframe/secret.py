"""Secrets by reference: ``env:NAME``, ``file:PATH``, ``keyring:NAME``. What they refer to is read late, and never shown.

A configuration is copied into every session's folder, so a secret never stands in one; and since a secret may stand where a
reference should, no message here repeats what was found.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NoReturn

from vtframe.errors import ConfigError, Fault

EXPECTED: Final = 'write "env:NAME" (an environment variable), "file:/PATH" (a file\'s text) or "keyring:NAME"'
SERVICE: Final = "vtframe"  # whose entries of the keyring are read
_REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:[/~].+|keyring:.+)")


class Secret:
    """A text that shows itself to nobody but who asks for it with ``reveal``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


def is_reference(text: str) -> bool:
    """Whether ``text`` refers to a secret, rather than being one."""
    return _REFERENCE.fullmatch(text) is not None


def look_up(reference: str, *, key: str = "") -> Secret:
    """What ``reference`` refers to, without white space around it.

    Raises ConfigError with a Fault for ``key`` where it is no reference, or where nothing is there.
    """

    def fault(problem: str, hint: str) -> ConfigError:
        return ConfigError(Fault(key=key, problem=problem, hint=hint))

    if not is_reference(reference):
        raise fault("is no reference to a secret, and what stands in a configuration is copied into sessions", EXPECTED)
    kind, _, name = reference.partition(":")
    if kind == "env":
        text = os.environ.get(name, "").strip()
        if not text:
            raise fault(f"the environment variable {name} is not set", f"export {name}=...")
    elif kind == "file":
        try:
            text = Path(name).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as e:
            raise fault(f"{name} cannot be read: {getattr(e, 'strerror', None) or 'it is not text'}", "name a file") from None
        if not text:
            raise fault(f"{name} is empty", "put the secret into it")
    else:
        try:
            import keyring  # noqa: PLC0415 - an extra: only who keeps secrets there needs it
        except ImportError:
            raise fault("needs the library keyring, which is not installed", "pip install keyring") from None
        try:
            text = (keyring.get_password(SERVICE, name) or "").strip()
        except Exception as e:  # noqa: BLE001 - a keyring's backends raise what they like
            raise fault(f"the keyring cannot be read: {type(e).__name__}", "unlock it, or use another reference") from None
        if not text:
            raise fault(f"the keyring has no {name!r} of {SERVICE!r}", f"keyring set {SERVICE} {name}")
    return Secret(text)
