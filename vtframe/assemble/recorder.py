"""The recorder that a configuration asks for, its files in ``recording/`` of the session's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vtframe import __version__
from vtframe.api import MarketInfo
from vtframe.config import RecorderTable
from vtframe.engine.recorder import Recorder
from vtframe.errors import SessionError
from vtframe.wire import Sidecar
from vtframe.wire.recording_writer import RecordingWriter

RECORDING = "recording"
_MB = 1 << 20


def records(table: RecorderTable, *, market_time: bool) -> bool:
    """Whether a session is recorded: by default where its market cannot be had again."""
    return table.record == "always" or (table.record == "live" and not market_time)


def recording_files(folder: Path) -> list[Path]:
    """The files of the recording in ``folder``, in order."""
    return sorted(folder.glob("[0-9][0-9][0-9][0-9][0-9][0-9].zst"))


def make_recorder(
    folder: Path,
    table: RecorderTable,
    market: MarketInfo,
    *,
    name: str,
    now: Callable[[], int],
    on_failure: Callable[[str], None],
    waits: bool = False,
) -> Recorder:
    """A recorder that writes to ``folder``, which is made; ``waits``: its market waits for the disk. Raises SessionError where
    the folder cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SessionError(str(folder), f"cannot be made: {e.strerror}") from None
    writer = RecordingWriter(
        lambda number: folder / f"{number:06d}.zst",
        sidecar_of(market),
        recording=name,
        rotate_bytes=table.rotate_mb * _MB,
        level=table.level,
    )
    return Recorder(
        writer,
        now=now,
        on_failure=on_failure,
        buffer_bytes=table.buffer_mb * _MB,
        rotate_s=table.rotate_minutes * 60,
        waits=waits,
    )


def sidecar_of(market: MarketInfo) -> Sidecar:
    """What the lines of a recording of this market do not say."""
    return Sidecar(
        codec=market.codec,
        codec_settings=market.codec_settings,
        rules=() if market.codec else market.rules,
        time_unit="ns",
        instruments=market.instruments,
        made_by=f"vtframe {__version__}",
    )
