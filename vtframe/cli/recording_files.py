"""``vtframe recording inspect, verify, cut, merge, to-parquet``: recordings looked at as files, and made into others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console

from vtframe import __version__
from vtframe.builtin.recorded.cut import Part, cut
from vtframe.builtin.recorded.inspection import Inspection, inspect
from vtframe.builtin.recorded.lines import Recordings, expanded
from vtframe.builtin.recorded.merge import merge
from vtframe.builtin.recorded.new_recording import Made
from vtframe.builtin.recorded.verification import Verification, verify
from vtframe.cli.bulk_progress import BulkProgress
from vtframe.cli.recording_codecs import known_codecs
from vtframe.wire import readable

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
_MADE_BY = f"vtframe {__version__}"
_FILES = click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)


def _common(command: F) -> F:
    """The options that all of them have."""
    command = click.option("-c", "--config", type=click.Path(path_type=Path), help="Use the codecs of its plugins.")(command)
    command = click.option("--quiet", is_flag=True, help="No progress.")(command)
    return click.option("--json", "as_json", is_flag=True, help="Print for machines.")(command)


def _instant(_: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """ns UTC, or an ISO 8601 time (UTC where it does not say), in ns."""
    if value is None or value.isdigit():
        return None if value is None else int(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        problem = f"{value!r} is neither nanoseconds since 1970 nor a time such as 2024-08-09T10:00:00"
        raise click.BadParameter(problem, param=parameter) from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1) * 1_000


@click.command("inspect")
@_FILES
@_common
def inspect_command(*, files: tuple[Path, ...], config: Path | None, quiet: bool, as_json: bool) -> None:
    """Say what FILES hold (or the folder of a recorder, or of a session): span, counts, connections, silences, rates."""
    recordings = Recordings(files, known_codecs(config))
    found = _watched("reading", recordings, lambda: inspect(recordings), quiet=quiet)
    if as_json:
        _print_json(msgspec.to_builtins(found) | {"rate": found.rate})
    else:
        click.echo("\n".join(_inspected(found)))


@click.command("verify")
@_FILES
@click.option("--strict", is_flag=True, help="Fail where a book's chain of updates breaks, too.")
@_common
def verify_command(*, files: tuple[Path, ...], strict: bool, config: Path | None, quiet: bool, as_json: bool) -> int:
    """Check every block, line, count and time of FILES, and follow every book through them.

    Exits 0 where they are whole and nothing is missing, 1 where not: with the place up to which they are. A break in a chain of
    updates may be the market's (a disconnect) and is told; with --strict it fails.
    """
    recordings = Recordings(files, known_codecs(config))
    found = _watched("verifying", recordings, lambda: verify(recordings), quiet=quiet)
    passed = found.sound and (found.chained or not strict)
    if as_json:
        _print_json(msgspec.to_builtins(found) | {"sound": found.sound, "chained": found.chained, "passed": passed})
    else:
        click.echo("\n".join(_verified(found)))
    return 0 if passed else 1


@click.command("cut")
@_FILES
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new recording; it must not exist yet.")
@click.option("--from", "from_ns", callback=_instant, metavar="TIME", help="Begin with the first input at or after this time.")
@click.option("--to", "to_ns", callback=_instant, metavar="TIME", help="End before the first input at or after this time.")
@click.option("--skip", type=click.IntRange(min=0), default=0, help="Leave out so many inputs (after --from).")
@click.option("--count", type=click.IntRange(min=1), help="Keep so many inputs at most.")
@click.option("--snapshot", is_flag=True, help="Begin with a snapshot of every book as it is there.")
@_common
def cut_command(
    *,
    files: tuple[Path, ...],
    out: Path,
    from_ns: int | None,
    to_ns: int | None,
    skip: int,
    count: int | None,
    snapshot: bool,
    config: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a part of FILES as a recording of its own. Times are ns, or ISO 8601 (2024-08-09T10:00:00, UTC)."""
    recordings = Recordings(files, known_codecs(config))
    whole = Part()
    part = Part(
        from_ns=whole.from_ns if from_ns is None else from_ns,
        to_ns=whole.to_ns if to_ns is None else to_ns,
        skip=skip,
        count=whole.count if count is None else count,
    )
    made = _watched("cutting", recordings, lambda: cut(recordings, part, out, made_by=_MADE_BY, snapshot=snapshot), quiet=quiet)
    _print_made(made, as_json=as_json)


@click.command("merge")
@_FILES
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new recording; it must not exist yet.")
@_common
def merge_command(*, files: tuple[Path, ...], out: Path, config: Path | None, quiet: bool, as_json: bool) -> None:
    """Write FILES (each a recording, or a folder with one) as one, by arrival. Their connections are told apart."""
    sources = [expanded([path]) for path in files]
    recordings = Recordings([path for source in sources for path in source], known_codecs(config))
    made = _watched("merging", recordings, lambda: merge(sources, recordings, out, made_by=_MADE_BY), quiet=quiet)
    _print_made(made, as_json=as_json)


