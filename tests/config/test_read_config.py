"""A whole configuration: defaults, every kind of fault with its line, and all of them at once."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from vtframe.config import Config, Use, read_config
from vtframe.errors import ConfigError

GOOD = """\
[feed]
use = "market"
seed = 7
[[features]]
use = "book_imbalance"
levels = 5
[[models]]
bundle = "models/demo"
[[lanes]]
model = "demo"
strategy = { use = "probability", enter = 0.62 }
[[risk]]
use = "max_position"
notional = 5_000
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "vtframe.toml"
    path.write_text(text, "utf-8")
    return path


def faults_of(folder: Path, text: str) -> list[str]:
    config, faults = read_config(write(folder, text))
    assert isinstance(config, Config)
    assert all(fault.file == str(folder / "vtframe.toml") for fault in faults)
    return [str(fault).removeprefix(str(folder / "vtframe.toml")) for fault in faults]


def good_config(path: Path, **changes: Any) -> Config:
    config, faults = read_config(path, **changes)
    assert faults == []
    return config


def one_fault(folder: Path, text: str) -> str:
    (fault,) = faults_of(folder, text)
    return fault


def test_a_short_configuration_is_filled_with_defaults(tmp_path: Path) -> None:
    config = good_config(write(tmp_path, GOOD))
    assert config.feed == Use(use="market", settings={"seed": 7}, path=("feed",))
    assert config.features == (Use(use="book_imbalance", settings={"levels": 5}, path=("features", 0)),)
    (model,) = config.models
    assert (model.name, model.where, model.deadline_us) == ("demo", "inline", 50_000)
    (lane,) = config.lanes
    assert (lane.id, lane.table.when_late, lane.table.capital) == ("lane1", "hold", Decimal(10_000))
    assert lane.execution == Use(use="paper", path=("lanes", 0, "execution"))
    assert (str(config.sampling), config.rows.dtype, config.sinks) == ("frame", "float32", ())
    assert config.resolve("models/demo") == tmp_path / "models" / "demo"
    assert config.resolve("/elsewhere") == Path("/elsewhere")
    assert config.as_run == GOOD


def test_capital_keeps_every_digit_of_a_quoted_number(tmp_path: Path) -> None:
    text = GOOD.replace('model = "demo"\n', 'model = "demo"\ncapital = "0.10000000000000000001"\n')
    assert str(good_config(write(tmp_path, text)).lanes[0].table.capital) == "0.10000000000000000001"


def test_what_the_command_line_gives_takes_the_place_of_a_table_and_is_written_down(tmp_path: Path) -> None:
    feed = {"use": "recorded", "files": ['a "b".gz', "c\n"], "speed": 1.5}
    config = good_config(write(tmp_path, GOOD), overrides={"feed": feed})
    assert config.feed == Use(use="recorded", settings={"files": ['a "b".gz', "c\n"], "speed": 1.5}, path=("feed",))
    written = tomllib.loads(config.as_run)
    assert written == {**tomllib.loads(GOOD), "feed": feed}


def test_a_fault_of_the_command_line_names_it_and_no_line(tmp_path: Path) -> None:
    _, (fault,) = read_config(write(tmp_path, GOOD), overrides={"feed": {"files": []}})
    assert (fault.file, fault.line, fault.table, fault.key) == ("command line", None, "[feed]", "use")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[feed]", "colour = 1\n[feed]", ":1 colour: found an unknown key; valid tables: vtframe, feed,"),
        ("[[risk]]", "[sampeling]\n[[risk]]", ":12 [sampeling]: found an unknown table; did you mean 'sampling'?"),
        ("[[risk]]", "[rows]\nfloat = 1\n[[risk]]", ":13 [rows] float: found an unknown key; valid keys: dtype, ring"),
        (
            "[[risk]]",
            '[rows]\nring = "1"\n[[risk]]',
            ':13 [rows] ring: found "1" (string), expected an integer, at least 1024,',
        ),
        ("[[risk]]", "[vtframe]\nplugins = 3\n[[risk]]", ":13 [vtframe] plugins: found 3 (integer), expected an array, each a"),
        (
            "[[risk]]",
            '[vtframe]\nlocal = ["a.py",\n"a.py"]\n[[risk]]',
            ":14 [vtframe] local 2: 'a.py' is named twice",
        ),
        ("[[risk]]", "[sampling]\nevery = 'clock'\n[[risk]]", ":12 [sampling] interval_ms: missing; expected an integer"),
        (
            "[[risk]]",
            "[sampling]\ninterval_ms = 5\n[[risk]]",
            ':13 [sampling] interval_ms: found 5 with every = "frame"; an int',
        ),
        (
            "[[risk]]",
            '[sampling]\nevery = "clock"\ninterval_ms = 5\nleaders = true\n[[risk]]',
            ':15 [sampling] leaders: found true with every = "clock"; leave it out: a clock makes a row of every instrument',
        ),
        ("[[risk]]", "[sampling]\nleaders = 1\n[[risk]]", ":13 [sampling] leaders: found 1 (integer), expected true or false"),
        (
            "[[risk]]",
            "[sampling]\nleader = true\n[[risk]]",
            ":13 [sampling] leader: found an unknown key; did you mean 'leaders'?",
        ),
        ('use = "market"\n', "", ":1 [feed] use: missing; expected the name of a part; `vtframe plugins` lists"),
        ('use = "market"', "uses = 'market'", ":1 [feed] use: missing; expected the name of a part; is 'uses' meant to be"),
        ('use = "book_imbalance"', "use = 5", ":5 [[features]] 1 use: found 5 (integer), expected the name of a part;"),
        ('bundle = "models/demo"', "bundle = 3", ":8 [[models]] 1 bundle: found 3 (integer), expected a string"),
        ('bundle = "models/demo"', 'name = "demo"', ":7 [[models]] 1 bundle: missing; expected a string"),
        ('bundle = "models/demo"', 'bundle = "models/de mo"', ':8 [[models]] 1 bundle: the folder\'s name "de mo" cannot'),
        (
            "[[lanes]]",
            '[[models]]\nbundle = "other/demo"\n[[lanes]]',
            ":10 [[models]] 2 bundle: found a second model 'demo', the first is on line 8; names differ",
        ),
        ('model = "demo"\n', "", ":9 [[lanes]] 1 model: missing; expected a string"),
        ("strategy =", "stratgy =", ":11 [[lanes]] 1 stratgy: found an unknown key; did you mean 'strategy'?"),
        ("strategy = {", "strategy = 3 # {", ":11 [[lanes]] 1 strategy: found 3 (integer), expected a table such as"),
        ('use = "probability"', 'use = ""', ':11 [[lanes]] 1 strategy use: found "" (string), expected the name of a part'),
        ('model = "demo"', 'model = "demo"\nlimits = [{ use = "a" },\n{ }]', ":12 [[lanes]] 1 limits 2 use: missing; expected"),
        ('model = "demo"', 'model = "demo"\nlimits = [3]', ":11 [[lanes]] 1 limits 1: found 3 (integer), expected a table"),
        (
            'model = "demo"',
            'model = "demo"\nlimits = "a"',
            ':11 [[lanes]] 1 limits: found "a" (string), expected an array of tab',
        ),
        ('model = "demo"', 'model = "demo"\ncapital = 0', ":11 [[lanes]] 1 capital: found 0, expected more than 0;"),
        ('model = "demo"', 'model = "demo"\ncapital = "NaN"', ":11 [[lanes]] 1 capital: found NaN, expected more than 0;"),
        (
            'model = "demo"',
            'model = "demo"\nwhen_late = "flat"',
            ':11 [[lanes]] 1 when_late: found "flat" (string), expected one',
        ),
        (
            'model = "demo"',
            'model = "demo"\nid = "a/b"',
            ':11 [[lanes]] 1 id: found "a/b" (string), expected a string, matching',
        ),
    ],
)
def test_one_mistake_is_one_fault_on_its_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    faults = faults_of(tmp_path, GOOD.replace(old, new, 1))
    assert [fault for fault in faults if fault.startswith(expected)], faults
    assert len(faults) == (2 if new.startswith("stratgy") else 1)  # a misspelt required key is also missing


