"""``vtframe recording``: look at recorded market data, and write down what a foreign file is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from vtframe import __version__
from vtframe.api import RecordingError
from vtframe.builtin.recorded.identity import LARGE_SAMPLE, Identity, identify
from vtframe.builtin.recorded.survey import InstrumentSurvey, Survey, survey
from vtframe.cli.recording_codecs import known_codecs
from vtframe.cli.recording_files import COMMANDS
from vtframe.domain import to_decimal
from vtframe.wire import Sidecar, TimeUnit, compression, readable, sidecar_path, write_sidecar


@click.group()
def recording() -> None:
    """Look at recorded market data, check it, cut and merge it, and describe foreign files."""


for _command in COMMANDS:
    recording.add_command(_command)


@recording.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--venue", help="The venue that it is of, such as binance_spot; refused where the frames say otherwise.")
@click.option("--symbol", help="The venue's symbol; keeps one instrument of a file that holds several.")
@click.option("--time-unit", type=click.Choice(get_args(TimeUnit)), help="Unit of the timestamps, where it is in doubt.")
@click.option("--codec", help="The codec that reads it, where several could.")
@click.option("--after", type=click.Path(path_type=Path), help="The recording that it continues, where it has no snapshot.")
@click.option("--force", is_flag=True, help="Replace a sidecar that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print for machines.")
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Use the codecs of the plugins that it names.")
def describe(
    *,
    file: Path,
    venue: str | None,
    symbol: str | None,
    time_unit: TimeUnit | None,
    codec: str | None,
    after: Path | None,
    force: bool,
    as_json: bool,
    config: Path | None,
) -> None:
    """Say what FILE holds, and write it down in the sidecar FILE.toml."""
    target = sidecar_path(file)
    if target.exists() and not force:
        raise RecordingError(str(target), "there is a sidecar already", "replace it with --force")
    codecs = known_codecs(config)
    found = identify(
        file,
        codecs,
        codec=codec,
        time_unit=time_unit or "auto",
        venue=venue,
        symbol=symbol,
        use_sidecar=False,
        lines=LARGE_SAMPLE,
    )
    seen = survey(found, codecs[found.codec])
    sidecar = Sidecar(
        codec=found.codec,
        time_unit=found.unit,
        instruments=found.instruments,
        after=_continued(file, after),
        lines=seen.lines,
        snapshots=sum(part.snapshots for part in seen.instruments),
        made_by=f"vtframe {__version__}",
    )
    write_sidecar(target, sidecar)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_as_data(found, seen, target))).decode())
    else:
        click.echo("\n".join(_as_text(found, seen, target)))


def _continued(file: Path, after: Path | None) -> str:
    if after is None:
        return ""
    compression(after)  # that it is there
    if after.resolve() == file.resolve():
        raise RecordingError(str(file), "is said to continue itself")
    return after.name


def _as_data(found: Identity, seen: Survey, target: Path) -> dict[str, Any]:
    return {
        "file": str(found.path),
        "sidecar": str(target),
        "compression": compression(found.path),
        "codec": found.codec,
        "time_unit": found.unit,
        "lines": seen.lines,
        "first_ns": seen.first_ns,
        "last_ns": seen.last_ns,
        "messages": dict(seen.messages.most_common()),
        "broken": seen.broken,
        "damaged": seen.damaged,
        "damage": seen.damage,
        "instruments": [
            {
                "instrument": part.instrument.instrument_id,
                "kind": part.instrument.kind.value,
                "tick_size": str(part.instrument.price(part.instrument.tick_size)),
                "lot_size": str(part.instrument.quantity(part.instrument.lot_size)),
                "units": "known" if part.known else "inferred",
                "depth": part.depth,
                "snapshots": part.snapshots,
                "trades": part.trades,
                "quotes": part.quotes,
                "breaks": part.breaks,
                "first_break": part.first_break,
            }
            for part in seen.instruments
        ],
    }


def _as_text(found: Identity, seen: Survey, target: Path) -> list[str]:
    span = timedelta(microseconds=(seen.last_ns - seen.first_ns) // 1_000)
    lines = [
        f"{found.path}: {seen.lines} lines, {compression(found.path)}, codec {found.codec}, timestamps in {found.unit}",
        f"  from {readable(seen.first_ns)} to {readable(seen.last_ns)}, {span}",
        "  messages: " + ", ".join(f"{name} {count}" for name, count in seen.messages.most_common()),
    ]
    for part in seen.instruments:
        lines += _instrument_text(part)
    if seen.broken or seen.damaged:
        lines.append(f"  {seen.broken} broken messages, {seen.damaged} damaged places, such as:")
        lines += [f"    {place}" for place in seen.damage]
    return [*lines, f"wrote {target}"]


def _instrument_text(part: InstrumentSurvey) -> list[str]:
    it = part.instrument
    steps = (to_decimal(part.price_step, it.price_decimals), to_decimal(part.quantity_step, it.quantity_decimals))
    chain = f"{part.breaks} breaks in the chain of update ids" + (f", the first at {part.first_break}" if part.breaks else "")
    lines = [
        f"  {it.instrument_id}: {it.kind.value}, {it.base}/{it.quote}, settled in {it.settlement}",
        f"    tick {it.price(it.tick_size)}, lot {it.quantity(it.lot_size)}: "
        + ("known of this instrument" if part.known else "INFERRED from the digits; correct the sidecar where you know better"),
        f"    prices seen are multiples of {steps[0]}, quantities of {steps[1]}",
        f"    {part.depth} depth frames, {part.snapshots} snapshots, {part.trades} trades, {part.quotes} quotes; {chain}",
    ]
    if part.depth and not part.snapshots:
        lines.append("    no snapshot: play it after the file that it continues (name that one with --after)")
    return lines
