"""docs/configuration.md names every key, says the true defaults, and shows a configuration that reads."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from vtframe.api import Sampling
from vtframe.config import DriftTable, LaneTable, ModelTable, RecorderTable, RowsTable, SessionTable, read_config
from vtframe.config.read import TABLES

TABLE_OF = {
    "[vtframe]": SessionTable,
    "[sampling]": Sampling,
    "[rows]": RowsTable,
    "[[models]]": ModelTable,
    "[[lanes]]": LaneTable,
    "[[drift]]": DriftTable,
    "[recorder]": RecorderTable,
}


def sections(root: Path) -> dict[str, str]:
    page = (root / "docs" / "configuration.md").read_text()
    parts = re.split(r"^### `(.*)`$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_table_has_its_section(root: Path) -> None:
    assert [name.strip("[]") for name in sections(root)] == list(TABLES)


@pytest.mark.parametrize("table", TABLE_OF)
def test_every_key_is_on_the_page_with_its_default(root: Path, table: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", sections(root)[table], flags=re.MULTILINE))
    own = {field.encode_name: field.default for field in msgspec.structs.fields(TABLE_OF[table])}
    beside = {"strategy", "execution", "limits"} if table == "[[lanes]]" else set()
    assert set(rows) == set(own) | beside
    for key, default in own.items():
        stated = rows[key].strip("`").strip('"')
        if stated == "required" or " " in stated or not stated:
            continue
        assert stated == ("[]" if default == () else str(default)), key


def test_the_example_on_the_page_reads_without_a_fault(root: Path, tmp_path: Path) -> None:
    page = (root / "docs" / "configuration.md").read_text()
    found = re.search(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    path = tmp_path / "vtframe.toml"
    path.write_text(found[1])
    config, faults = read_config(path)
    assert faults == []
    assert [lane.id for lane in config.lanes] == ["lane1", "follower"]
