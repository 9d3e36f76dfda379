"""Loading plugins: what is named is loaded, what is not is not even imported, and every mistake names the plugin."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vtframe.api import hooks
from vtframe.errors import ConfigError, PluginError
from vtframe.plugins import KINDS, Plugins, load_plugins

Install = Callable[..., None]

SPREAD = """
    from vtframe.api import Feature, hookimpl

    class Spread(Feature):
        '''The spread.'''
        name = "spread"
        def kernel(self): ...

    @hookimpl
    def register_features():
        return [Spread]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Make a distribution as pip would leave it: a module, and metadata with an entry point."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def make(name: str, code: str, *, module: str = "", dist: str = "", target: str = "") -> None:
        module = module or f"fake_{name}"
        (site / f"{module}.py").write_text(textwrap.dedent(code))
        info = site / f"{(dist or 'vtframe-' + name).replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist or 'vtframe-' + name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[vtframe.v1]\n{name} = {target or module}\n")

    yield make
    for added in set(sys.modules) - before:
        if added.startswith("fake_"):
            del sys.modules[added]


def only_error(plugins: Plugins) -> PluginError:
    (error,) = plugins.errors
    assert error.exit_code == 2
    assert "\n" not in str(error)
    return error


def status(plugins: Plugins, name: str) -> tuple[bool, bool, bool, str]:
    (found,) = [plugin for plugin in plugins.status if plugin.name == name]
    return found.installed, found.named, found.loaded, found.problem


def test_a_named_plugin_gives_its_parts(install: Install) -> None:
    install("good", SPREAD)
    plugins = load_plugins(named=["good"])
    assert plugins.errors == []
    assert plugins.registries.features.get("spread").__name__ == "Spread"
    (entry,) = plugins.parts
    assert (entry.kind, entry.name, entry.plugin, entry.summary) == ("feature", "spread", "good", "The spread.")
    assert status(plugins, "good") == (True, True, True, "")


def test_a_plugin_that_is_installed_and_not_named_is_listed_and_not_imported(install: Install, tmp_path: Path) -> None:
    trace = tmp_path / "imported"
    install("loud", f"open({str(trace)!r}, 'w').close()\n")
    plugins = load_plugins()
    assert status(plugins, "loud") == (True, False, False, "")
    assert "fake_loud" not in sys.modules
    assert not trace.exists()
    load_plugins(named=["loud"])
    assert trace.exists()  # so the trace does show an import


def test_a_part_of_an_installed_plugin_that_is_not_named_is_missing_with_a_hint(install: Install) -> None:
    install("good", SPREAD)
    with pytest.raises(ConfigError, match=r"no feature 'spread'; .*not named in \[vtframe\] plugins: .*good"):
        load_plugins().registries.features.get("spread")


def test_an_unknown_part_is_refused_with_the_nearest_name(install: Install) -> None:
    install("good", SPREAD)
    with pytest.raises(ConfigError, match=r"no feature 'spraed'; did you mean 'spread'\?"):
        load_plugins(named=["good"]).registries.features.get("spraed")


@pytest.mark.parametrize("asked", ["goood", "vtframe-good", "vtframe_good"])
def test_a_named_plugin_that_is_not_installed_is_told_with_the_nearest(install: Install, asked: str) -> None:
    install("good", SPREAD)
    plugins = load_plugins(named=[asked])
    error = only_error(plugins)
    assert (error.plugin, error.problem) == (asked, "not installed")
    assert error.hint == "did you mean 'good'? else pip install the package that gives it"
    assert status(plugins, asked)[:3] == (False, True, False)


def test_only_our_own_packages_are_advised_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtframe.plugins.load.installed_plugins", dict)
    hints = {name: only_error(load_plugins(named=[name])).hint for name in ("onnx", "onxx", "vtframe-onnx", "stranger")}
    assert hints == {
        "onnx": "pip install vtframe-onnx",
        "onxx": "pip install vtframe-onnx",
        "vtframe-onnx": "pip install vtframe-onnx",
        "stranger": "pip install the package that gives it",
    }


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import no_such_module\n", "broken on import: ModuleNotFoundError: No module named 'no_such_module' ("),
        ("x = 1\n\ny = 1 / 0\n", "broken on import: ZeroDivisionError: division by zero ("),
        ("def f(:\n", "broken on import: SyntaxError: invalid syntax ("),
        ("import sys\nsys.exit('bye')\n", "broken on import: SystemExit: bye ("),
        ("raise ValueError('first\\nsecond')\n", "broken on import: ValueError: first ("),
    ],
)
def test_a_plugin_that_breaks_on_import_is_one_line_with_its_cause(install: Install, code: str, problem: str) -> None:
    install("broken", code)
    install("good", SPREAD)
    plugins = load_plugins(named=["broken", "good"])
    error = only_error(plugins)
    assert error.plugin == "broken"
    assert error.problem.startswith(problem)
    assert "fake_broken.py:" in error.problem
    assert plugins.loaded == ("good",)
    assert status(plugins, "broken")[:3] == (True, True, False)


def test_an_entry_point_to_something_missing_is_an_error(install: Install) -> None:
    install("hollow", "", target="fake_hollow:plugin")
    assert "AttributeError" in only_error(load_plugins(named=["hollow"])).problem


def test_an_entry_point_may_be_an_object(install: Install) -> None:
    code = """
        from vtframe.api import Feature, hookimpl

        class Spread(Feature):
            name = "spread"
            def kernel(self): ...

        class Plugin:
            @hookimpl
            def register_features(self):
                return (Spread,)

        plugin = Plugin()
    """
    install("thing", code, target="fake_thing:plugin")
    plugins = load_plugins(named=["thing"])
    assert plugins.errors == []
    assert plugins.registries.features.names() == ["spread"]


