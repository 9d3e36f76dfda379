"""The index of features says what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from vtframe.builtin.features import FEATURES


def test_the_index_lists_every_feature_with_its_settings_and_their_defaults(root: Path) -> None:
    text = (root / "docs" / "features-library.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE))
    assert set(listed) == {feature.name for feature in FEATURES}
    for feature in FEATURES:
        fields = {field.name: field for field in msgspec.structs.fields(feature) if field.name not in {"as_", "instrument"}}
        shown = dict(re.findall(r"`(\w+)(?: = ([^`]+))?`", listed[feature.name]))
        assert set(shown) == set(fields), feature.name
        for name, field in fields.items():
            default = "" if field.default in {msgspec.NODEFAULT, ()} else json.dumps(field.default)
            assert shown[name] == default, (feature.name, name)
