"""`vtframe check`: everything that is wrong with a configuration, its parts, plugins and bundles, in one go."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vtframe.api import InputFeature, Label
from vtframe.assemble.check import examine
from vtframe.assemble.trial import try_out
from vtframe.cli.main import cli
from vtframe.config import in_order
from vtframe.errors import ConfigError
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_format import Description, Input, Output

PARTS = '''
    """Every part of the configuration below, so that nothing here depends on the parts in the box."""

    from typing import Annotated, ClassVar, Literal

    from msgspec import Meta

    from vtframe.api import ExecutionAdapter, Fault, Feature, Feed, Kernel, ModelBackend, RiskPolicy, Sink, Strategy, hookimpl

    class SomeFeed(Feed):
        name = "some_feed"
        seed: int = 1
        def open(self, context): ...
        async def run(self, sink): ...

    class Lean(Feature):
        """How the book leans."""
        name = "lean"
        levels: Annotated[int, Meta(ge=1, le=50)] = 1
        def kernel(self):
            if self.levels == 13:
                raise RuntimeError("unlucky")
            return None if self.levels == 14 else Kernel(outputs=("", "deep") if self.levels > 20 else ("",))

    class SomeStrategy(Strategy):
        name = "some_strategy"
        enter: Annotated[float, Meta(ge=0, le=1)] = 0.5
        def check(self, model, columns):
            if self.enter == 0.25:
                raise RuntimeError("quarter")
            known = f"{model.name} with {', '.join(columns)}"
            return [Fault(key="enter", problem=f"too high for {known}")] if self.enter > 0.9 else []
        def on_prediction(self, prediction, view): ...

    class SomeLimit(RiskPolicy):
        name = "some_limit"
        notional: Annotated[float, Meta(gt=0)]
        def review(self, order, context):
            return order

    class SomeAdapter(ExecutionAdapter):
        name = "some_adapter"
        guarantee: ClassVar[Literal["exactly_once"]] = "exactly_once"
        def start(self, context): ...
        def submit(self, order): ...
        def cancel(self, command): ...

    class SomeModel:
        def close(self): ...

    class SomeBackend(ModelBackend):
        name = "some_backend"
        def open(self, bundle):
            return SomeModel()

    class SomeSink(Sink):
        name = "some_sink"
        def start(self, session): ...

    @hookimpl
    def check_config(config):
        if config["feed"].get("seed") == 666:
            return [Fault(table="[feed]", key="seed", problem="found 666", hint="choose another")]
        return []
'''

GOOD = """\
[vtframe]
local = ["parts.py"]
[feed]
use = "some_feed"
[[features]]
use = "lean"
levels = 5
[[models]]
bundle = "demo"
[[lanes]]
model = "demo"
strategy = { use = "some_strategy", enter = 0.62 }
execution = { use = "some_adapter" }
limits = [{ use = "some_limit", notional = 10 }]
[[risk]]
use = "some_limit"
notional = 5_000
[[sinks]]
use = "some_sink"
"""

Project = Callable[[str], Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Writes a configuration beside its local plugin and its bundle."""
    (tmp_path / "parts.py").write_text(textwrap.dedent(PARTS))
    output = Output(
        classes=("down", "flat", "up"),
        label=Label(horizon_rows=10),
        expected_move_bps=(-1.0, 0.0, 1.0),
        variance_bps2=1.0,
        horizon_ns=1,
    )
    feature = InputFeature(use="lean", label="lean", columns=("lean",), settings={"levels": 5})
    inputs = Input(features=(feature,), window=1500, sampling="frame")
    description = Description(name="demo", backend="some_backend", file="model.bin", input=inputs, output=output)
    write_bundle(tmp_path / "demo", description, {"model.bin": b"weights"})

    def write(text: str) -> Path:
        path = tmp_path / "vtframe.toml"
        path.write_text(text)
        return path

    return write


