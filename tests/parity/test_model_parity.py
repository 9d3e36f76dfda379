"""Predictions asked again: of a real session, and of batches as a pool would make them."""

from __future__ import annotations

import gzip
import itertools
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vtframe.api import BundleInfo, PredictionBlock
from vtframe.assemble.parity import Certificate, ParityRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.dataset.prediction_comparison import PredictionComparison
from vtframe.domain import PREDICTION, ROW, Verdict
from vtframe.errors import BundleError, SessionError
from vtframe.features.pipeline import RowBatch

MODEL = "btcusdt_direction"
CODES = {verdict: code for code, verdict in enumerate(Verdict)}


@pytest.fixture(scope="module")
def home(root: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session on real frames, with a bundle of its own beside it."""
    home = tmp_path_factory.mktemp("models")
    shutil.copytree(root / "models" / MODEL, home / "models" / MODEL)
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        (home / "part.gz").write_bytes(gzip.compress(b"".join(itertools.islice(file, 8_000))))
    text = (root / "btcusdt.toml").read_text().replace("paths = []", 'paths = ["part.gz"]')
    (home / "session.toml").write_text(text + '\n[[sinks]]\nuse = "parquet"\nsegment_rows = 200\n')
    assemble(home / "session.toml", Wishes(folder=home / "session")).session.run()
    return home


@pytest.fixture
def session(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home / "session", tmp_path / "session"))


def check(session: Path) -> Certificate:
    return ParityRun(session, predictions=True).run()


def edit(path: Path, name: str, row: int, value: Any) -> None:
    table = pq.read_table(path)
    values = table.column(name).to_pylist()
    values[row] = value(values[row]) if callable(value) else value
    at = table.schema.get_field_index(name)
    pq.write_table(table.set_column(at, table.schema.field(name), pa.array(values, table.schema.field(name).type)), path)


def test_every_prediction_of_a_session_is_the_model_s_answer_to_its_row(home: Path) -> None:
    found = check(home / "session")
    model = found.models[MODEL]
    assert found.passed
    assert model.rows == model.compared == model.identical == found.rows > 400
    logged = pq.read_table(home / "session" / "predictions" / MODEL)
    answered = sum(verdict != "invalid" for verdict in logged.column("verdict").to_pylist())
    assert 0 < answered < logged.num_rows, "warm-up rows are compared as well"


def test_without_being_asked_no_model_is_opened(session: Path, home: Path, tmp_path: Path) -> None:
    assert ParityRun(session).run().models == {}


def test_one_flipped_bit_of_an_answer_is_found(session: Path) -> None:
    def flip(value: float) -> float:
        return float((np.array(value, np.float32).view(np.uint32) ^ np.uint32(1)).view(np.float32))

    edit(session / "predictions" / MODEL / "000002.parquet", "up", 30, flip)
    found = check(session)
    model = found.models[MODEL]
    assert not found.passed
    assert found.identical == found.rows, "the rows are as they were"
    assert (model.compared, model.identical) == (model.rows, model.rows - 1)
    assert model.first_difference is not None
    assert (model.first_difference.row, model.first_difference.feature) == (230, "up")
    assert int(model.first_difference.logged_bits, 16) ^ int(model.first_difference.recomputed_bits, 16) == 1


@pytest.mark.parametrize(("name", "value"), [("update_id", 7), ("ts_event", 7), ("input", lambda number: number + 1)])
def test_a_prediction_must_say_what_its_row_says(session: Path, name: str, value: Any) -> None:
    edit(session / "predictions" / MODEL / "000002.parquet", name, 10, value)
    model = check(session).models[MODEL]
    assert model.identical == model.rows - 1
    assert model.first_difference is not None
    assert model.first_difference.feature == name


def test_an_answer_to_a_row_that_was_not_valid_is_found(session: Path) -> None:
    path = session / "predictions" / MODEL / "000001.parquet"
    for name, value in (("verdict", "ok"), ("down", 0.2), ("flat", 0.6), ("up", 0.2)):
        edit(path, name, 3, value)
    model = check(session).models[MODEL]
    assert model.first_difference is not None
    assert (model.first_difference.feature, model.first_difference.row) == ("verdict", 3)
    assert (model.first_difference.logged, model.first_difference.recomputed) == ("ok", "invalid")


def test_a_missing_segment_of_predictions_is_found(session: Path) -> None:
    (session / "predictions" / MODEL / "000002.parquet").unlink()
    found = check(session)
    assert not found.passed
    assert found.models[MODEL].missing == 200
    assert any("000002.parquet is missing" in problem for problem in found.problems)


def test_missing_last_predictions_are_found_because_every_row_has_one(session: Path) -> None:
    last = max((session / "predictions" / MODEL).glob("*.parquet"))
    last.unlink()
    model = check(session).models[MODEL]
    assert not model.passed
    assert model.compared < model.rows


def test_another_bundle_is_refused(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "home"
    shutil.copytree(home, elsewhere)
    description = elsewhere / "models" / MODEL / "bundle.toml"
    assemble(elsewhere / "session.toml", Wishes(folder=elsewhere / "again")).session.run()
    description.write_text(description.read_text() + "\n# changed\n")
    with pytest.raises(SessionError, match="is not the bundle that the session ran"):
        check(elsewhere / "again")
    (elsewhere / "models" / MODEL / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        check(elsewhere / "again")


class Sums:
    """A model whose answer depends on the window, the place in the batch, and the size of the batch."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.shapes.append(batch.shape)
        place = np.arange(len(batch), dtype=np.float32)
        total = batch.sum(axis=(1, 2), dtype=np.float32) + place + 100 * np.float32(len(batch))
        return np.column_stack([total, -total]).astype(np.float32)

    def close(self) -> None: ...


BUNDLE = msgspec.convert(
    {
        "name": "m",
        "path": "models/m",
        "hash": "h",
        "backend": "none",
        "file": "m",
        "features": [{"use": "a", "label": "a", "columns": ["a", "b"]}],
        "window": 3,
        "dtype": "float32",
        "classes": ["one", "other"],
        "label": {"horizon_rows": 1},
        "expected_move_bps": [0.0, 0.0],
        "variance_bps2": 1.0,
        "horizon_ns": 1,
        "sampling": "frame",
    },
    BundleInfo,
    strict=False,
    dec_hook=lambda kind, value: kind(value),
)


def made_rows(count: int) -> RowBatch:
    """Rows of two instruments in turn, all valid."""
    meta = np.zeros(count, ROW)
    meta["instrument"] = np.arange(count) % 2
    meta["number"] = np.arange(count) // 2
    meta["input"] = np.arange(count)
    meta["valid"] = 1
    return RowBatch(meta, np.random.default_rng(5).random((count, 2)).astype(np.float32))


def logged_by(model: Sums, rows: RowBatch, sizes: list[int]) -> PredictionBlock:
    """Predictions of every row whose window is full, in calls of the given sizes."""
    meta = np.zeros(len(rows.meta), PREDICTION)
    outputs = np.full((len(rows.meta), 2), np.nan, np.float32)
    meta["row"], meta["input"], meta["instrument"] = rows.meta["number"], rows.meta["input"], rows.meta["instrument"]
    full = np.flatnonzero(rows.meta["number"] >= 2)
    meta["verdict"], meta["batch"], meta["batch_size"] = CODES[Verdict.INVALID], -1, 1
    call = 0
    turn = itertools.cycle(sizes)
    while len(full):
        size = min(next(turn), len(full))
        chosen, full, call = full[:size], full[size:], call + 1
        windows = [rows.values[[k - 4, k - 2, k]] for k in chosen]
        outputs[chosen] = model.predict(np.stack(windows))
        meta["verdict"][chosen], meta["batch"][chosen], meta["batch_size"][chosen] = CODES[Verdict.OK], call, size
    return PredictionBlock(model="m", meta=meta, outputs=outputs)


def compared(rows: RowBatch, logged: PredictionBlock, *, block: int = 7) -> tuple[PredictionComparison, Sums]:
    model = Sums()
    comparison = PredictionComparison(iter([logged]), model, BUNDLE, instruments=("x", "y"), expected=None)
    for k in range(0, len(rows.meta), block):
        comparison.add(RowBatch(rows.meta[k : k + block], rows.values[k : k + block]))
    comparison.finish()
    return comparison, model


def test_a_batch_is_asked_again_as_a_batch() -> None:
    rows, before = made_rows(60), Sums()
    logged = logged_by(before, rows, [1, 3, 2])
    found, model = compared(rows, logged)
    assert found.rows == found.compared == found.identical == 60
    assert model.shapes == before.shapes
    assert {shape[0] for shape in model.shapes} == {1, 2, 3}


def test_the_size_of_a_batch_matters() -> None:
    rows = made_rows(60)
    logged = logged_by(Sums(), rows, [2])
    logged.meta["batch_size"] = 1
    logged.meta["batch"] = np.arange(60)
    found, _ = compared(rows, logged)
    assert found.identical < found.compared


class Doubles(Sums):
    """Another version of the same model."""

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return 2 * super().predict(batch)


def of_two_versions(rows: RowBatch) -> PredictionBlock:
    """The first 29 predictions are of one version, the others of the next; batches are numbered anew."""
    one, other = (logged_by(model, rows, [2]) for model in (Sums(), Doubles()))
    other.meta["version"] = 1
    other.meta["batch"][other.meta["batch"] >= 0] -= int(other.meta["batch"][30]) - int(one.meta["batch"][29])
    meta, outputs = (np.concatenate([getattr(one, part)[:30], getattr(other, part)[30:]]) for part in ("meta", "outputs"))
    return msgspec.structs.replace(one, meta=meta, outputs=outputs, versions=("h", "next"))


@pytest.mark.parametrize("window", [3, 5])
def test_each_prediction_is_asked_of_the_version_that_it_names(window: int) -> None:
    rows = made_rows(60)
    logged = of_two_versions(rows)
    next_bundle = msgspec.structs.replace(BUNDLE, hash="next", window=window)
    comparison = PredictionComparison(
        iter([logged]), Sums(), BUNDLE, instruments=("x", "y"), expected=None, versions={"next": (Doubles(), next_bundle)}
    )
    comparison.add(rows)
    comparison.finish()
    assert comparison.compared == 60
    assert comparison.identical == (60 if window == 3 else 30)
    if window == 5:  # what it answered is of other windows
        assert comparison.first is not None
        assert comparison.first.row == 15


def test_a_version_that_the_journal_does_not_name_is_told() -> None:
    rows = made_rows(60)
    found, _ = compared(rows, of_two_versions(rows))
    assert (found.compared, found.identical) == (60, 30)
    assert found.first is not None
    assert (found.first.feature, found.first.logged) == ("model_hash", "next")


def test_what_time_decided_is_counted_apart() -> None:
    rows = made_rows(60)
    logged = logged_by(Sums(), rows, [1])
    logged.meta["verdict"][[20, 30, 40]] = [CODES[Verdict.FAILED], CODES[Verdict.CONFLATED], CODES[Verdict.OVERRUN]]
    logged.meta["batch"][[20, 30, 40]] = -1
    logged.outputs[[20, 30, 40]] = np.nan
    found, _ = compared(rows, logged)
    assert (found.rows, found.compared, found.identical, found.timed) == (57, 57, 57, 3)


def test_predictions_of_rows_that_were_not_made_again_are_told() -> None:
    rows = made_rows(60)
    logged = logged_by(Sums(), rows, [1])
    found, _ = compared(RowBatch(rows.meta[:50], rows.values[:50]), logged)
    assert (found.compared, found.unmatched, found.rows) == (50, 10, 60)
    assert found.first is not None
    assert found.first.recomputed is None
