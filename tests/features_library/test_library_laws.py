"""Every feature in the box keeps every law: all of them in one kernel, the transforms among what feeds them."""

from __future__ import annotations

import msgspec
import pytest
from library_cases import LIBRARY

from vtframe.api import Feature, floats
from vtframe.api.feature import Kernel
from vtframe.builtin.features import FEATURES
from vtframe.testing import FEATURE_CHECKS, FeatureCheck, LawBroken, check_python_equals_compiled, check_writes_only_its_cells


def library() -> list[Feature]:
    """New ones each time."""
    return [msgspec.convert(msgspec.to_builtins(feature), type(feature)) for feature in LIBRARY]


@pytest.mark.parametrize("check", FEATURE_CHECKS)
def test_every_feature_in_the_box_keeps_the_law(check: FeatureCheck) -> None:
    assert {type(feature) for feature in library()} == set(FEATURES)
    check(library)


class Greedy(Feature, frozen=True):
    """Reads the column before it, and writes one cell more than it has."""

    name = "greedy"

    def kernel(self) -> Kernel:
        def on_row(moment, book, state, out, inputs):
            for k in range(2):
                out[k] = inputs[0] + state.seen[0]

        return Kernel(on_row=on_row, state={"seen": floats()}, inputs=("spread",))


@pytest.mark.parametrize("check", [check_writes_only_its_cells, check_python_equals_compiled])
def test_one_that_breaks_a_law_among_others_is_caught_by_name(check: FeatureCheck) -> None:
    among = {type(feature).name: feature for feature in library()}
    with pytest.raises(LawBroken, match="greedy"):
        check(lambda: [among["book_imbalance"], Greedy(), type(among["spread"])(), among["rolling_rank"]])