def faults_of(path: Path) -> list[str]:
    examined = examine(path, builtin=())
    faults = in_order((*examined.faults, *try_out(examined, lambda _: None).faults))
    return [str(fault).removeprefix(str(path)) for fault in faults]


def test_a_good_configuration_has_no_faults_and_everything_to_run_with(project: Project) -> None:
    examined = examine(project(GOOD), builtin=())
    assert examined.faults == ()
    parts = examined.usable_parts()
    assert [type(policy).name for policy in parts.risk] == ["some_limit"]
    (lane,) = parts.lanes
    assert (lane.id, type(lane.strategy).name, type(lane.execution).name) == ("lane1", "some_strategy", "some_adapter")
    assert [type(limit).name for limit in lane.limits] == ["some_limit"]
    assert examined.columns == ("lean",)
    assert examined.bundles["demo"].window == 1500
    assert examined.plugins.loaded == ("parts.py",)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("some_feed", "some_fed", ":4 [feed] use: no feed 'some_fed'; did you mean 'some_feed'?"),
        ('use = "lean"', 'use = "leen"', ":6 [[features]] 1 use: no feature 'leen'; did you mean 'lean'?"),
        (
            "levels = 5",
            "levels = 51",
            ":7 [[features]] 1 levels: found 51 (integer), expected an integer, at least 1, at most 50",
        ),
        ("levels = 5", "level = 5\nlevels = 5", ":7 [[features]] 1 level: found an unknown key; did you mean 'levels'?"),
        ("levels = 5", "levels = 13", ":5 [[features]] 1: feature 'lean': kernel() failed: RuntimeError('unlucky')"),
        ("levels = 5", "levels = 14", ":5 [[features]] 1: feature 'lean': kernel() must return a Kernel, it returned NoneType"),
        ('model = "demo"', 'model = "demmo"', ":11 [[lanes]] 1 model: no model 'demmo'; did you mean 'demo'?"),
        (
            '"some_strategy"',
            '"some_startegy"',
            ":12 [[lanes]] 1 strategy use: no strategy 'some_startegy'; did you mean 'some_",
        ),
        ("0.62", '"high"', ':12 [[lanes]] 1 strategy enter: found "high" (string), expected a number, at least 0'),
        ("0.62", "0.95", ":12 [[lanes]] 1 strategy enter: too high for demo with lean"),
        ("0.62", "0.25", ":12 [[lanes]] 1 strategy: strategy 'some_strategy': check() failed: RuntimeError: quarter"),
        ("some_adapter", "other", ":13 [[lanes]] 1 execution use: no execution adapter 'other'; there are: some_adapter"),
        (
            "notional = 10",
            "notional = -1",
            ":14 [[lanes]] 1 limits 1 notional: found -1 (integer), expected a number, more than 0",
        ),
        (", notional = 10", "", ":14 [[lanes]] 1 limits 1 notional: missing; expected a number, more than 0"),
        ("notional = 5_000", "", ":15 [[risk]] 1 notional: missing; expected a number, more than 0"),
        ("some_sink", "sunk", ":19 [[sinks]] 1 use: no sink 'sunk'; there are: some_sink"),
        ('bundle = "demo"', 'bundle = "nodemo"\nname = "demo"', ":9 [[models]] 1 bundle: {folder}/nodemo: does not exist;"),
        (
            "[[models]]",
            "[rows]\nring = 1024\n[[models]]",
            ":11 [[models]] 1 bundle: model 'demo' sees 1500 rows, [rows] ring keeps 1024;",
        ),
        ('use = "some_feed"', 'use = "some_feed"\nseed = 666', " [feed] seed: found 666; choose another"),
        (
            'local = ["parts.py"]',
            'local = ["parts.py"]\nplugins = ["no_such"]',
            ":3 [vtframe] plugins 1: plugin 'no_such': not insta",
        ),
    ],
)
def test_one_mistake_is_one_fault_where_it_stands(project: Project, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    path = project(GOOD.replace(old, new, 1))
    (fault,) = faults_of(path)
    assert fault.startswith(expected.replace("{folder}", str(path.parent)))
    with pytest.raises(ConfigError):
        examine(path, builtin=()).usable_parts()


def test_a_feature_used_twice_needs_another_name(project: Project) -> None:
    twice = GOOD.replace("[[models]]", '[[features]]\nuse = "lean"\nlevels = 2\n[[models]]')
    duplicate = faults_of(project(twice))[0]
    assert duplicate.startswith(":8 [[features]] 2 as: column 'lean' is made twice, first on line 5; tell them apart with as")
    assert faults_of(project(twice.replace("levels = 2", 'levels = 2\nas = "shallow"'))) == []


def test_a_model_reads_its_own_columns_of_rows_that_hold_more_but_what_they_are_made_of_must_be_stated(
    project: Project,
) -> None:
    more = '[[features]]\nuse = "lean"\nas = "shallow"\n'
    assert faults_of(project(GOOD.replace("[[features]]", f"{more}[[features]]"))) == []
    path = project(GOOD.replace("[[features]]", f"{more}[[features]]"))
    code = textwrap.dedent(PARTS).replace('else ("",))', 'else ("",), inputs=() if self.as_ else ("shallow",))')
    (path.parent / "parts.py").write_text(code)
    (fault,) = faults_of(path)
    assert ":12 [[models]] 1 bundle: the model was trained on other rows than the pipeline makes:" in fault
    assert "~ lean: reads shallow, which the bundle does not state" in fault


def test_columns_that_meet_are_found_though_the_labels_differ(project: Project) -> None:
    text = GOOD.replace("levels = 5", 'levels = 21\n[[features]]\nuse = "lean"\nas = "lean_deep"')
    first = faults_of(project(text))[0]
    assert first.startswith(":10 [[features]] 2 as: column 'lean_deep' is made twice, first on line 5;")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("levels = 5", "levels = 4", "~ lean: trained with levels = 5; the pipeline has levels = 4"),
        ("levels = 5", "", "~ lean: trained with levels = 5; the pipeline has levels = 1"),
        ("[[models]]", "[sampling]\nevery = 'trade'\n[[models]]", "~ sampling: trained on 'frame'; the pipeline has 'trade'"),
        ("[[models]]", "[rows]\ndtype = 'float64'\n[[models]]", "~ dtype: trained on float32; the pipeline has float64"),
    ],
)
def test_rows_that_the_model_was_not_trained_on_are_refused_with_the_difference(
    project: Project, old: str, new: str, line: str
) -> None:
    (fault,) = faults_of(project(GOOD.replace(old, new, 1)))
    assert "[[models]] 1 bundle: the model was trained on other rows than the pipeline makes:" in fault
    assert line in fault


