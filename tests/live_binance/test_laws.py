"""The Binance feed keeps the laws of feeds, on both transports: the same laws that a stranger's feed is tried by."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from law_venue import LawVenue, QuickLawVenue

from vtframe.testing import FEED_CHECKS, FeedCase, FeedCheck


@pytest.mark.parametrize("venue", [LawVenue, QuickLawVenue])
@pytest.mark.parametrize("check", FEED_CHECKS)
def test_the_binance_feed_keeps_the_law(check: FeedCheck, venue: type[LawVenue], tmp_path: Path) -> None:
    check(FeedCase(venue=partial(venue, tmp_path)))
