"""The venue's errors: numbers and words as Binance has them."""

from __future__ import annotations

import msgspec


class Refusal(Exception):  # noqa: N818 - what the venue says, not a fault of ours
    """A request is refused: HTTP status, error code, message."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(f"{code} {message}")

    def body(self) -> bytes:
        return msgspec.json.encode({"code": self.code, "msg": self.message})


def missing(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def malformed(name: str, legal: str) -> Refusal:
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def unknown_symbol() -> Refusal:
    return Refusal(-1121, "Invalid symbol.")
