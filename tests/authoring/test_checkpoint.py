"""A pipeline that is restored in the middle makes the bits that it would have made, and refuses what is not its own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from three_books import market
from transforms import Counting, Smooth

from vtframe.api import Feature, Kernel
from vtframe.builtin.features import BookImbalance, OrderFlowImbalance, RollingVolatility, TradeImbalance
from vtframe.domain import BookState, Instrument, SequenceRule
from vtframe.errors import SessionError
from vtframe.features import Pipeline, Sampling

INSTRUMENTS, RECORDS = market(losses=(2000, 5000))
FEATURES: tuple[Feature, ...] = (
    Smooth(of="led", as_="smooth_led"),
    BookImbalance(as_="led", levels=3, instrument="SIM2USDT@sim"),
    RollingVolatility(window=9),
    OrderFlowImbalance(window=7),
    TradeImbalance(window=5),
    Counting(),
)
SAMPLINGS = {"frame": Sampling(), "clock": Sampling(every="clock", interval_ms=100)}


def pipeline(
    sampling: str = "frame",
    *,
    features: tuple[Feature, ...] = FEATURES,
    instruments: list[Instrument] = INSTRUMENTS,
    ring_rows: int = 64,
) -> Pipeline:
    rules = [SequenceRule.PREVIOUS] * len(instruments)
    return Pipeline(features, instruments, rules, sampling=SAMPLINGS[sampling], ring_rows=ring_rows)


def rest(made: Pipeline, first: int) -> str:
    """A hash of every row from frame ``first`` on."""
    digest = hashlib.sha256()
    frames, events = RECORDS.frames[first : RECORDS.n_frames], RECORDS.events[: RECORDS.n_events]
    for batch in made.batch(frames, events):
        digest.update(batch.meta.tobytes() + batch.values.tobytes())
    return digest.hexdigest()


def run_to(made: Pipeline, stop: int, first: int = 0) -> None:
    for _ in made.batch(RECORDS.frames[first:stop], RECORDS.events[: RECORDS.n_events]):
        pass


@pytest.mark.parametrize("sampling", SAMPLINGS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cut=st.integers(0, RECORDS.n_frames))
def test_the_rest_is_the_same_from_wherever_it_is_restored(sampling: str, cut: int) -> None:
    """The cut falls into warm and cold stretches, and into losses with frames waiting."""
    whole = pipeline(sampling)
    run_to(whole, cut)
    data = whole.snapshot()
    again = pipeline(sampling)
    run_to(again, min(cut // 3, 500))  # what it was before leaves no trace
    again.restore(data)
    assert again.state_digest() == whole.state_digest()
    assert again.counts() == whole.counts()
    assert again.snapshot() == data
    assert rest(again, cut) == rest(whole, cut)
    assert again.state_digest() == whole.state_digest()
    assert again.counts() == whole.counts()


def test_a_checkpoint_in_a_loss_keeps_the_frames_that_wait() -> None:
    first = pipeline()
    run_to(first, 2100)
    assert first.books.state(1) == BookState.GAP
    waiting = len(first._pending[1])
    assert waiting > 10
    again = pipeline()
    again.restore(first.snapshot())
    assert len(again._pending[1]) == waiting


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_checkpoint import pipeline, rest
made = pipeline()
made.restore(Path(sys.argv[2]).read_bytes())
print(rest(made, int(sys.argv[3])), made.state_digest())
"""


def test_another_process_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    cut = 3000
    whole = pipeline()
    run_to(whole, cut)
    path = tmp_path / "checkpoint"
    path.write_bytes(whole.snapshot())
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", CHILD, here, str(path), str(cut)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [rest(whole, cut), whole.state_digest()]


@pytest.fixture(scope="module")
def taken() -> bytes:
    made = pipeline()
    run_to(made, 1000)
    return made.snapshot()


class EditedCounting(Counting, frozen=True):
    """Counting with other code under the same name and settings: an edit between two runs."""

    def kernel(self) -> Kernel:
        kernel = super().kernel()

        def on_frame(moment, book, state, out):
            state.count[0] += 2

        return Kernel(on_frame=on_frame, on_row=kernel.on_row, state=kernel.state, outputs=kernel.outputs, warmup=kernel.warmup)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: pipeline("clock"), "features, sampling or number type differ"),
        (lambda: pipeline(features=FEATURES[1:]), "features, sampling or number type differ"),
        (lambda: pipeline(instruments=INSTRUMENTS[:2]), "its instruments are SIMUSDT@sim .*SIM3USDT@sim .*; here SIMUSDT"),
        (lambda: pipeline(instruments=INSTRUMENTS[::-1]), "its instruments are SIMUSDT@sim"),
        (lambda: pipeline(ring_rows=128), "its ring keeps 64 rows, here 128"),
        (lambda: pipeline(features=(*FEATURES[:-1], EditedCounting())), "the code of a feature, or vtframe's own, has changed"),
    ],
)
def test_a_checkpoint_of_another_pipeline_is_refused_with_the_difference(taken: bytes, other, words: str) -> None:
    made = other()
    before = made.state_digest()
    with pytest.raises(SessionError, match=words):
        made.restore(taken)
    assert made.state_digest() == before


def test_a_checkpoint_of_other_bits_is_refused(taken: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtframe.features.pipeline.fingerprint", lambda: "another")
    with pytest.raises(SessionError, match=r"other bits \(fingerprint [0-9a-f]{12}, here another\)"):
        pipeline().restore(taken)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_refused_and_change_nothing(taken: bytes, data: st.DataObject) -> None:
    made = SPARE
    before = made.state_digest()
    if data.draw(st.booleans()):
        wrong = taken[: data.draw(st.integers(0, len(taken) - 1))]
    else:
        at = data.draw(st.integers(0, len(taken) - 1))
        wrong = taken[:at] + bytes([taken[at] ^ data.draw(st.integers(1, 255))]) + taken[at + 1 :]
    with pytest.raises(SessionError, match=r"damaged|no checkpoint"):
        made.restore(wrong)
    assert made.state_digest() == before


SPARE = pipeline()


def test_books_that_have_grown_are_restored() -> None:
    first = pipeline()
    first.books.grow(5000)
    from vtframe.buffers.native import retarget
    from vtframe.features.pipeline import _FAR

    retarget(first._handles, _FAR, first.books.far)
    run_to(first, 500)
    again = pipeline()
    again.restore(first.snapshot())
    assert again.books.capacity == first.books.capacity
    assert rest(again, 500) == rest(first, 500)
    assert np.isfinite(again.ring.values).any()
