"""TOML to typed, frozen structs; every fault at once, each with its line. Knows no part and loads no plugin."""

from vtframe.config.decode import decode_part, decode_table
from vtframe.config.document import Document, Place, read_document
from vtframe.config.drift import DriftTable
from vtframe.config.read import in_order, read_config
from vtframe.config.tables import Config, Lane, LaneTable, ModelTable, RecorderTable, RowsTable, SessionTable, Use

__all__ = [
    "Config",
    "Document",
    "DriftTable",
    "Lane",
    "LaneTable",
    "ModelTable",
    "Place",
    "RecorderTable",
    "RowsTable",
    "SessionTable",
    "Use",
    "decode_part",
    "decode_table",
    "in_order",
    "read_config",
    "read_document",
]
