"""``vtframe new``: a working, tested skeleton to start from, written into the current folder."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from importlib import resources
from pathlib import Path
from string import Template

import click

from vtframe.errors import InputError

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LOCAL = """[vtframe]
local = ["{name}.py"]
"""
_NEXT = {
    "feature": 'Use it:\n\n{local}\n[[features]]\nuse = "{name}"\n',
    "codec": "Use it:\n\n{local}\nThe sidecar of a recording names its venue: then this codec reads it.\n",
}


@click.group()
def new() -> None:
    """Write a working, tested skeleton of a part into the current folder."""


@new.command("feature")
@click.argument("name")
def new_feature(name: str) -> None:
    """A feature NAME: NAME.py and test_NAME.py."""
    _write("feature", name)


@new.command("codec")
@click.argument("name")
def new_codec(name: str) -> None:
    """A codec NAME: NAME.py and test_NAME.py."""
    _write("codec", name)


def _write(kind: str, name: str) -> None:
    _check_name(name)
    cls = "".join(word.capitalize() for word in name.split("_")) + ("Codec" if kind == "codec" else "")
    files = {f"{name}.py": f"{kind}.txt", f"test_{name}.py": f"test_{kind}.txt"}
    taken = [file for file in files if Path(file).exists()]
    if taken:
        raise InputError(taken[0], "is there already, and nothing is overwritten", "choose another name or another folder")
    for file, template in files.items():
        text = resources.files("vtframe.cli").joinpath("templates", template).read_text()
        try:
            with Path(file).open("x") as out:
                out.write(Template(text).substitute(name=name, cls=cls))
        except OSError as e:
            raise InputError(file, f"cannot be written: {e.strerror}") from None
        click.echo(f"wrote {file}")
    told = _NEXT[kind].format(name=name, local=_LOCAL.format(name=name))
    click.echo(f"\n{told}\nTry it:\n\npytest test_{name}.py\nvtframe plugins check {name}.py")


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
