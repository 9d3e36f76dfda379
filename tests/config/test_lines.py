"""Every key's line, against texts whose lines are known because the test wrote them."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vtframe.config.lines import KeyPath, index_lines


def test_every_form_of_toml_is_found_on_its_line() -> None:
    text = """\
# a comment with [brackets] and key = 1
top = 1
[vtframe] # after the header
plugins = ["a", # x = 1 ]
  "b",
]
"quoted key" = \"\"\"
[no]
x = "y\"\"\"\"
'literal.key'.inner = 1979-05-27 07:32:00
a . "d\\u0065" = 'a # b'
[[lanes]]
strategy = { use = "x", deep = { q = [1, 2] } }
limits = [
  { use = "a" }, # }
  {use="b", text='}]'},
]
[lanes.extra]
k = '''
]
'''
[[lanes]]
[[lanes.sub]]
z = inf
"""
    tomllib.loads(text)
    lines = index_lines(text)
    expected: dict[KeyPath, int] = {
        ("top",): 2,
        ("vtframe",): 3,
        ("vtframe", "plugins"): 4,
        ("vtframe", "plugins", 0): 4,
        ("vtframe", "plugins", 1): 5,
        ("vtframe", "quoted key"): 7,
        ("vtframe", "literal.key"): 10,
        ("vtframe", "literal.key", "inner"): 10,
        ("vtframe", "a"): 11,
        ("vtframe", "a", "de"): 11,
        ("lanes",): 12,
        ("lanes", 0): 12,
        ("lanes", 0, "strategy"): 13,
        ("lanes", 0, "strategy", "use"): 13,
        ("lanes", 0, "strategy", "deep"): 13,
        ("lanes", 0, "strategy", "deep", "q"): 13,
        ("lanes", 0, "strategy", "deep", "q", 0): 13,
        ("lanes", 0, "strategy", "deep", "q", 1): 13,
        ("lanes", 0, "limits"): 14,
        ("lanes", 0, "limits", 0): 15,
        ("lanes", 0, "limits", 0, "use"): 15,
        ("lanes", 0, "limits", 1): 16,
        ("lanes", 0, "limits", 1, "use"): 16,
        ("lanes", 0, "limits", 1, "text"): 16,
        ("lanes", 0, "extra"): 18,
        ("lanes", 0, "extra", "k"): 19,
        ("lanes", 1): 22,
        ("lanes", 1, "sub"): 23,
        ("lanes", 1, "sub", 0): 23,
        ("lanes", 1, "sub", 0, "z"): 24,
    }
    assert lines == expected
    assert index_lines(text.replace("\n", "\r\n")) == expected


def test_a_header_overrules_the_line_of_one_that_implied_its_table() -> None:
    assert index_lines("[a.b]\nx = 1\n[a]\ny = 2\n")[("a",)] == 3


def test_an_empty_text_has_no_lines() -> None:
    assert index_lines("") == {}
    assert index_lines("# nothing\n\n") == {}


class _Writer:
    """Writes values as TOML in a randomly chosen style, and notes the line of all that it writes."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def note(self, path: KeyPath) -> None:
        self.lines[path] = self.text.count("\n") + 1

    def filler(self) -> str:
        return str(self.draw(st.sampled_from(["", "\n", "# c = [1]\n", "  # {\n\n", '# """\n'])))

    def key(self, key: str) -> str:
        bare = key.isascii() and key.replace("_", "a").replace("-", "a").isalnum()
        return key if bare and self.draw(st.booleans()) else json.dumps(key, ensure_ascii=True)

    def pair(self, table: KeyPath, key: str, value: Any) -> None:
        self.note((*table, key))
        self.text += self.key(key) + self.draw(st.sampled_from(["=", " = ", "\t=  "]))
        self.value((*table, key), value)

    def value(self, path: KeyPath, value: Any) -> None:
        if isinstance(value, dict):
            self.text += "{"
            for index, (key, inner) in enumerate(value.items()):
                self.text += ", " if index else " "
                self.pair(path, key, inner)
            self.text += "}"
        elif isinstance(value, list):
            self.text += "["
            for index, item in enumerate(value):
                self.text += self.filler()
                self.note((*path, index))
                self.value((*path, index), item)
                self.text += self.filler() + ("," if index < len(value) - 1 or self.draw(st.booleans()) else "")
            self.text += self.filler() + "]"
        elif isinstance(value, str):
            self.string(value)
        else:
            self.text += str(value).lower()

    def string(self, value: str) -> None:
        style = self.draw(st.sampled_from(["basic", "literal", "multi", "multi literal"]))
        plain = "'" not in value and all(c in "\n\t" or c.isprintable() for c in value)
        if style == "literal" and plain and "\n" not in value:
            self.text += f"'{value}'"
        elif style == "multi literal" and plain:
            self.text += f"'''\n{value}'''"
        elif style == "multi" and "\\" not in value and plain:
            self.text += '"""\\\n  ' + value.lstrip().replace('"', '\\"') + '"""'
        else:
            self.text += json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


_WORDS = st.text(st.sampled_from(list("ab_-é .#=[]{}\"'\n\\")), min_size=1, max_size=6)
_PLAIN = st.one_of(st.integers(-9, 9), st.booleans(), st.floats(-4, 4).map(lambda x: round(x, 2)), _WORDS)
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3), max_leaves=6
)
_TABLES = st.dictionaries(_WORDS, _VALUES, max_size=4)
_DOCUMENTS = st.dictionaries(_WORDS, _TABLES | st.lists(_TABLES, min_size=1, max_size=3), max_size=4)


@given(_DOCUMENTS, st.data())
def test_the_index_finds_the_true_line_of_every_key(document: dict[str, Any], data: st.DataObject) -> None:
    writer = _Writer(data.draw)
    for name, content in document.items():
        blocks = content if isinstance(content, list) else [content]
        for index, table in enumerate(blocks):
            writer.text += writer.filler()
            path: KeyPath = (name, index) if isinstance(content, list) else (name,)
            if index == 0:
                writer.note((name,))
            writer.note(path)
            key = writer.key(name)
            writer.text += (f"[[{key}]]" if isinstance(content, list) else f"[ {key} ]") + "\n"
            for inner, value in table.items():
                writer.text += writer.filler()
                writer.pair(path, inner, value)
                writer.text += "\n"
    tomllib.loads(writer.text)  # what the test wrote is TOML
    assert index_lines(writer.text) == writer.lines


@given(_DOCUMENTS, st.data())
def test_every_value_that_tomllib_reads_has_a_line(document: dict[str, Any], data: st.DataObject) -> None:
    writer = _Writer(data.draw)
    for name, content in document.items():
        writer.pair((), name, content)
        writer.text += "\n"
    lines = index_lines(writer.text)

    def paths(value: Any, path: KeyPath) -> list[KeyPath]:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [path, *(found for key, inner in items for found in paths(inner, (*path, key)))]

    assert set(paths(tomllib.loads(writer.text), ())) - {()} == set(lines)
