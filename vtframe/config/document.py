"""One TOML file: its values, its text, and a Place for each of them, so that a fault can say where it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtframe.config.lines import KeyPath, index_lines
from vtframe.errors import ConfigError, Fault

_POSITION = re.compile(r"(.*?)(?: \(at (?:line (\d+), column (\d+)|end of document)\))?$", re.DOTALL)
_COMMAND_LINE = "command line"


class Document:
    """The parsed file. ``overridden`` top-level tables came from the command line and stand on no line."""

    def __init__(
        self, path: Path, text: str, *, overrides: Mapping[str, Any] | None = None, folder: Path | None = None
    ) -> None:
        """Relative paths in it start from ``folder``, by default the file's own. Raises ConfigError where ``text`` is not TOML,
        with the line and column."""
        self.path = path
        self.folder = folder if folder is not None else path.resolve().parent
        self.text = text
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except RecursionError:
            raise ConfigError(Fault(file=str(path), problem="found values nested too deeply to read")) from None
        except ValueError as e:
            raise ConfigError(_syntax_fault(path, text, str(e))) from None
        self._lines = index_lines(text)
        self.overridden = frozenset(overrides or ())
        self.data.update(overrides or {})

    @property
    def root(self) -> Place:
        return Place(self, ())

    def line(self, path: KeyPath) -> int | None:
        """The line of ``path``, or of the nearest thing around it; None where the file does not hold it."""
        if path and path[0] in self.overridden:
            return None
        for end in range(len(path), 0, -1):
            line = self._lines.get(path[:end])
            if line is not None:
                return line
        return None


class Place:
    """One key, element or table of a document."""

    def __init__(self, document: Document, path: KeyPath) -> None:
        self.document = document
        self.path = path

    def at(self, *path: str | int) -> Place:
        """The place of something beneath this one; it need not exist."""
        return Place(self.document, self.path + path)

    @property
    def line(self) -> int | None:
        return self.document.line(self.path)

    def fault(self, problem: str, hint: str = "") -> Fault:
        """A fault that stands here."""
        overridden = bool(self.path) and self.path[0] in self.document.overridden
        table, key = self._names()
        file = _COMMAND_LINE if overridden else str(self.document.path)
        return Fault(file=file, line=self.line, table=table, key=key, problem=problem, hint=hint)

    def complete(self, fault: Fault) -> Fault:
        """``fault``, told by a part that knows its key and not where it stands, with its place; unchanged where it has one."""
        if fault.file:
            return fault
        return (self.at(fault.key) if fault.key else self).fault(fault.problem, fault.hint)

    def _names(self) -> tuple[str, str]:
        """``("[[lanes]] 1 strategy", "enter")``: the innermost table around it, and what is left. Elements count from 1."""
        value: Any = self.document.data
        depth = 0
        for position, part in enumerate(self.path, 1):
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                break
            is_key = position == len(self.path) > 1 and isinstance(part, str)
            if isinstance(value, dict) and not is_key:
                depth = position
        table, rest = self.path[:depth], self.path[depth:]
        if not table:
            return "", _words(rest)
        if len(table) > 1 and isinstance(table[1], int):
            return f"[[{table[0]}]] {_words(table[1:])}", _words(rest)
        return " ".join(part for part in (f"[{table[0]}]", _words(table[1:])) if part), _words(rest)


def read_document(path: Path, *, overrides: Mapping[str, Any] | None = None, folder: Path | None = None) -> Document:
    """Read the file at ``path``. Raises ConfigError where it is missing, not UTF-8 or not TOML."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(Fault(file=str(path), problem="no such file", hint="name a configuration file")) from None
    except OSError as e:
        raise ConfigError(Fault(file=str(path), problem=f"cannot be read: {e.strerror or e}")) from None
    try:
        text = content.decode("utf-8-sig")  # some editors write a mark at the start
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        problem = f"found byte 0x{content[e.start]:02x}, expected UTF-8 text"
        raise ConfigError(Fault(file=str(path), line=line, problem=problem)) from None
    return Document(path, text, overrides=overrides, folder=folder)


def _words(path: KeyPath) -> str:
    return " ".join(str(part + 1) if isinstance(part, int) else part for part in path)


def _syntax_fault(path: Path, text: str, message: str) -> Fault:
    """tomllib's message with its position taken out, and the text that stands there."""
    found = _POSITION.match(message)
    problem, line, column = found.groups() if found else (message, None, None)
    lines = text.replace("\r\n", "\n").split("\n")
    if line is None:
        return Fault(file=str(path), line=len(lines), problem=f"not TOML: {problem} at the end of the file")
    written = lines[int(line) - 1].strip()
    shown = written if len(written) <= 60 else written[:57] + "..."
    return Fault(file=f"{path}", line=int(line), problem=f"not TOML: {problem} at column {column}; found: {shown}")
