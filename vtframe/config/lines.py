"""Where each key of a TOML text stands. tomllib gives values and no positions; this gives positions and no values."""

from __future__ import annotations

import re
import tomllib

KeyPath = tuple[str | int, ...]
"""Keys and, inside arrays, indexes from 0: ``("features", 2, "levels")``."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_MULTI_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL)
_MULTI_LITERAL = re.compile(r"'''.*?'{3,5}", re.DOTALL)
_PLAIN = re.compile(r"[^,\]}#\n]+")


def index_lines(text: str) -> dict[KeyPath, int]:
    """The line (from 1) of every table, key and array element of ``text``, which must be valid TOML.

    A table that is only implied (``a`` in ``[a.b]`` or ``a.b = 1``) stands where it is first named.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._line = 1
        self._counted = 0  # newlines before this position are in _line
        self._elements: dict[KeyPath, int] = {}  # how many [[tables]] an array has so far

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> KeyPath:
        double = self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        keys = self._dotted_key()
        self._skip(_SPACE)
        self._at += 2 if double else 1
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._newest((*path, key))
            self._note(path)
        path = (*path, keys[-1])
        self._note(path, named=not double)
        if double:
            count = self._elements.get(path, 0)
            self._elements[path] = count + 1
            path = (*path, count)
            self._note(path)
        return path

    def _newest(self, path: KeyPath) -> KeyPath:
        """The element of an array of tables that a header beneath it speaks of: the last one."""
        count = self._elements.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key in self._dotted_key():
            path = (*path, key)
            self._note(path)
        self._skip(_SPACE)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _dotted_key(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            start = self._at
            quote = self._text[start]
            pattern = _BASIC if quote == '"' else _LITERAL if quote == "'" else _BARE_KEY
            self._skip(pattern)
            key = self._text[start : self._at]
            keys.append(_unquote(key) if quote in "\"'" else key)
            end = self._at
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                self._at = end
                return keys
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        text, at = self._text, self._at
        if text.startswith('"""', at):
            self._skip(_MULTI_BASIC)
        elif text.startswith("'''", at):
            self._skip(_MULTI_LITERAL)
        elif text[at] == '"':
            self._skip(_BASIC)
        elif text[at] == "'":
            self._skip(_LITERAL)
        elif text[at] == "[":
            self._inside(path, "]")
        elif text[at] == "{":
            self._inside(path, "}")
        else:
            self._skip(_PLAIN)

    def _inside(self, path: KeyPath, close: str) -> None:
        """Elements of an array, or pairs of an inline table, up to ``close``."""
        self._at += 1
        count = 0
        while True:
            self._skip(_BLANK)
            if self._text[self._at] == close:
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                continue
            if close == "]":
                element = (*path, count)
                self._note(element)
                self._value(element)
                count += 1
            else:
                self._pair(path)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found is None or (found.end() == self._at and pattern not in (_BLANK, _SPACE)):
            raise ValueError(f"not TOML at character {self._at}: {self._text[self._at : self._at + 20]!r}")
        self._at = found.end()

    def _note(self, path: KeyPath, *, named: bool = False) -> None:
        """Keep the line of ``path``, which is the current one; a header that names a table overrules one that implied it."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        if named or path not in self._lines:
            self._lines[path] = self._line


def _unquote(key: str) -> str:
    return next(iter(tomllib.loads(f"{key} = 0")))
