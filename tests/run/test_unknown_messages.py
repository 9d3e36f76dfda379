"""A venue that makes up types of messages without end fills no memory with their names."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

from vtframe.assemble.session import Wishes, assemble


def test_types_without_number_are_counted_together(root: Path, data: Path, tmp_path: Path) -> None:
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        lines = list(itertools.islice(file, 300))
    stamp = lines[-1].split(b" ")[0]
    lines += [b'%b {"stream":"x@y","data":{"e":"made up %d"}}\n' % (stamp, number) for number in range(5_000)]
    (tmp_path / "part.gz").write_bytes(gzip.compress(b"".join(lines)))
    text = (
        (root / "btcusdt.toml").read_text().replace("models/", f"{root}/models/").replace("paths = []", 'paths = ["part.gz"]')
    )
    (tmp_path / "session.toml").write_text(text)
    outcome = assemble(tmp_path / "session.toml", Wishes(folder=tmp_path / "session")).session.run()
    unknown = outcome.report["unknown_frames"]
    assert len(unknown) <= 101
    assert sum(unknown.values()) >= 5_000
    assert unknown["other types"] > 4_800
