"""`vtframe plugins check` tries every law on every part that has laws, and says what each came to."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vtframe.cli.main import cli
from vtframe.testing import CODEC_CHECKS, FEATURE_CHECKS, FEED_CHECKS, FeedCase, plugin_check


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["plugins", "check", *arguments])


def verdicts(*arguments: str, code: int = 0) -> dict[tuple[str, str], str]:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return {(one["part"], one["law"]): one["outcome"] for one in json.loads(result.stdout)}


def names(checks: tuple[Any, ...]) -> list[str]:
    return [check.__name__ for check in checks]


def test_a_part_in_the_box_keeps_every_law() -> None:
    found = verdicts("book_imbalance")
    assert found == {("book_imbalance", law): "kept" for law in names(FEATURE_CHECKS)}


def test_a_transform_is_tried_on_a_column_that_is_supplied() -> None:
    found = verdicts("rolling_rank")
    assert found == {("rolling_rank", law): "kept" for law in names(FEATURE_CHECKS)}


def test_an_installed_plugin_is_checked_without_being_named_in_a_configuration(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "vtframe_example-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vtframe-example\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[vtframe.v1]\nexample = vtframe_example\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(root / "plugins" / "vtframe-example"))
    found = verdicts("example")
    assert {outcome for (part, _), outcome in found.items() if part == "spread_bps"} == {"kept"}
    assert found["one_lot", ""] == found["long_only", ""] == "not tried"


BAD = '''
from vtframe.api import Feature, Kernel, ints

class Hasty(Feature, frozen=True):
    """Needs three frames and says one."""
    name = "hasty"
    def kernel(self):
        def on_frame(moment, book, state, out):
            state.seen[0] += 1
            if state.seen[0] > 3:
                out[0] = 1.0
        return Kernel(on_frame=on_frame, state={"seen": ints()}, warmup=1)

class Broken(Feature, frozen=True):
    """Does not compile."""
    name = "broken"
    def kernel(self):
        def on_frame(moment, book, state, out):
            out[0] = book.nothing
        return Kernel(on_frame=on_frame)

class Demanding(Feature, frozen=True):
    """A setting without a default that no text fills."""
    name = "demanding"
    by: int
    def kernel(self):
        return Kernel()
'''


def test_what_a_local_plugin_breaks_is_told_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    result = run("bad.py")
    assert result.exit_code == 1
    assert "broken    warm after warmup: column 'hasty' is not finite in row 1; its warmup is 1 rows" in result.output
    assert "bad.py:19: feature 'broken'" in result.output
    assert "book.nothing" in result.output
    assert "not tried: it has settings without a default: define example()" in result.output
    assert "Traceback" not in result.output


def test_a_codec_is_tried_on_its_examples_or_on_a_recording(tmp_path: Path, data: Path) -> None:
    CliRunner().invoke(cli, ["new", "codec", "my_venue"])
    assert verdicts("my_venue.py") == {("my_venue", law): "kept" for law in names(CODEC_CHECKS)}
    for file in ("spot_btcusdt_20240808.gz", "usdm_btcusdt_20240808.gz", "cm_btcusd_perp_20240808.gz"):
        found = verdicts("binance", "--recording", str(data / "binance" / file))
        codec = {one: verdict for one, verdict in found.items() if one[1]}  # the feed of that name is not tried so
        assert codec == {("binance", law): "kept" for law in names(CODEC_CHECKS)}


def test_a_feed_is_tried_against_its_example_venue_over_real_sockets() -> None:
    CliRunner().invoke(cli, ["new", "feed", "my_live"])
    kept = {("my_live", law): "kept" for law in names(FEED_CHECKS)}
    assert verdicts("my_live.py") == kept | {("my_live_messages", law): "kept" for law in names(CODEC_CHECKS)}


def test_a_feed_that_misses_a_gap_and_one_without_a_venue_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin_check, "FeedCase", partial(FeedCase, wait_s=1.0))
    CliRunner().invoke(cli, ["new", "feed", "my_live"])
    text = (tmp_path / "my_live.py").read_text()
    (tmp_path / "my_live.py").write_text(text.replace("SequenceRule.INCREMENT", "SequenceRule.NONE"))
    result = run("my_live.py")
    assert result.exit_code == 1
    assert "broken    gap is an event: within 1 s it did not come to this: a lost message of every book" in result.output
    assert "Traceback" not in result.output
    result = run("market")
    assert result.exit_code == 1
    assert "not tried: it has no example(), a venue on loopback to try it against" in result.output


SILENT = """
from vtframe.api import Codec
from vtframe.domain import SequenceRule

class Silent(Codec):
    name = "silent"
    def open(self, instruments): ...
    def decode(self, data, records): return "nothing"
    def sequence_rule(self, instrument): return SequenceRule.NONE
"""


def test_a_codec_without_examples_is_not_tried_and_a_recording_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text(SILENT)
    result = run("silent.py")
    assert result.exit_code == 1
    assert "not tried: it has no examples(): name a recording of its venue with --recording FILE" in result.output


def test_a_name_that_nothing_has_is_an_input_error_with_the_nearest() -> None:
    result = run("book_imbalanse")
    assert result.exit_code == 2
    assert "did you mean 'book_imbalance'?" in result.stderr
    broken = run("absent.py")
    assert broken.exit_code == 2
    assert "no such file" in broken.stderr
