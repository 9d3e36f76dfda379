"""Memory that is written once and read in place."""

from vtframe.buffers.ring import RowRing

__all__ = ["RowRing"]
