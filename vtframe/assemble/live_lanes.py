"""What must hold of lanes whose orders go to a venue: their settings, their market's time, and that no two share a position."""

from __future__ import annotations

from collections.abc import Sequence

from vtframe.api import ExecutionAdapter
from vtframe.assemble.parts import LaneParts, Parts
from vtframe.config import Config, Place
from vtframe.domain import Instrument
from vtframe.errors import Fault


def check_live_lanes(config: Config, parts: Parts, faults: list[Fault]) -> None:
    """What shows before the feed has told its instruments."""
    for lane in parts.lanes:
        place = _place(config, lane)
        faults += _asked(lane.execution, (), place)
        if lane.execution.live and parts.feed.market_time:
            problem = f"sends orders to a venue, and feed {type(parts.feed).name!r} plays a market that is not there now"
            faults.append(place.at("use").fault(problem, 'trade it on paper: execution = { use = "paper" }'))


def check_live_instruments(config: Config, parts: Parts, instruments: Sequence[Instrument], faults: list[Fault]) -> None:
    """What shows once they are known: whether an adapter can trade them, and whether two lanes of an account meet in one."""
    owners: dict[tuple[str, str], LaneParts] = {}
    for lane in parts.lanes:
        place = _place(config, lane)
        traded = [one for one in instruments if not lane.table.instruments or one.instrument_id in lane.table.instruments]
        faults += _asked(lane.execution, traded, place) if traded else []
        account = lane.execution.account()
        for instrument in traded if account else ():
            owner = owners.setdefault((account, instrument.instrument_id), lane)
            if owner is not lane:
                problem = f"trades {instrument.instrument_id} in the account of lane {owner.id!r}, which trades it as well"
                faults.append(
                    place.fault(problem, "the venue adds up what both hold: limit the lanes with instruments = [...]")
                )
                break


def _asked(adapter: ExecutionAdapter, instruments: Sequence[Instrument], place: Place) -> list[Fault]:
    try:
        return [place.complete(fault) for fault in adapter.check(instruments)]
    except Exception as e:  # noqa: BLE001 - an adapter's own code may raise anything; it is that adapter's fault, and is told
        return [place.fault(f"adapter {type(adapter).name!r}: check() failed: {type(e).__name__}: {e}")]


def _place(config: Config, lane: LaneParts) -> Place:
    path = next(one.path for one in config.lanes if one.id == lane.id)
    return config.place(*path, "execution")
