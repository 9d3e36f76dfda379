"""What a venue is started with: the command line's options and the TOML file's keys."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vtframe import errors
from vtframe.config import Document, Place, decode_part, in_order, read_document
from vtframe.config.decode import decode_fields
from vtframe.errors import ConfigError
from vtframe.venue.account import TEST_ACCOUNT, AccountTable
from vtframe.venue.fault import Fault, fault_table
from vtframe.venue.listing import DEFAULT


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One venue."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 7
    regime: Literal["busy", "calm"] = "busy"
    speed: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    virtual: bool = False  # the clock moves only when the control endpoint is told so
    pace_ms: Annotated[float, Meta(gt=0, le=1000)] = 2.0  # how often the market is looked at
    instruments: tuple[str, ...] = DEFAULT
    load: Annotated[int, Meta(ge=0)] | None = None  # messages a second; 0: as fast as clients read
    load_frames: Annotated[int, Meta(ge=100, le=2_000_000)] = 60_000  # made beforehand, then sent over and over
    recordings: tuple[str, ...] = ()  # files, in order: the market is theirs instead of a simulation
    trade_routes: tuple[Literal["public", "market"], ...] = ("market",)
    ping_s: Annotated[float, Meta(gt=0)] = 20.0
    pong_s: Annotated[float, Meta(gt=0)] = 60.0  # a client that has not answered a ping for so long is dropped
    connection_hours: Annotated[float, Meta(gt=0)] = 24.0  # then the venue closes it
    faults: tuple[Fault, ...] = ()
    accounts: tuple[AccountTable, ...] = (TEST_ACCOUNT,)
    parent: int | None = None  # a process that the venue belongs to, and leaves with
    buffer_bytes: Annotated[int, Meta(ge=65536)] = 8 * 1024 * 1024  # what a client may leave unread


def read_settings(path: Path | None, given: dict[str, Any]) -> Settings:
    """The file's settings with those of the command line in their place; raises InputError, or ConfigError with every fault."""
    values: dict[str, Any] = {}
    found: list[errors.Fault] = []
    if path is not None:
        document = read_document(path)
        values, found = decode_fields(Settings, document.data, document.root)
    wishes = {key: value for key, value in given.items() if key != "faults"}
    told, wrong = decode_fields(Settings, _typed(Settings, wishes), _command_line(wishes))
    added, unfit = _faults([fault_table(words) for words in given.get("faults", ())])
    found = [*in_order(found), *wrong, *unfit]
    if found:
        raise ConfigError(*found)
    return Settings(**{**values, **told, "faults": (*values.get("faults", ()), *added)})


def _faults(tables: list[dict[str, str]]) -> tuple[list[Fault], list[errors.Fault]]:
    """Those of the command line."""
    found: list[Fault] = []
    unfit: list[errors.Fault] = []
    for number, table in enumerate(tables, start=1):
        typed = _typed(Fault, table)
        fault, wrong = decode_part(Fault, typed, _command_line(typed))
        found += [fault] if fault is not None else []
        unfit += [msgspec.structs.replace(one, table=f"--fault {number}") for one in wrong]
    return found, unfit


def _command_line(given: dict[str, Any]) -> Place:
    """Where there are no lines."""
    return Document(Path("command line"), "", overrides=given).root


def _typed(cls: type[msgspec.Struct], texts: dict[str, Any]) -> dict[str, Any]:
    """Words of a command line as what their fields take; as they are where they cannot be that."""
    types = {field.encode_name: field.type for field in msgspec.structs.fields(cls)}
    found = {}
    for key, text in texts.items():
        found[key] = text
        with suppress(msgspec.ValidationError):
            found[key] = msgspec.convert(text, types.get(key, Any), strict=False)
    return found
