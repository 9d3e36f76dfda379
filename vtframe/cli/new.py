"""``vtframe new``: a working, tested skeleton to start from, written into the current folder."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from collections.abc import Callable

import click

from vtframe.cli.skeleton import KINDS, Kind, part_files, plugin_files, write
from vtframe.errors import InputError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@click.group()
def new() -> None:
    """Write a working, tested skeleton of a part, or of a plugin with several, into the current folder."""


@new.command("plugin")
@click.argument("name")
@click.option(
    "--with",
    "kinds",
    type=click.Choice(list(KINDS)),
    multiple=True,
    default=["feature"],
    show_default=True,
    help="A kind of part that it gives; may be given several times.",
)
def new_plugin(name: str, kinds: tuple[str, ...]) -> None:
    """A distribution vtframe-NAME that pip installs: a part of each kind, their tests, the entry point, a README."""
    _check_name(name)
    chosen = [KINDS[kind] for kind in dict.fromkeys(kinds)]
    files = plugin_files(name, chosen)
    write(files)
    folder = next(iter(files)).parts[0]
    for file in files:
        click.echo(f"wrote {file}")
    click.echo(f'\nTry it:\n\npip install -e "./{folder}[test]"\npytest {folder}')
    if any(kind.has_laws for kind in chosen):
        click.echo(f"vtframe plugins check {name}")
    click.echo(
        f'\nUse it:\n\n[vtframe]\nplugins = ["{name}"]\n{"".join(kind.use.format(name=name) for kind in chosen)}'.rstrip()
    )


def _part_command(word: str, kind: Kind) -> Callable[[str], None]:
    @new.command(word, help=f"A {kind.word} NAME: NAME.py and test_NAME.py.")
    @click.argument("name")
    def new_part(name: str) -> None:
        _check_name(name)
        files = part_files(kind, name)
        write(files)
        for file in files:
            click.echo(f"wrote {file}")
        click.echo(f'\nUse it:\n\n[vtframe]\nlocal = ["{name}.py"]\n{kind.use.format(name=name)}')
        click.echo(f"Try it:\n\npytest test_{name}.py")
        if kind.has_laws:
            click.echo(f"vtframe plugins check {name}.py")

    return new_part


for _word, _kind in KINDS.items():
    _part_command(_word, _kind)


def _check_name(name: str) -> None:
    """A part's name is a module's, too; the test's ``import`` must find this file and no other."""
    if not _NAME.fullmatch(name):
        near = re.sub(r"[^a-z0-9_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_0123456789")
        hint = f"did you mean {near!r}?" if _NAME.fullmatch(near) else ""
        raise InputError(repr(name), "is no name of a part: small letters, digits and underscores, a letter first", hint)
    if keyword.iskeyword(name) or name in dir(builtins) or _is_module(name):
        raise InputError(repr(name), "is a word of Python or a module's name", "choose another")


def _is_module(name: str) -> bool:
    return name in sys.stdlib_module_names or name in {"vtframe", "numpy", "numba", "msgspec", "pytest"}
