"""Local plugins: a file beside the configuration, with parts or hooks, and its mistakes told by file and line."""

from __future__ import annotations

import linecache
import sys
import textwrap
import traceback
from pathlib import Path

import pytest

from vtframe.plugins import Plugins, load_plugins

STRATEGY = """
    from vtframe.api import Strategy

    class Mine(Strategy):
        name = "{}"
        size: int = 1

        def on_prediction(self, prediction, view):
            raise RuntimeError("from line 9")
"""


@pytest.fixture(autouse=True)
def fresh_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """No local plugin of another test is there."""
    for name in [name for name in sys.modules if name.split(".")[0] == "vtframe_local"]:
        monkeypatch.delitem(sys.modules, name)


def write(path: Path, code: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code))
    return path


def load(folder: Path, *local: str) -> Plugins:
    return load_plugins(local=local, folder=folder)


def problem_of(folder: Path, *local: str) -> str:
    (error,) = load(folder, *local).errors
    assert "\n" not in str(error)
    return str(error)


def test_a_file_that_only_defines_parts_gives_them(tmp_path: Path) -> None:
    write(tmp_path / "s" / "mine.py", STRATEGY.format("mine"))
    plugins = load(tmp_path, "s/mine.py")
    assert plugins.errors == []
    (part,) = plugins.parts
    assert (part.kind, part.name, part.plugin) == ("strategy", "mine", "s/mine.py")
    assert part.cls.__module__ == "vtframe_local.mine"


def test_a_traceback_through_a_local_plugin_shows_the_real_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.py", STRATEGY.format("mine"))
    strategy = load(tmp_path, "mine.py").registries.strategies.get("mine")()
    with pytest.raises(RuntimeError) as raised:
        strategy.on_prediction(None, None)  # type: ignore[arg-type]
    frame = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (frame.filename, frame.lineno) == (str(path), 9)
    assert frame.line == 'raise RuntimeError("from line 9")'


def test_two_files_of_one_stem_are_two_plugins(tmp_path: Path) -> None:
    write(tmp_path / "a" / "mine.py", STRATEGY.format("first"))
    write(tmp_path / "b" / "mine.py", STRATEGY.format("second"))
    plugins = load(tmp_path, "a/mine.py", "b/mine.py")
    assert plugins.errors == []
    first, second = plugins.registries.strategies.get("first"), plugins.registries.strategies.get("second")
    assert first.__module__ != second.__module__
    assert {sys.modules[cls.__module__].__file__ for cls in (first, second)} == {
        str(tmp_path / folder / "mine.py") for folder in "ab"
    }


def test_an_edited_file_is_read_anew_even_when_its_size_and_second_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.py", STRATEGY.format("aaa"))
    assert load(tmp_path, "mine.py").registries.strategies.names() == ["aaa"]
    write(path, STRATEGY.format("bbb"))
    linecache.checkcache()
    assert load(tmp_path, "mine.py").registries.strategies.names() == ["bbb"]
    assert list(tmp_path.iterdir()) == [path]  # and nothing is written beside it


def test_a_name_that_is_no_identifier_is_imported_all_the_same(tmp_path: Path) -> None:
    write(tmp_path / "my-own strategy.v2.py", STRATEGY.format("mine"))
    assert load(tmp_path, "my-own strategy.v2.py").registries.strategies.names() == ["mine"]


def test_hooks_and_parts_may_stand_in_one_file(tmp_path: Path) -> None:
    code = STRATEGY.format("mine") + (
        "\n    from vtframe.api import Feature, hookimpl\n"
        "    class Given(Feature):\n        name = 'given'\n        def kernel(self): ...\n"
        "    class Kept(Feature):\n        name = 'kept'\n        def kernel(self): ...\n"
        "    @hookimpl\n    def register_features():\n        return [Given]\n"
    )
    write(tmp_path / "mixed.py", code)
    plugins = load(tmp_path, "mixed.py")
    assert plugins.errors == []
    assert plugins.registries.strategies.names() == ["mine"]
    assert plugins.registries.features.names() == ["given"]  # the hook decides where there is one


def test_imported_and_nameless_classes_are_not_taken_for_the_files_own_parts(tmp_path: Path) -> None:
    write(tmp_path / "origin.py", STRATEGY.format("origin"))
    load(tmp_path, "origin.py")
    code = STRATEGY.format("mine") + "\n    from vtframe_local.origin import Mine as Other\n    class Half(Strategy): ...\n"
    write(tmp_path / "mine.py", code)
    assert load(tmp_path, "mine.py").registries.strategies.names() == ["mine"]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("x = 1\ny = nope\n", "broken on import: NameError: name 'nope' is not defined ({path}:2)"),
        ("x = 1\nif x\n    pass\n", "broken on import: SyntaxError: expected ':' ({path}:2)"),
        ("import nowhere\n", "broken on import: ModuleNotFoundError: No module named 'nowhere' ({path}:1)"),
        ("raise SystemExit\n", "broken on import: SystemExit ({path}:1)"),
        ("x = 1\n", "defines no part and no hook; extend a class of vtframe.api, or write hooks"),
        (
            "from vtframe.api import Sink\nclass Quiet(Sink): ...\n",
            'defines no part and no hook; give Quiet a name = "..."',
        ),
        (
            "from vtframe.api import Sink\nclass Quiet(Sink):\n    name = 'quiet'\n",
            "sink class Quiet does not define start; see vtframe.api.Sink",
        ),
    ],
)
def test_a_broken_file_is_told_with_its_line(tmp_path: Path, code: str, problem: str) -> None:
    path = write(tmp_path / "bad.py", code)
    assert problem_of(tmp_path, "bad.py") == f"plugin 'bad.py': {problem.format(path=path)}"
    assert ("vtframe_local.bad" in sys.modules) == ("broken on import" not in problem)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    assert problem_of(tmp_path, "no.py").startswith(f"plugin 'no.py': no such file at {tmp_path / 'no.py'};")
    (tmp_path / "folder").mkdir()
    assert problem_of(tmp_path, "folder").startswith("plugin 'folder': a folder at ")


def test_a_local_part_with_the_name_of_another_plugins_part_names_both(tmp_path: Path) -> None:
    write(tmp_path / "a.py", STRATEGY.format("same"))
    write(tmp_path / "b.py", STRATEGY.format("same"))
    assert problem_of(tmp_path, "a.py", "b.py") == (
        "plugin 'b.py': strategy 'same' is given by plugin 'a.py' too; a name belongs to one part"
    )