@click.command("to-parquet")
@_FILES
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder; it must not exist yet.")
@_common
def to_parquet_command(*, files: tuple[Path, ...], out: Path, config: Path | None, quiet: bool, as_json: bool) -> None:
    """Write the frames and events that FILES hold to frames.parquet and events.parquet in a folder."""
    from vtframe.builtin.recorded.tables import to_parquet  # noqa: PLC0415 - imports pyarrow

    recordings = Recordings(files, known_codecs(config))
    made = _watched("writing", recordings, lambda: to_parquet(recordings, out), quiet=quiet)
    if as_json:
        _print_json(made)
        return
    amiss = f"; {made.broken:,} broken messages, {made.damaged:,} damaged places" if made.broken or made.damaged else ""
    click.echo(f"{made.folder}: {made.frames:,} frames and {made.events:,} events of {made.inputs:,} inputs{amiss}")


COMMANDS = (inspect_command, verify_command, cut_command, merge_command, to_parquet_command)


def _watched(what: str, recordings: Recordings, work: Callable[[], T], *, quiet: bool) -> T:
    progress = Console(stderr=True, quiet=quiet)
    with BulkProgress(what, lambda: recordings.done, progress, total=recordings.total, unit="lines"):
        return work()


def _inspected(found: Inspection) -> list[str]:
    lines = []
    for file in found.files:
        ends = {None: "", True: "", False: ", not closed in order"}[file.complete]
        number = f", file {file.number} of recording {file.recording}" if file.recording else ""
        lines.append(f"{file.path}: {file.size:,} bytes, codec {file.codec or 'none: its feed decoded'}{number}{ends}")
    span = timedelta(microseconds=(found.last_ns - found.first_ns) // 1_000)
    lines += [
        f"  {found.inputs:,} inputs from {readable(found.first_ns)} to {readable(found.last_ns)}, {span}",
        f"  {found.rate:,.1f} a second; {found.busiest_second:,} in the busiest, from {readable(found.busiest_ns)}",
        f"  longest silence {found.silence_ns / 1e9:,.3f} s, before {found.silence_at or 'nothing'}",
        "  messages: " + (", ".join(f"{name} {count:,}" for name, count in found.messages.most_common()) or "none"),
    ]
    for part in found.instruments:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in part.frames.most_common())
        lines.append(f"  {part.instrument}: {kinds or 'no'} frames, {part.events:,} events")
    for one in found.connections:
        lines.append(f"  connection {one.connection}: {one.messages:,} messages, up {one.up} times, down {one.down}")
    if found.lost or found.broken or found.damaged or found.went_back:
        amiss = (
            f"  {found.lost:,} inputs lost by the recorder, {found.broken:,} broken messages, {found.damaged:,} damaged places"
        )
        lines.append(f"{amiss}, {found.went_back:,} times that go back, such as:")
        lines += [f"    {place}" for place in found.places]
    return lines


def _verified(found: Verification) -> list[str]:
    checksums = found.verified + found.mismatches
    whole = "whole" if found.sound else "NOT WHOLE"
    lines = [
        f"{whole}: {found.files} files, {found.blocks:,} blocks, {found.lines:,} lines, {found.inputs:,} inputs",
        f"  {found.lost:,} lost by the recorder, {found.damaged:,} damaged lines, {found.broken:,} broken messages",
        f"  {found.went_back:,} times that go back",
        f"  {found.frames:,} frames: {found.gaps:,} breaks in the chains of updates, {found.resyncs:,} resyncs",
        f"  {found.crossed:,} crossed books, {found.mismatches:,} wrong checksums of {checksums:,}",
    ]
    for what in (found.torn, found.unfinished, found.miscounted, found.places):
        lines += [f"  {place}" for place in what]
    return lines


def _print_made(made: Made, *, as_json: bool) -> None:
    if as_json:
        _print_json(made)
        return
    lines = [
        f"{made.path}: {made.inputs:,} inputs from {readable(made.first_ns)} to {readable(made.last_ns)}, {made.bytes:,} bytes",
        *(f"  {one}" for one in made.connections),
        *(f"  begins with a snapshot made of the book of {name}" for name in made.snapshots),
        *(f"  no snapshot could be made of {one}" for one in made.without),
        *(f"  {name}: its first snapshot is input {at:,}, until then its book waits" for name, at in made.waits.items()),
        *(f"  {name}: no snapshot in it, its book can never be built" for name in made.headless),
    ]
    if made.damaged:
        lines.append(f"  {made.damaged:,} places could not be read and are not in it")
    click.echo("\n".join(lines))


def _print_json(data: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(data)).decode())
