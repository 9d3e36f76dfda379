"""The README's feature, taken literally: its block in a file, two lines in vtframe.toml, and it is in the rows."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from vtframe.api import FeedContext
from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.clock import EventClock
from vtframe.domain import EventKind, FrameKind, Records
from vtframe.errors import ConfigError

SECONDS = 20


class Levels:
    """A FeedSink that keeps the book in two dicts and notes the share of the best bid in the first ten, by update id."""

    stopping = False

    def __init__(self) -> None:
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.share: dict[int, float] = {}

    def on_records(self, records: Records) -> None:
        for frame in records.frames[: records.n_frames]:
            if frame["kind"] not in {FrameKind.DEPTH, FrameKind.SNAPSHOT}:
                continue
            first = int(frame["first_event"])
            for event in records.events[first : first + int(frame["n_events"])]:
                if event["kind"] == EventKind.BOOK_CLEAR:
                    self.sides = {1: {}, -1: {}}
                elif event["kind"] == EventKind.BOOK_DELTA:
                    levels = self.sides[int(event["side"])]
                    levels[int(event["price"])] = int(event["quantity"])
                    if not event["quantity"]:
                        del levels[int(event["price"])]
            best = [self.sides[1][price] for price in sorted(self.sides[1], reverse=True)[:10]]
            self.share[int(frame["last_id"])] = best[0] / sum(best)


def configured(root: Path, folder: Path, *, feature: str = 'use = "bid_concentration"') -> Path:
    """vtframe.toml, a shorter one, with the README's two lines."""
    block = re.search(r"^```python\n(.*?)^```$", (root / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    (folder / "bid_concentration.py").write_text(block[1])
    text = (root / "market.toml").read_text()
    text = text.replace('"models/', f'"{root}/models/').replace("duration_s = 1200", f"duration_s = {SECONDS}")
    text = text.replace("[vtframe]", '[vtframe]\nlocal = ["bid_concentration.py"]', 1)
    path = folder / "vtframe.toml"
    path.write_text(text.replace("[[models]]", f"[[features]]\n{feature}\n\n[[models]]", 1))
    return path


@pytest.fixture(scope="module")
def rows(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("readme")
    report = assemble(configured(root, folder), Wishes(folder=folder / "session")).session.run().report
    assert report["counts"]["predictions"] > 1_000, "the model goes on reading its own columns"
    return pq.read_table(folder / "session" / "rows").to_pandas()


def test_the_readmes_feature_is_in_the_rows_with_the_books_own_numbers(rows: Any) -> None:
    feed, levels = EmbeddedMarket(seed=7, duration_s=SECONDS), Levels()
    feed.open(FeedContext(codecs={}, folder=Path(), clock=EventClock()))
    asyncio.run(feed.run(levels))  # type: ignore[arg-type]  # it calls on_records alone
    assert rows.columns[-1] == "bid_concentration"
    assert len(rows) > 1_000
    expected = np.array([levels.share[number] for number in rows["update_id"]], np.float32)
    np.testing.assert_allclose(rows["bid_concentration"].to_numpy(), expected, rtol=1e-6)


def test_the_models_predictions_are_the_same_with_a_further_column(root: Path, tmp_path: Path) -> None:
    outputs = []
    for name in ("with", "without"):
        folder = tmp_path / name
        folder.mkdir()
        path = configured(root, folder)
        if name == "without":
            path.write_text(path.read_text().replace('[[features]]\nuse = "bid_concentration"\n', ""))
        assemble(path, Wishes(folder=folder / "session", deterministic=True)).session.run()
        outputs.append(pq.read_table(folder / "session" / "predictions" / "embedded_direction").to_pandas())
    a, b = outputs
    assert len(a) > 1_000
    assert a.equals(b)


def test_a_changed_setting_of_a_column_that_the_model_reads_is_still_refused(root: Path, tmp_path: Path) -> None:
    path = configured(root, tmp_path)
    path.write_text(path.read_text().replace("levels = 5", "levels = 6"))
    with pytest.raises(ConfigError, match="trained with levels = 5; the pipeline has levels = 6"):
        assemble(path, Wishes(folder=tmp_path / "session"))
