"""What a venue is started with: the command line's options and the TOML file's keys."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vtframe import errors
from vtframe.errors import ConfigError, InputError
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
    """The file's settings with those of the command line in their place; raises InputError or ConfigError."""
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(path.read_text())
        except OSError as e:
            raise InputError(str(path), f"cannot be read: {e.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise InputError(str(path), f"not valid TOML: {e}") from None
    if "faults" in given:
        given = {**given, "faults": [*table.get("faults", []), *map(fault_table, given["faults"])]}
    try:
        return msgspec.convert({**table, **given}, Settings, strict=False)
    except msgspec.ValidationError as e:
        raise ConfigError(errors.Fault(file=str(path or "command line"), problem=str(e))) from None
