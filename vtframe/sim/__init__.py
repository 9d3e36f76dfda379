"""A seeded order-flow market: the queue-reactive model and a price-time matching engine, compiled."""

from vtframe.sim.intensities import Calibration, Tables, read_calibration, tables
from vtframe.sim.market import Activity, SimulatedMarket
from vtframe.sim.merge import Merger
from vtframe.sim.state import CANCELED, MAKER_FILL, REPORT, TAKER_FILL

__all__ = [
    "CANCELED",
    "MAKER_FILL",
    "REPORT",
    "TAKER_FILL",
    "Activity",
    "Calibration",
    "Merger",
    "SimulatedMarket",
    "Tables",
    "read_calibration",
    "tables",
]