def test_two_plugins_that_give_one_name_are_both_told(install: Install) -> None:
    install("first", SPREAD)
    install("second", SPREAD)
    plugins = load_plugins(named=["first", "second"])
    assert str(only_error(plugins)) == (
        "plugin 'second': feature 'spread' is given by plugin 'first' too; a name belongs to one part"
    )
    assert plugins.registries.features.get("spread").__module__ == "fake_first"


def test_two_distributions_that_claim_one_plugin_are_both_told(install: Install) -> None:
    install("good", SPREAD, module="fake_a", dist="vtframe-a")
    install("good", SPREAD, module="fake_b", dist="vtframe-b")
    problem = only_error(load_plugins(named=["good"])).problem
    assert "vtframe-a 1.0" in problem
    assert "vtframe-b 1.0" in problem


def test_a_misspelt_hook_is_an_error_with_the_nearest_hook(install: Install) -> None:
    install("typo", SPREAD.replace("def register_features", "def register_feature"))
    error = only_error(load_plugins(named=["typo"]))
    assert str(error) == "plugin 'typo': there is no hook 'register_feature'; did you mean 'register_features'?"


def test_a_hook_without_its_mark_is_an_error(install: Install) -> None:
    install("unmarked", SPREAD.replace("@hookimpl", ""))
    assert "register_features is not marked @hookimpl" in str(only_error(load_plugins(named=["unmarked"])))


def test_a_hook_with_the_wrong_arguments_is_an_error(install: Install) -> None:
    install("wrong", SPREAD.replace("def register_features():", "def register_features(config):"))
    error = only_error(load_plugins(named=["wrong"]))
    assert error.problem.startswith("a hook does not fit: ")
    assert "config" in error.problem


def test_a_hook_that_raises_names_its_plugin_and_the_others_are_still_asked(install: Install) -> None:
    install("raises", SPREAD.replace("return [Spread]", "raise RuntimeError('no luck')"))
    install("good", SPREAD)
    plugins = load_plugins(named=["raises", "good"])
    assert only_error(plugins).problem.startswith("register_features failed: RuntimeError: no luck (")
    assert plugins.registries.features.names() == ["spread"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("return [Spread]", "pass", "register_features returned None, expected a list"),
        ("return [Spread]", "return Spread", "register_features returned <class"),
        ("return [Spread]", "return [Spread()]", "register_features returned Spread("),
        ("return [Spread]", "return [int]", "register_features returned int, which is no Feature; extend vtframe.api.Feature"),
        (
            "register_features",
            "register_sinks",
            "register_sinks returned Spread, which is no Sink; register_features is its hook",
        ),
        ('name = "spread"', "", "feature class Spread has no name;"),
        ('name = "spread"', 'name = "Spread!"', "feature class Spread has the name 'Spread!';"),
        ('name = "spread"', "name = 3", "feature class Spread has the name 3;"),
        ('name = "spread"', 'name: str = "spread"', "feature class Spread has `name` as a setting;"),
        ("def kernel(self): ...", "", "feature class Spread does not define kernel; see vtframe.api.Feature"),
        (
            "def kernel(self): ...",
            "x: 'Nowhere' = 1\n        def kernel(self): ...",
            "feature class Spread: the type of a setting",
        ),
        ("return [Spread]", "return [Spread, Spread]", "feature 'spread' is given twice by itself;"),
    ],
)
def test_what_a_hook_returns_is_checked(install: Install, old: str, new: str, problem: str) -> None:
    assert old in SPREAD
    install("odd", SPREAD.replace(old, new))
    error = only_error(load_plugins(named=["odd"]))
    assert str(error).startswith(f"plugin 'odd': {problem}")


def test_commands_are_collected_and_checked(install: Install) -> None:
    command = "import click\nfrom vtframe.api import hookimpl\n@click.command('{}')\ndef c(): ...\n"
    hook = "@hookimpl\ndef register_commands():\n    return [{}]\n"
    install("one", command.format("hello") + hook.format("c"))
    install("two", command.format("hello") + hook.format("c"))
    install("three", command.format("bye") + hook.format("3"))
    plugins = load_plugins(named=["one", "two", "three"])
    assert plugins.commands["hello"][1] == "one"
    assert [error.problem for error in plugins.errors] == [
        "command 'hello' is given by plugin 'one' too",
        "register_commands returned 3, expected click commands with names",
    ]


def test_every_implementation_is_called_alone_and_a_failure_names_its_plugin(install: Install) -> None:
    code = "from vtframe.api import hookimpl\n@hookimpl\ndef check_config(config):\n    {}\n"
    install("a", code.format("return [config['x']]"))
    install("b", code.format("raise KeyError('y')"))
    install("c", "from vtframe.api import hookimpl\n@hookimpl\ndef check_config():\n    return []\n")
    plugins = load_plugins(named=["a", "b", "c"])
    first, second, third = plugins.call("check_config", config={"x": 1})
    assert (first.plugin, first.value, first.error) == ("a", [1], None)
    assert second.error is not None
    assert second.error.problem.startswith("check_config failed: KeyError: 'y'")
    assert (third.plugin, third.value) == ("c", [])
    with pytest.raises(PluginError):
        load_plugins(named=["nowhere"]).raise_errors()


def test_a_broken_built_in_module_is_told_in_its_name() -> None:
    error = only_error(load_plugins(["vtframe.builtin.nothing.hooks"]))
    assert error.plugin == "builtin.nothing"


def test_every_register_hook_of_a_part_has_a_kind() -> None:
    register = {name for name in vars(hooks) if name.startswith("register_")} - {"register_commands"}
    assert register == {kind.hook for kind in KINDS}
    for kind in KINDS:
        for required in kind.required:
            assert hasattr(kind.cls, required) or required in kind.cls.__annotations__
