"""What a law says when a part breaks it."""

from __future__ import annotations


class LawBroken(AssertionError):  # noqa: N818 - a verdict on a part, not a fault of ours
    """A part does not keep its contract."""
