"""The sidecar ``FILE.toml``: what a recording's lines do not say of themselves. Every fault in one is reported at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args

import msgspec
import tomli_w

from vtframe.domain import Instrument, InstrumentKind, SequenceRule, decimals, to_decimal
from vtframe.errors import ConfigError, Fault, RecordingError, nearest
from vtframe.wire.time_unit import TimeUnit

SIDECAR_VERSION = 1

_NUMBERS = ("tick_size", "lot_size", "multiplier", "minimum_notional", "maker_fee", "taker_fee")
_WORDS = ("venue", "symbol", "kind", "base", "quote", "settlement")
_OPTIONAL = {"multiplier": Decimal(1), "minimum_notional": Decimal(0), "maker_fee": Decimal(0), "taker_fee": Decimal(0)}


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """What one recording is. ``lines`` and ``snapshots`` are -1 where nobody counted them."""

    codec: str  # empty where its feed decoded by itself; then ``rules`` has one for each instrument
    time_unit: TimeUnit
    instruments: tuple[Instrument, ...]
    connections: tuple[str, ...] = ()  # where it was received from, in words
    after: str = ""  # the file that this one continues; it has no snapshot of its own
    lines: int = -1
    snapshots: int = -1
    made_by: str = ""  # the vtframe version that wrote it
    codec_settings: dict[str, Any] = {}
    rules: tuple[SequenceRule, ...] = ()  # of update ids

    @property
    def venue(self) -> str:
        """The venue, or the venues joined by commas."""
        return ", ".join(dict.fromkeys(instrument.venue for instrument in self.instruments))


def sidecar_path(recording: Path) -> Path:
    """Where the sidecar of ``recording`` is looked for."""
    return recording.with_name(recording.name + ".toml")


def load_sidecar(path: Path) -> Sidecar:
    """Read and validate one. Raises ConfigError with every fault found."""
    file = str(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(Fault(file=file, problem=f"cannot be read: {e.strerror or e}")) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(Fault(file=file, problem=f"not TOML: {e}")) from None
    version = raw.get("format_version")
    if type(version) is not int or version != SIDECAR_VERSION:
        problem = f"found {version!r}, this vtframe reads version {SIDECAR_VERSION}"
        raise ConfigError(Fault(file=file, key="format_version", problem=problem))
    faults: list[Fault] = []
    known = {
        "format_version",
        "venue",
        "codec",
        "time_unit",
        "connections",
        "after",
        "lines",
        "snapshots",
        "made_by",
        "codec_settings",
        "sequence_rules",
        "instruments",
    }
    _refuse_unknown(raw, known, file, "", faults)
    rules = _rules(raw, file, faults)
    codec = _word(raw, "codec", file, "", faults, default="" if rules else None)
    settings = raw.get("codec_settings", {})
    if not isinstance(settings, dict):
        faults.append(Fault(file=file, key="codec_settings", problem=f"found {settings!r}, expected a table"))
    unit = _word(raw, "time_unit", file, "", faults)
    if unit and unit not in get_args(TimeUnit):
        problem = f"found {unit!r}, expected one of {', '.join(get_args(TimeUnit))}"
        faults.append(Fault(file=file, key="time_unit", problem=problem))
    made_by = _word(raw, "made_by", file, "", faults, default="")
    after = _word(raw, "after", file, "", faults, default="")
    counts = {}
    for key in ("lines", "snapshots"):
        counts[key] = raw.get(key, -1)
        if type(counts[key]) is not int:
            faults.append(Fault(file=file, key=key, problem=f"found {counts[key]!r}, expected a whole number"))
    connections = raw.get("connections", [])
    if not (isinstance(connections, list) and all(isinstance(name, str) for name in connections)):
        faults.append(Fault(file=file, key="connections", problem=f"found {connections!r}, expected an array of strings"))
    instruments = _instruments(raw.get("instruments"), file, faults)
    if rules and not faults and len(rules) != len(instruments):
        problem = f"found {len(rules)}, expected one for each of {len(instruments)} instruments"
        faults.append(Fault(file=file, key="sequence_rules", problem=problem))
    venue = _word(raw, "venue", file, "", faults, default="")
    venues = ", ".join(dict.fromkeys(instrument.venue for instrument in instruments))
    if venue and not faults and venue != venues:
        faults.append(Fault(file=file, key="venue", problem=f"found {venue!r}, but the instruments are of {venues!r}"))
    if faults:
        raise ConfigError(*faults)
    return Sidecar(
        codec=codec,
        time_unit=unit,  # type: ignore[arg-type]  # checked above
        instruments=tuple(instruments),
        connections=tuple(connections),
        after=after,
        lines=counts["lines"],
        snapshots=counts["snapshots"],
        made_by=made_by,
        codec_settings=settings,
        rules=rules,
    )


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write ``sidecar`` to ``path`` whole or not at all. Raises RecordingError where the folder cannot be written."""
    table: dict[str, Any] = {
        "format_version": SIDECAR_VERSION,
        "venue": sidecar.venue,
        **({"codec": sidecar.codec} if sidecar.codec else {}),
        "time_unit": sidecar.time_unit,
    }
    if sidecar.rules:
        table["sequence_rules"] = [rule.name.lower() for rule in sidecar.rules]
    if sidecar.connections:
        table["connections"] = list(sidecar.connections)
    if sidecar.after:
        table["after"] = sidecar.after
    for key in ("lines", "snapshots"):
        if getattr(sidecar, key) >= 0:
            table[key] = getattr(sidecar, key)
    table["made_by"] = sidecar.made_by
    if settings := {key: value for key, value in sidecar.codec_settings.items() if value is not None}:
        table["codec_settings"] = settings
    table["instruments"] = [_as_table(instrument) for instrument in sidecar.instruments]
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(tomli_w.dumps(table).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as e:
        temporary.unlink(missing_ok=True)
        raise RecordingError(str(path), f"cannot be written: {e.strerror or e}") from None


def _as_table(instrument: Instrument) -> dict[str, Any]:
    table: dict[str, Any] = {key: getattr(instrument, key) for key in _WORDS}
    table["kind"] = instrument.kind.value
    table["price_decimals"] = instrument.price_decimals
    table["quantity_decimals"] = instrument.quantity_decimals
    table["tick_size"] = _plain(to_decimal(instrument.tick_size, instrument.price_decimals))
    table["lot_size"] = _plain(to_decimal(instrument.lot_size, instrument.quantity_decimals))
    for key in _OPTIONAL:
        table[key] = _plain(getattr(instrument, key))
    return table


def _rules(raw: Mapping[str, Any], file: str, faults: list[Fault]) -> tuple[SequenceRule, ...]:
    names = raw.get("sequence_rules", [])
    known = {rule.name.lower(): rule for rule in SequenceRule}
    if isinstance(names, list) and all(isinstance(name, str) and name in known for name in names):
        return tuple(known[name] for name in names)
    problem = f"found {names!r}, expected an array of {', '.join(known)}"
    faults.append(Fault(file=file, key="sequence_rules", problem=problem))
    return ()


def _instruments(raw: object, file: str, faults: list[Fault]) -> list[Instrument]:
    if not (isinstance(raw, list) and raw and all(isinstance(table, dict) for table in raw)):
        problem = "missing" if raw is None else f"found {raw!r}, expected one [[instruments]] table or more"
        faults.append(Fault(file=file, table="[[instruments]]", problem=problem))
        return []
    found = []
    for position, table in enumerate(raw, 1):
        instrument = _instrument(table, file, f"[[instruments]] {position}", faults)
        if instrument is not None:
            found.append(instrument)
    names = [instrument.instrument_id for instrument in found]
    faults.extend(
        Fault(file=file, table="[[instruments]]", problem=f"{name} stands in it twice")
        for name in {n for n in names if names.count(n) > 1}
    )
    return found


def _instrument(raw: Mapping[str, Any], file: str, table: str, faults: list[Fault]) -> Instrument | None:
    before = len(faults)
    _refuse_unknown(raw, {*_WORDS, *_NUMBERS, "price_decimals", "quantity_decimals"}, file, table, faults)
    words = {key: _word(raw, key, file, table, faults) for key in _WORDS}
    kinds = [kind.value for kind in InstrumentKind]
    if words["kind"] and words["kind"] not in kinds:
        problem = f"found {words['kind']!r}, expected one of {', '.join(kinds)}"
        faults.append(Fault(file=file, table=table, key="kind", problem=problem))
    numbers = {key: _number(raw, key, file, table, faults) for key in _NUMBERS}
    places = {}
    for key, size in (("price_decimals", "tick_size"), ("quantity_decimals", "lot_size")):
        value = raw.get(key, decimals(numbers[size]))
        if type(value) is not int or not 0 <= value <= 18:
            faults.append(
                Fault(file=file, table=table, key=key, problem=f"found {value!r}, expected a whole number from 0 to 18")
            )
        elif decimals(numbers[size]) > value:
            problem = f"{_plain(numbers[size])} has more decimals than {key} = {value}"
            faults.append(Fault(file=file, table=table, key=size, problem=problem))
        places[key] = value
    if len(faults) > before:
        return None
    try:
        return Instrument(
            venue=words["venue"],
            symbol=words["symbol"],
            kind=InstrumentKind(words["kind"]),
            base=words["base"],
            quote=words["quote"],
            settlement=words["settlement"],
            **places,
            tick_size=int(numbers["tick_size"].scaleb(places["price_decimals"])),
            lot_size=int(numbers["lot_size"].scaleb(places["quantity_decimals"])),
            multiplier=numbers["multiplier"],
            minimum_notional=numbers["minimum_notional"],
            maker_fee=numbers["maker_fee"],
            taker_fee=numbers["taker_fee"],
        )
    except ValueError as e:
        faults.append(Fault(file=file, table=table, problem=str(e)))
        return None


def _refuse_unknown(raw: Mapping[str, Any], known: set[str], file: str, table: str, faults: list[Fault]) -> None:
    for key in raw:
        if key not in known:
            hint = nearest(key, sorted(known)) or f"it may have {', '.join(sorted(known))}"
            faults.append(Fault(file=file, table=table, key=key, problem="unknown key", hint=hint))


def _word(raw: Mapping[str, Any], key: str, file: str, table: str, faults: list[Fault], *, default: str | None = None) -> str:
    value = raw.get(key, default)
    if isinstance(value, str) and (value or default is not None):
        return value
    problem = "missing" if value is None else f"found {value!r}, expected a string that is not empty"
    faults.append(Fault(file=file, table=table, key=key, problem=problem))
    return ""


def _number(raw: Mapping[str, Any], key: str, file: str, table: str, faults: list[Fault]) -> Decimal:
    """A decimal, written as a string (a TOML float would not be exact) or a whole number. 1 where it is wrong."""
    value = raw.get(key)
    if value is None and key in _OPTIONAL:
        return _OPTIONAL[key]
    try:
        number = Decimal(value) if isinstance(value, str) or type(value) is int else None
    except InvalidOperation:
        number = None
    if number is not None and number.is_finite() and -18 <= number.adjusted() <= 18:
        if number > 0 or (number == 0 and key in _OPTIONAL and key != "multiplier") or key in {"maker_fee", "taker_fee"}:
            return number
        problem = f"found {value!r}, expected a positive number"
    else:
        problem = "missing" if value is None else f'found {value!r}, expected a decimal as a string, such as "0.01"'
    faults.append(Fault(file=file, table=table, key=key, problem=problem))
    return Decimal(1)


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
