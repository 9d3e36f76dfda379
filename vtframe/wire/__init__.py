"""The recording format: reading lines, telling time units, and the sidecar that describes a file. No venue in it."""

from vtframe.wire.compression import compression
from vtframe.wire.marks import (
    ConnectionChange,
    DamageSeen,
    End,
    FrameRecords,
    Heading,
    Lost,
    Mark,
    OnConnection,
)
from vtframe.wire.recording import Damage, RecordingReader, Sample, read_sample
from vtframe.wire.sidecar import SIDECAR_VERSION, Sidecar, load_sidecar, sidecar_path, write_sidecar
from vtframe.wire.source_file import SourceFile, read_source
from vtframe.wire.time_unit import NANOS, TimeUnit, check_stated_unit, detect_time_unit, readable, unit_of

__all__ = [
    "NANOS",
    "SIDECAR_VERSION",
    "ConnectionChange",
    "Damage",
    "DamageSeen",
    "End",
    "FrameRecords",
    "Heading",
    "Lost",
    "Mark",
    "OnConnection",
    "RecordingReader",
    "Sample",
    "Sidecar",
    "SourceFile",
    "TimeUnit",
    "check_stated_unit",
    "compression",
    "detect_time_unit",
    "load_sidecar",
    "read_sample",
    "read_source",
    "readable",
    "sidecar_path",
    "unit_of",
    "write_sidecar",
]