@pytest.mark.parametrize("table", ["[feed]", "[[features]]", "[[models]]", "[[lanes]]", "[[risk]]"])
def test_a_missing_table_is_named_with_what_to_write(tmp_path: Path, table: str) -> None:
    start = GOOD.index(table)
    end = min((at for at in (GOOD.find("\n[", start),) if at != -1), default=len(GOOD))
    fault = one_fault(tmp_path, GOOD[:start] + GOOD[end:].lstrip("\n"))
    assert fault.startswith(f" {table}: missing; write {table} with ")


@pytest.mark.parametrize("name", ["feed", "features", "models", "lanes", "risk", "sinks", "vtframe", "rows", "sampling"])
@pytest.mark.parametrize("value", ["3", '"x"', "[1]", "true", "1979-05-27"])
def test_a_value_where_a_table_belongs_is_a_fault_and_no_crash(tmp_path: Path, name: str, value: str) -> None:
    blocks = re.split(r"^(?=\[)", GOOD, flags=re.MULTILINE)
    rest = "".join(block for block in blocks if not block.lstrip("[").startswith(name))
    fault = one_fault(tmp_path, f"{name} = {value}\n{rest}")
    assert fault.startswith(f":1 {name}")
    assert "expected a" in fault


def test_two_lanes_of_one_id_are_told_even_where_the_id_is_a_default(tmp_path: Path) -> None:
    lane = '[[lanes]]\nmodel = "demo"\nstrategy = { use = "x" }\n'
    fault = one_fault(tmp_path, GOOD + lane + 'id = "lane1"\n')
    assert fault == ":18 [[lanes]] 2 id: found a second lane 'lane1', the first is on line 9; names differ"


def test_several_mistakes_are_told_together_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = """\
[feed]
use = 3
[rows]
dtype = "float16"
[[features]]
usee = "x"
[[models]]
bundle = "m"
deadline_us = "fast"
[[models]]
where = "gpu"
[[lanes]]
capital = -5
when_late = "never"
"""
    faults = faults_of(tmp_path, text)
    assert [fault.split(":")[0] + ":" + fault.split(":")[1] for fault in faults] == [
        ' [[risk]]: missing; write [[risk]] with use = "..."',
        ":2 [feed] use",
        ":4 [rows] dtype",
        ":5 [[features]] 1 use",
        ":9 [[models]] 1 deadline_us",
        ":10 [[models]] 2 bundle",
        ":11 [[models]] 2 where",
        ":12 [[lanes]] 1 model",
        ":12 [[lanes]] 1 strategy",
        ":13 [[lanes]] 1 capital",
        ":14 [[lanes]] 1 when_late",
    ]
    assert ConfigError(*faults).exit_code == 2


def test_a_sampling_rule_is_said_in_words(tmp_path: Path) -> None:
    words = {
        "": "frame",
        'every = "bbo"': "bbo",
        'every = "trade"\nleaders = true': "trade and leaders",
        'every = "clock"\ninterval_ms = 250': "clock 250 ms",
    }
    for table, said in words.items():
        assert str(good_config(write(tmp_path, GOOD + "[sampling]\n" + table)).sampling) == said
