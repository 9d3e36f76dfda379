"""The shell around the commands: quick help, exit codes, and never a traceback for what somebody can put right."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from vtframe import __version__
from vtframe.cli import main as shell
from vtframe.cli.plugin_commands import find_commands
from vtframe.errors import ConfigError, Fault, HaltedError, InputError, InvariantError, PluginError, VtframeError

Act = Callable[[], Any]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder without a configuration, with logs of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    find_commands.cache_clear()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Act], None]:
    """Adds a command called ``act`` that does what it is given."""

    def add(act: Act) -> None:
        module = types.ModuleType("vtframe_test_command")
        module.__spec__ = types.SimpleNamespace(name="vtframe_test_command")  # type: ignore[assignment]
        module.act = click.command("act")(act)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "vtframe_test_command", module)
        monkeypatch.setitem(shell.COMMANDS, "act", ("vtframe_test_command:act", "Acts."))

    return add


def run(*arguments: str) -> Any:
    return CliRunner().invoke(shell.cli, list(arguments))


def raiser(error: BaseException) -> Act:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("a.gz:3", "not a frame", "look at it"), 2, "error: a.gz:3: not a frame; look at it\n"),
        (PluginError("p", "broken"), 2, "error: plugin 'p': broken\n"),
        (VtframeError("it failed"), 1, "error: it failed\n"),
        (InvariantError("two books"), 1, "error: two books\n"),
        (HaltedError("drawdown"), 3, "error: drawdown\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
        (click.UsageError("no such thing"), 2, "no such thing"),
        (click.FileError("x.toml", "gone"), 2, "gone"),
        (click.ClickException("other"), 1, "other"),
        (ConfigError(Fault(file="v.toml", line=1, problem="one")), 2, "v.toml:1: one\n"),
        (ConfigError(Fault(file="v.toml", line=1, problem="one"), Fault(problem="two")), 2, "v.toml:1: one\ntwo\n2 faults\n"),
    ],
)
def test_what_goes_wrong_is_one_message_and_its_exit_code(
    command: Callable[[Act], None], error: BaseException, code: int, message: str
) -> None:
    command(raiser(error))
    result = run("act")
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("value", "code"), [(None, 0), (0, 0), (1, 1), (3, 3), (True, 0), ("text", 0)])
def test_a_command_returns_its_exit_code_or_nothing(command: Callable[[Act], None], value: Any, code: int) -> None:
    command(lambda: value)
    assert run("act").exit_code == code


def test_an_unexpected_error_is_short_and_its_traceback_is_kept(command: Callable[[Act], None], tmp_path: Path) -> None:
    command(raiser(ZeroDivisionError("by zero")))
    result = run("act")
    assert result.exit_code == 1
    assert f"this is a fault of vtframe {__version__}, not yours: ZeroDivisionError: by zero\n" in result.stderr
    assert "Traceback" not in result.stderr
    (log,) = (tmp_path / "state").rglob("*.log")
    assert str(log) in result.stderr
    assert "Traceback (most recent call last)" in log.read_text()


def test_debug_shows_the_traceback_and_keeps_no_file(command: Callable[[Act], None], tmp_path: Path) -> None:
    command(raiser(ZeroDivisionError("by zero")))
    result = run("--debug", "act")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert not (tmp_path / "state").exists()


def test_a_traceback_that_cannot_be_kept_is_shown(
    command: Callable[[Act], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    command(raiser(ZeroDivisionError("by zero")))
    assert "Traceback (most recent call last)" in run("act").stderr


def test_help_and_version_are_there_and_an_unknown_command_suggests_one() -> None:
    assert run("--version").output.strip().endswith(__version__)
    help_text = run("--help").output
    assert "check " in help_text
    assert "plugins " in help_text
    result = run("chek")
    assert result.exit_code == 2
    assert "No such command 'chek'. Did you mean 'check'?" in result.stderr


def test_a_command_whose_module_is_missing_breaks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shell.COMMANDS, "later", ("vtframe.cli.not_there_yet:later", "Comes later."))
    result = run("--help")
    assert result.exit_code == 0
    assert "later" not in result.output
    assert run("later").exit_code == 2
    assert run("check", "--help").exit_code == 0


def test_every_command_in_the_box_loads_and_says_what_it_does() -> None:
    context = click.Context(shell.cli)
    names = shell.cli.list_commands(context)
    assert {"check", "plugins"} <= set(names)
    for name in names:
        loaded = shell.cli.get_command(context, name)
        assert loaded is not None
        assert loaded.name == name
        assert loaded.get_short_help_str()


def test_listing_the_commands_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom vtframe.cli.main import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit as e:\n    assert e.code == 0\n"
        "heavy = {'numba', 'numpy', 'pyarrow', 'onnxruntime', 'rich', 'pluggy', 'vtframe.api'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


COMMANDS = """
import click
from vtframe.api import hookimpl

@click.command()
def greet():
    '''Says hello.'''
    click.echo("hello")

@click.command("check")
def usurper():
    click.echo("mine")

@hookimpl
def register_commands():
    return [greet, usurper]
"""


def test_a_named_plugins_commands_join_and_cannot_replace_ours(tmp_path: Path) -> None:
    (tmp_path / "commands.py").write_text(COMMANDS)
    (tmp_path / "vtframe.toml").write_text('[vtframe]\nlocal = ["commands.py"]\n')
    help_text = run("--help").output
    assert "Commands of plugins" in help_text
    assert "Says hello." in help_text
    assert run("greet").stdout == "hello\n"
    assert "mine" not in run("check", "--help").output


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("[vtframe\n", "vtframe.toml:1: not TOML"),
        ('[vtframe]\nplugins = ["nowhere"]\n', "plugin 'nowhere': not installed"),
        ('[vtframe]\nlocal = ["broken.py"]\n', "plugin 'broken.py': broken on import: NameError"),
        ("vtframe = 3\n", ""),
    ],
)
def test_a_broken_configuration_breaks_neither_help_nor_other_commands(tmp_path: Path, config: str, problem: str) -> None:
    (tmp_path / "broken.py").write_text("nope\n")
    (tmp_path / "vtframe.toml").write_text(config)
    result = run("--help")
    assert result.exit_code == 0
    assert problem in " ".join(result.output.split())
    assert run("check", "--help").exit_code == 0
    result = run("greet")
    assert result.exit_code == 2
    assert problem in result.stderr


def test_the_installed_script_exits_with_the_code_of_what_went_wrong(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "vtframe.cli.main", "check", "nowhere.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "nowhere.toml: no such file; name a configuration file\n1 fault\n"
