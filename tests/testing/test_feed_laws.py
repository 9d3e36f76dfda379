"""The skeleton feed keeps the laws of feeds over real sockets, and each law catches feeds that break it."""

from __future__ import annotations

import feed_mutants as mutants
import pytest

from vtframe.testing import (
    FEED_CHECKS,
    FeedCheck,
    LawBroken,
    check_arrivals_never_go_back,
    check_broken_messages_do_not_end_it,
    check_gap_is_an_event,
    check_reconnect_resubscribes,
    check_recorded_bytes_give_the_counts,
    check_silence_is_noticed,
    check_snapshot_before_deltas,
    check_stop_is_prompt,
)


@pytest.mark.parametrize("library", ["websockets", "picows"])
@pytest.mark.parametrize("check", FEED_CHECKS)
def test_the_skeleton_keeps_the_laws_on_both_transports(check: FeedCheck, library: str) -> None:
    class Feed(mutants.Good):
        name = "skeleton"

        def __post_init__(self) -> None:
            import msgspec

            self.upkeep = msgspec.structs.replace(self.upkeep, library=library)

    check(mutants.case(Feed))


BROKEN: tuple[tuple[FeedCheck, type, str], ...] = (
    (check_snapshot_before_deltas, mutants.Inventing, "it did not come to this: every book is live and equals the venue's"),
    (check_snapshot_before_deltas, mutants.Unpictured, "its book is SYNCING"),
    (check_arrivals_never_go_back, mutants.Restamping, "ts_recv went back by"),
    (check_arrivals_never_go_back, mutants.Backdating, "is no reading of the clock"),
    (check_gap_is_an_event, mutants.Unnumbered, "a lost message of every book was counted as a gap"),
    (check_gap_is_an_event, mutants.Hushing, "no book is live while nothing is connected"),
    (check_gap_is_an_event, mutants.Resigned, "its book is GAP"),
    (check_stop_is_prompt, mutants.Lingering, "told to stop, it still runs"),
    (check_stop_is_prompt, mutants.Leaving, "run returned and left 1 connections open"),
    (check_recorded_bytes_give_the_counts, mutants.Trimming, "were not delivered as sent"),
    (check_recorded_bytes_give_the_counts, mutants.Doubling, "were delivered that the venue did not send"),
    (check_reconnect_resubscribes, mutants.Shy, "it connected and asked for every instrument again"),
    (check_silence_is_noticed, mutants.Patient, "it took the silent connection for dead, or its books for stale"),
    (check_broken_messages_do_not_end_it, mutants.Discreet, "the broken message was counted, or made a gap"),
    (check_broken_messages_do_not_end_it, mutants.Brittle, "run raised JSONDecodeError"),
)


def test_every_law_has_a_mutant() -> None:
    assert {check for check, _, _ in BROKEN} == set(FEED_CHECKS)


@pytest.mark.parametrize(("check", "make", "words"), BROKEN, ids=[make.__name__ for _, make, _ in BROKEN])
def test_a_law_catches_the_feed_that_breaks_it(check: FeedCheck, make: type, words: str) -> None:
    waits = make in {mutants.Inventing, mutants.Unpictured, mutants.Unnumbered, mutants.Hushing, mutants.Resigned}
    waits |= make in {mutants.Shy, mutants.Patient, mutants.Discreet}  # caught by what never comes
    with pytest.raises(LawBroken, match=words):
        check(mutants.case(make, wait_s=2.0 if waits else 10.0))


@pytest.mark.parametrize("make", [mutants.Patient, mutants.Brittle, mutants.Restamping])
def test_a_mutant_breaks_no_law_but_its_own(make: type) -> None:
    own = {check for check, one, _ in BROKEN if one is make}
    for check in FEED_CHECKS:
        if check not in own and check is not check_recorded_bytes_give_the_counts:
            check(mutants.case(make))
