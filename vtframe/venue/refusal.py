"""The venue's errors: numbers and words as Binance has them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Refusal(Exception):  # noqa: N818 - what the venue says, not a fault of ours
    """A request is refused: HTTP status, error code, message, headers."""

    def __init__(self, code: int, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(f"{code} {message}")

    def body(self) -> bytes:
        return msgspec.json.encode({"code": self.code, "msg": self.message})


def missing(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def malformed(name: str, legal: str) -> Refusal:
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def precision(name: str) -> Refusal:
    return Refusal(-1111, f"Parameter '{name}' has too much precision.")


def filter_failure(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")


def unknown_symbol() -> Refusal:
    return Refusal(-1121, "Invalid symbol.")


def rejected(message: str) -> Refusal:
    """A new order that passed every check of form."""
    return Refusal(-2010, message)


def no_funds() -> Refusal:
    return rejected("Account has insufficient balance for requested action.")


def unknown_order() -> Refusal:
    return Refusal(-2011, "Unknown order sent.")


def no_such_order() -> Refusal:
    return Refusal(-2013, "Order does not exist.")
