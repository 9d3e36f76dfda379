"""What `vtframe plugins` says of a part: one whole sentence, never a line that breaks off."""

from __future__ import annotations

import pytest

from vtframe.builtin import PLUGINS
from vtframe.plugins import Entry, load_plugins


def summary_of(text: str | None) -> str:
    return Entry("feature", "part", type("Part", (), {"__doc__": text}), "plugin").summary


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("One line.", "One line."),
        ("No period", "No period"),
        ("Broken over\n    two lines. And more.", "Broken over two lines."),
        ("First paragraph\n\n        and a formula: x > 1\n\n    More.", "First paragraph and a formula: x > 1"),
        ("Says so:\n\n        x > 1\n\n    More.", "Says so"),
        ("The spread\n\nis explained here.", "The spread"),
        ("Of A. Cartea, eq. 4 and 5, i.e. the sum. Unitless.", "Of A. Cartea, eq. 4 and 5, i.e. the sum."),
        ("Is 0.5 of the 1.5 best. nan while empty.", "Is 0.5 of the 1.5 best."),
        ("Really? Yes.", "Really?"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_summary_is_the_first_sentence_on_one_line(text: str | None, summary: str) -> None:
    assert summary_of(text) == summary


def test_every_part_in_the_box_has_a_summary_that_is_a_whole_sentence_of_its_docstring() -> None:
    parts = load_plugins(PLUGINS).parts
    assert len(parts) > 30
    for part in parts:
        text = " ".join(part.cls.__doc__.split())
        assert text.startswith(part.summary), part
        after = text[len(part.summary) :]
        assert part.summary[-1] in ".!?" or after[:1] in {"", ":"} or part.name == "probability", (part.name, part.summary)
    (probability,) = [part for part in parts if part.name == "probability"]
    assert probability.summary.endswith("> min_edge_bps (all in bps of the mid)"), "its sentence ends in a formula"