def test_a_bundle_for_a_backend_that_no_plugin_gives_is_told(project: Project) -> None:
    path = project(GOOD)
    (path.parent / "parts.py").write_text(textwrap.dedent(PARTS).replace('"some_backend"', '"other_backend"'))
    (fault,) = faults_of(path)
    assert fault.startswith(":9 [[models]] 1 bundle: bundle 'demo' needs model backend 'some_backend', which no plugin gives")


def test_an_altered_bundle_is_told(project: Project) -> None:
    path = project(GOOD)
    (path.parent / "demo" / "model.bin").write_bytes(b"changed")
    (fault,) = faults_of(path)
    assert fault.startswith(":9 [[models]] 1 bundle: ")
    assert "model.bin" in fault


def test_a_broken_local_plugin_is_told_where_it_is_named_and_its_parts_say_so(project: Project) -> None:
    path = project(GOOD)
    (path.parent / "parts.py").write_text("import nowhere\n")
    faults = faults_of(path)
    assert faults[0].startswith(
        ":2 [vtframe] local 1: plugin 'parts.py': broken on import: ModuleNotFoundError: No module named"
    )
    assert all("broken plugins: parts.py" in fault for fault in faults[1:] if ": no " in fault)


def test_what_check_config_gets_cannot_change_the_configuration(project: Project) -> None:
    path = project(GOOD)
    code = textwrap.dedent(PARTS).replace('if config["feed"]', 'config["feed"]["use"] = "changed"\n    if config["feed"]')
    (path.parent / "parts.py").write_text(code)
    examined = examine(path, builtin=())
    assert examined.faults == ()
    assert examined.config.document.data["feed"]["use"] == "some_feed"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("raise KeyError('x')", "plugin 'parts.py': check_config failed: KeyError: 'x' ("),
        ("return ['text']", "plugin 'parts.py': check_config returned ['text'], expected a list of Fault"),
        ("return None", "plugin 'parts.py': check_config returned None, expected a list of Fault"),
    ],
)
def test_a_check_config_that_misbehaves_is_told(project: Project, answer: str, problem: str) -> None:
    path = project(GOOD)
    code = textwrap.dedent(PARTS).replace('if config["feed"]', f'{answer}\n    if config["feed"]')
    (path.parent / "parts.py").write_text(code)
    (fault,) = faults_of(path)
    assert fault.startswith(f": {problem}")


