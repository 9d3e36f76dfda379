"""Whatever is written, a configuration is read, or its faults are told; nothing else comes out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from vtframe.api import Sampling
from vtframe.assemble.check import examine
from vtframe.config import Config, LaneTable, ModelTable, RowsTable, SessionTable, read_config
from vtframe.config.read import TABLES
from vtframe.errors import ConfigError

_FIELDS = [
    field
    for table in (LaneTable, ModelTable, RowsTable, Sampling, SessionTable)
    for field in table.__struct_fields__
    if field not in {"plugins", "local"}  # names of plugins and files are looked up; a test must not load what it finds
]
_KEYS = st.sampled_from([*_FIELDS, "use", "strategy", "execution", "limits", "as", "levels"]) | st.text(max_size=4)
_PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=6) | st.dates() | st.just("frame")
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=6
)
_TABLE = st.dictionaries(_KEYS, _VALUES, max_size=5)
_DOCUMENTS = st.dictionaries(
    st.sampled_from(TABLES) | st.text(max_size=4), _TABLE | st.lists(_TABLE | _PLAIN, max_size=3) | _PLAIN, max_size=6
)


@settings(deadline=None)
@given(_DOCUMENTS)
def test_any_toml_is_read_or_its_faults_are_told_on_lines_of_the_file(document: dict[str, Any]) -> None:
    text = tomli_w.dumps(document)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vtframe.toml"
        path.write_text(text, "utf-8")
        config, faults = read_config(path)
        found = examine(path, builtin=()).faults
    assert isinstance(config, Config)
    assert found  # nothing random is a whole session
    assert len(found) >= len(faults)
    for fault in found:
        assert fault.problem
        assert fault.line is None or 1 <= fault.line <= text.count("\n") + 1
    if faults:
        assert ConfigError(*faults).exit_code == 2


@settings(deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_any_text_is_read_or_refused_as_a_configuration(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vtframe.toml"
        path.write_text(text, "utf-8", errors="surrogatepass")
        try:
            found = examine(path, builtin=()).faults
        except ConfigError as e:  # not TOML
            found = e.faults
    assert found
