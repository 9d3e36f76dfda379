"""What an operator may ask of a running session, and how it is written on the wire: one JSON object a line."""

from __future__ import annotations

import msgspec


class Status(msgspec.Struct, frozen=True, kw_only=True, tag_field="command", tag="status", forbid_unknown_fields=True):
    """Where the session stands, and which version of each model answers."""


class Swap(msgspec.Struct, frozen=True, kw_only=True, tag_field="command", tag="swap", forbid_unknown_fields=True):
    """Let another bundle answer for a model."""

    model: str
    bundle: str  # folder, absolute


class RollBack(msgspec.Struct, frozen=True, kw_only=True, tag_field="command", tag="rollback", forbid_unknown_fields=True):
    """Undo the newest change of a model."""

    model: str


class Promote(msgspec.Struct, frozen=True, kw_only=True, tag_field="command", tag="promote", forbid_unknown_fields=True):
    """Let a trading lane and a shadow lane exchange their models."""

    shadow: str
    lane: str = ""  # may be left out where only one lane trades


Command = Status | Swap | Promote | RollBack
