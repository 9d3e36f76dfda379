"""A venue that makes up types of messages without end fills no memory with their names."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

from vtframe.assemble.session import Wishes, assemble


def play(root: Path, data: Path, folder: Path, template: bytes, *, first: int = 300) -> Any:
    """The report of a session on the ``first`` recorded lines, and 5,000 that are ``template`` with a number in it."""
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        lines = list(itertools.islice(file, first))
    stamp = lines[-1].split(b" ")[0]
    lines += [b"%b %b\n" % (stamp, template % number) for number in range(5_000)]
    (folder / "part.gz").write_bytes(gzip.compress(b"".join(lines)))
    text = (
        (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/").replace("paths = []", 'paths = ["part.gz"]')
    )
    (folder / "session.toml").write_text(text)
    return assemble(folder / "session.toml", Wishes(folder=folder / "session")).session.run().report


def test_types_without_number_are_counted_together(root: Path, data: Path, tmp_path: Path) -> None:
    unknown = play(root, data, tmp_path, b'{"stream":"x@y","data":{"e":"made up %d"}}')["unknown_frames"]
    assert len(unknown) <= 101
    assert sum(unknown.values()) >= 5_000
    assert unknown["other types"] > 4_800


def test_damage_is_counted_by_what_is_wrong_and_not_by_what_a_venue_writes(root: Path, data: Path, tmp_path: Path) -> None:
    diff = b'{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[["1e%d","1"]],"a":[]}'
    damage = play(root, data, tmp_path, diff, first=25_000)["damage"]
    assert sum(damage.values()) >= 5_000
    assert len(damage) < 5
    assert not any("1e" in problem for problem in damage)