def test_faults_of_every_sort_are_told_together_in_the_order_of_the_lines(project: Project) -> None:
    text = (
        GOOD.replace('local = ["parts.py"]', 'local = ["parts.py"]\nplugins = ["no_such"]\nlocl = []')
        .replace("some_feed", "some_fed")
        .replace("levels = 5", "levels = 0")
        .replace('model = "demo"', 'model = "dem"\ncapital = "much"')
        .replace("0.62", "62")
        .replace("notional = 5_000", 'notional = "5000"')
        .replace("[[sinks]]", "[sink]")
    )
    faults = faults_of(project(text))
    assert [fault.split(":")[1] for fault in faults] == [
        "3 [vtframe] plugins 1",
        "4 [vtframe] locl",
        "6 [feed] use",
        "9 [[features]] 1 levels",
        "13 [[lanes]] 1 model",
        "14 [[lanes]] 1 capital",
        "15 [[lanes]] 1 strategy enter",
        "20 [[risk]] 1 notional",
        "21 [sink]",
    ]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, list(arguments))


def test_the_command_prints_every_fault_and_exits_2(project: Project) -> None:
    path = project(GOOD.replace("0.62", "62").replace("levels = 5", "levels = 0"))
    result = run("check", str(path))
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert f"{path}:7 [[features]] 1 levels: found 0 (integer), expected an integer, at least 1, at most 50" in lines
    assert f"{path}:12 [[lanes]] 1 strategy enter: found 62 (integer), expected a number, at least 0, at most 1" in lines
    assert lines[-1] == "2 faults"


def test_the_command_prints_json_for_machines(project: Project) -> None:
    path = project(GOOD.replace("0.62", "62"))
    result = run("check", str(path), "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == [
        {
            "file": str(path),
            "line": 12,
            "table": "[[lanes]] 1 strategy",
            "key": "enter",
            "problem": "found 62 (integer), expected a number, at least 0, at most 1",
            "hint": "",
        }
    ]


def test_the_command_says_ok_with_what_would_run(project: Project) -> None:
    path = project(GOOD)
    result = run("check", str(path))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"OK {path}")
    for word in ("some_feed", "lean", "demo", "lane1", "some_strategy", "some_adapter", "some_limit", "some_sink", "parts.py"):
        assert word in result.stdout
    result = run("check", str(path), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_a_missing_file_and_broken_toml_are_one_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("check")
    assert (result.exit_code, result.stderr) == (2, "vtframe.toml: no such file; name a configuration file\n1 fault\n")
    (tmp_path / "vtframe.toml").write_text("[feed\n")
    result = run("check", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)[0]["line"] == 1
