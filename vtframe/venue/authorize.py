"""Who asks, and may they: API keys, signatures, and the window of time in which a request is good."""

from __future__ import annotations

from collections.abc import Mapping

from vtframe.venue.account import Account
from vtframe.venue.refusal import Refusal, malformed, missing

_WINDOW_MS = 5000
_LONGEST_MS = 60_000
_AHEAD_MS = 1000
_MICROSECONDS = 10**14  # a timestamp from here on is in microseconds


def known_account(accounts: Mapping[str, Account], api_key: str) -> Account:
    """The account of an API key; raises Refusal."""
    if not api_key:
        raise Refusal(-2014, "API-key format invalid.", status=401)
    account = accounts.get(api_key)
    if account is None:
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
    return account


def check_time(parameters: Mapping[str, str], now_ms: int) -> None:
    """Raises Refusal where the request is too old, or ahead of the venue's time."""
    timestamp = _number(parameters, "timestamp")
    if timestamp is None:
        raise missing("timestamp")
    window = _number(parameters, "recvWindow")
    window = _WINDOW_MS if window is None else window
    if window > _LONGEST_MS:
        raise Refusal(-1131, "recvWindow must be less than 60000.")
    ms = timestamp // 1000 if timestamp >= _MICROSECONDS else timestamp
    if ms >= now_ms + _AHEAD_MS:
        raise Refusal(-1021, f"Timestamp for this request was {_AHEAD_MS}ms ahead of the server's time.")
    if now_ms - ms > window:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def check_signature(account: Account, payload: str, signature: str) -> None:
    """Raises Refusal where ``signature`` is missing or not the account's."""
    if not signature:
        raise missing("signature")
    if not account.signed(payload, signature):
        raise Refusal(-1022, "Signature for this request is not valid.")


def unsigned_part(text: str) -> str:
    """A query string or form body as it was signed: without its signature."""
    return "&".join(part for part in text.split("&") if part and not part.startswith("signature="))


def sorted_payload(parameters: Mapping[str, str]) -> str:
    """What a WebSocket API request signs: its parameters by name."""
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters) if name != "signature")


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name, "")
    if not text:
        return None
    whole, _, part = text.partition(".")
    if not whole.isascii() or not whole.isdigit() or len(whole) > 17 or (part and not part.isdigit()):
        raise malformed(name, "^[0-9]{1,17}$")
    return int(whole)
