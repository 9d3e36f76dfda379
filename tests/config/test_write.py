"""TOML written for the record reads back as what it was."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vtframe.config.write import to_toml

_TEXT = st.text(max_size=8)
_VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | _TEXT
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.dates()
    | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@example({"0\n": {}})
@given(st.dictionaries(_TEXT, _VALUES, max_size=5))
def test_what_is_written_reads_back_equal(data: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(data)) == data


def test_a_value_that_toml_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="TOML has no value for None"):
        to_toml({"a": None})
