"""``python -m vtframe.venue '{"port": 0}'``: settings as one JSON object; prints one JSON line with the URLs when ready.

``vtframe venue`` starts it so, and a session that brings its own venue. ``config`` names a TOML file with more settings, such
as accounts: what is secret stands in no process list.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from vtframe.errors import InputError, VtframeError
from vtframe.venue.serve import serve
from vtframe.venue.settings import read_settings


def main(arguments: list[str]) -> NoReturn:
    """Serve, and leave by SystemExit; what goes wrong is one message."""
    try:
        given = _decode(arguments)
        path = given.pop("config", None)
        serve(read_settings(Path(path) if path is not None else None, given), ready=_say)
    except VtframeError as e:
        sys.stderr.write(f"vtframe venue: {e}\n")
        raise SystemExit(e.exit_code) from None
    raise SystemExit(0)


def _decode(arguments: list[str]) -> dict[str, Any]:
    try:
        return msgspec.json.decode(arguments[0] if arguments else "{}", type=dict[str, Any])
    except msgspec.DecodeError as e:
        raise InputError("settings", f"not a JSON object: {e}", """write '{"port": 0}'""") from None


def _say(urls: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(urls).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
