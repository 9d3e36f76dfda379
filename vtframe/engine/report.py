"""The report of a session, computed from its journal: report.json is this, and a killed session has one too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from vtframe.engine.meters import Counters, Meters
from vtframe.engine.tally import Tally
from vtframe.errors import JournalError, SessionError
from vtframe.journal.reader import JournalReader

FORMAT_VERSION = 1
REPORT = "report.json"
JOURNAL = "journal"
NO_STOP = "no orderly stop"


def measured(
    counters: Counters,
    meters: Meters,
    *,
    wall_seconds: float,
    quality: Mapping[str, Any],
    hashes: Mapping[str, str] | None = None,
    row_log: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What a Checkpoint carries: all that cannot be computed from the journal's other records. ``quality`` is
    PredictionQuality.report(), ``row_log`` is RowLog.report(); ``more`` goes into the report as it is."""
    return {
        **counters.report(),
        **meters.report(),
        "quality": dict(quality),
        "hashes": dict(hashes or {}),
        **(row_log or {}),
        "wall_seconds": wall_seconds,
        **more,
    }


def report_of(folder: Path) -> dict[str, Any]:
    """The report of the session in ``folder``, in the shape that docs/report.md describes.

    What only checkpoints know (frames, latencies, quality) is of the last one. Raises SessionError where ``folder`` is no
    session's, JournalError where its journal is damaged.
    """
    reader = JournalReader(_journal_of(folder))
    tally = Tally()
    for record in reader:
        tally.add(record)
        if tally.started is None:
            raise JournalError(str(reader.segments[0]), f"begins with {type(record).__name__}, expected SessionStarted")
    if tally.started is None:
        raise SessionError(str(folder), "its journal is empty", "the session ended before it began; run it again")
    report = _assembled(tally)
    torn = reader.torn
    report["journal"] = {
        "segments": len(reader.segments),
        "records": reader.records,
        "torn": None if torn is None else {"file": torn.file.name, "offset": torn.offset, "dropped": torn.dropped},
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report))  # as report.json would be read back
    return plain


def write_report(folder: Path, report: Mapping[str, Any]) -> Path:
    """Write report.json into ``folder``: all of it or nothing. Raises SessionError where that fails."""
    path = folder / REPORT
    unfinished = folder / f".{REPORT}.tmp"
    try:
        with unfinished.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as e:
        unfinished.unlink(missing_ok=True)
        raise SessionError(
            str(path), f"cannot be written: {e.strerror}", "free the disk; `vtframe report` still works"
        ) from None
    return path


def stored_report(folder: Path) -> dict[str, Any] | None:
    """What report.json says; None where there is none. Raises SessionError where it is no report."""
    path = folder / REPORT
    try:
        report = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as e:
        raise SessionError(str(path), f"cannot be read: {e}", "remove it; the journal holds all that it said") from None
    version = report.get("format_version")
    if version != FORMAT_VERSION:
        problem = f"has format version {version!r}, expected {FORMAT_VERSION}"
        raise SessionError(str(path), problem, "remove it; the journal holds all that it said")
    return report


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two reports differ: ``counts.frames: 3, 4`` and so on."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        return [
            found for key in keys for found in differences(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if one == other else [f"{path}: {one!r}, {other!r}"]


def _journal_of(folder: Path) -> Path:
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise SessionError(str(folder), problem, "name the folder that `vtframe run` printed")
    if not (folder / JOURNAL).is_dir():
        raise SessionError(
            str(folder), "is not a session folder: it has no journal", "name the folder that `vtframe run` printed"
        )
    return folder / JOURNAL


def _assembled(tally: Tally) -> dict[str, Any]:
    started, stopped, checkpoint = tally.started, tally.stopped, tally.checkpoint
    if started is None:
        raise ValueError("a report needs the record SessionStarted")
    nothing = Counters().report()
    known = dict(checkpoint.report) if checkpoint is not None else {}
    counts = known.pop("counts", None) or dict.fromkeys(nothing["counts"])  # None: nobody wrote it down before the end
    wall = known.pop("wall_seconds", None)
    events = counts.get("events")
    warnings = list(tally.warnings)
    if stopped is None:
        warnings.insert(0, f"{NO_STOP}: what only checkpoints know is as of input {checkpoint.input if checkpoint else 'none'}")
    if lost := tally.unknown():
        warnings.append(f"{len(lost)} orders are UNKNOWN, ask the venue what became of them: {', '.join(lost[:10])}")
    hashes = {
        "decisions": tally.decisions(),
        "config": hashlib.sha256(started.config.encode()).hexdigest(),
        "schema": started.schema_hash,
        **{f"model {name}": value for name, value in started.models.items()},
        **known.pop("hashes", {}),
    }
    meters = known if "latency_ns" in known else Meters().report()
    report = {
        "format_version": FORMAT_VERSION,
        "session": {
            "id": started.session_id,
            "reason": stopped.reason if stopped is not None else NO_STOP,
            "orderly": stopped is not None,
            "started": datetime.fromtimestamp(started.ts // 10**9, UTC).isoformat(),
            "started_ns": started.ts,
            "wall_seconds": wall,
            "events_per_second": events / wall if events and wall else None,
            "as_of_input": checkpoint.input if checkpoint is not None else None,
            "vtframe": started.vtframe_version,
            "fingerprint": started.fingerprint,
            "instruments": [f"{fields['symbol']}@{fields['venue']}" for fields in started.instruments],
            "columns": list(started.columns),
        },
        "counts": counts | tally.counts(),
        "denials": tally.denials(),
        "latency_ns": meters["latency_ns"],
        "prediction_age_ns": meters["prediction_age_ns"],
        "quality": known.pop("quality", {}),
        "pnl": tally.pnl(),
        "hashes": hashes,
        "orders": tally.orders(),
        "lanes": tally.lanes(),
        "unknown_frames": known.pop("unknown_frames", {}),
        "damage": known.pop("damage", {}),
        "codec_fallbacks": known.pop("codec_fallbacks", {}),
        "sinks_failed": known.pop("sinks_failed", {}),
        "warnings": warnings,
    }
    if changes := tally.changes():
        report["model_changes"] = changes
    return report | {key: value for key, value in known.items() if key not in report}
