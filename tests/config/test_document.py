"""Files that are no configuration at all: one clear fault each."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtframe.config import read_document
from vtframe.errors import ConfigError, Fault


def fault_of(path: Path) -> Fault:
    with pytest.raises(ConfigError) as raised:
        read_document(path)
    (fault,) = raised.value.faults
    assert fault.file == str(path)
    return fault


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"a = 1\nb 2\n", 2, "not TOML: Expected '=' after a key in a key/value pair at column 3; found: b 2"),
        (b"a = 1\na = 2\n", 2, "not TOML: Cannot overwrite a value at column 6; found: a = 2"),
        (b"\n\n[feed\n", 3, "not TOML: Expected ']' at the end of a table declaration at column 6; found: [feed"),
        (b"a = [1,\n", 2, "not TOML: Invalid value at the end of the file"),
        (b"a = 1\nb = '\xff'\n", 2, "found byte 0xff, expected UTF-8 text"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, None, "found values nested too deeply to read"),
        (b"a = " + b"1" * 5000, None, "not TOML: Exceeds the limit"),
        (b'{"json": true}', 1, 'not TOML: Invalid statement at column 1; found: {"json": true}'),
        (b"\x1f\x8b\x08\x00", 1, "found byte 0x8b, expected UTF-8 text"),
    ],
)
def test_a_file_that_is_not_toml_is_told_with_line_and_column(
    tmp_path: Path, content: bytes, line: int | None, problem: str
) -> None:
    path = tmp_path / "vtframe.toml"
    path.write_bytes(content)
    fault = fault_of(path)
    assert fault.problem.startswith(problem)
    assert line is None or fault.line == line


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "no.toml").problem == "no such file"
    assert fault_of(tmp_path).problem == "cannot be read: Is a directory"


def test_a_mark_at_the_start_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "vtframe.toml"
    path.write_bytes(b"\xef\xbb\xbf[a]\r\n# c\r\nb = 1\r\n")
    document = read_document(path)
    assert document.data == {"a": {"b": 1}}
    assert document.root.at("a", "b").line == 3
    assert document.root.at("a", "c").line == 1  # what is not there stands where its table does


def test_a_fault_that_a_part_tells_is_given_its_place(tmp_path: Path) -> None:
    path = tmp_path / "vtframe.toml"
    path.write_text('[feed]\nuse = "market"\nprice = 1\n')
    feed = read_document(path).root.at("feed")
    completed = feed.complete(Fault(table="feed", key="price", problem="too low", hint="raise it"))
    assert str(completed) == f"{path}:3 [feed] price: too low; raise it"
    assert str(feed.complete(Fault(problem="too low"))) == f"{path}:1 [feed]: too low"
    placed = Fault(file="other.toml", line=9, problem="x")
    assert feed.complete(placed) is placed
