"""Rows of a recorded market through ring, row log, Parquet and quality: what the files say gives the same scores."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from vtframe.api import BundleInfo, Label, SessionInfo
from vtframe.buffers.ring import RowRing
from vtframe.builtin.parquet.sink import ParquetSink
from vtframe.domain import ROW, BookState, Prediction, Verdict
from vtframe.engine.prediction_log import PredictionLog
from vtframe.engine.row_log import RowLog
from vtframe.inference.quality import PredictionQuality

HORIZON, THRESHOLD = 20, 0.05
CLASSES = ("down", "flat", "up")


def quotes(path: Path, count: int) -> np.ndarray:
    """The first ``count`` bookTicker frames: ts_recv, bid, bid quantity, ask, ask quantity; prices x 10, quantities x 1000."""
    found = []
    with gzip.open(path, "rt") as file:
        for line in file:
            if '"bookTicker"' in line:
                ts, _, frame = line.partition(" ")
                data = json.loads(frame)["data"]
                found.append(
                    (int(ts), *(round(float(data[k]) * scale) for k, scale in zip("bBaA", (10, 1000) * 2, strict=True)))
                )
                if len(found) == count:
                    break
    return np.array(found, np.int64)


@pytest.fixture(scope="module")
def logged(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, dict]:
    folder = tmp_path_factory.mktemp("session")
    book = quotes(data / "binance" / "usdm_btcusdt_20240808.gz", 20_000)
    assert len(book) == 20_000
    info = SessionInfo(
        session_id="s",
        folder=folder,
        instruments=("BTCUSDT@binance-usdm",),
        columns=("imbalance",),
        dtype="float32",
        schema_hash="h",
        fingerprint="f",
        outputs={"m": CLASSES},
    )
    bundle = BundleInfo(
        name="m",
        path=folder,
        hash="h",
        backend="none",
        file="none",
        features=(),
        window=1,
        dtype="float32",
        classes=CLASSES,
        label=Label(horizon_rows=HORIZON, threshold_bps=THRESHOLD),
        expected_move_bps=(-0.5, 0.0, 0.5),
        variance_bps2=1.0,
        horizon_ns=1,
        sampling="every quote",
    )
    ring, quality, log = RowRing(1, 2048, 1), PredictionQuality({"m": bundle}), PredictionLog("m", 3)
    row_log = RowLog(ring, (ParquetSink(segment_rows=7000), quality), info, logs=[log])
    row_log.start()
    for number, (ts, bid, bid_quantity, ask, ask_quantity) in enumerate(book.tolist()):
        valid = number % 1500 > 40  # a resync now and then
        meta = np.zeros((), ROW)
        for name, value in (("input", number), ("ts_recv", ts), ("bid", bid), ("bid_quantity", bid_quantity), ("ask", ask)):
            meta[name] = value
        meta["ask_quantity"], meta["valid"], meta["state"] = ask_quantity, valid, BookState.LIVE if valid else BookState.SYNCING
        imbalance = (bid_quantity - ask_quantity) / (bid_quantity + ask_quantity)
        ring.append(0, np.array([imbalance], np.float32), meta)
        lean = np.array([-imbalance, 0.0, imbalance]) * 1.5
        p = np.exp(lean) / np.exp(lean).sum()
        log.add(
            Prediction(
                model="m",
                model_hash="h",
                instrument=0,
                input=number,
                row=number,
                update_id=0,
                ts_event=0,
                ts_recv=ts,
                ts_done=ts + 1,
                age_ns=1,
                deadline_ns=10,
                verdict=Verdict.OK if valid else Verdict.INVALID,
                outputs=tuple(p.tolist()) if valid else (),
            ),
            number,
            1,
        )
        if number % 256 == 0:
            row_log.poll()
    row_log.close()
    return folder, quality.report()["m"][str(HORIZON)], row_log.report()


def test_every_row_and_prediction_is_in_the_files(logged) -> None:
    folder, _, report = logged
    assert report["row_log"] == {"rows": 20_000, "stalls": report["row_log"]["stalls"], "lost": 0}
    assert report["sinks_failed"] == {}
    rows, predictions = pd.read_parquet(folder / "rows"), pd.read_parquet(folder / "predictions" / "m")
    assert rows["number"].tolist() == predictions["row"].tolist() == list(range(20_000))
    assert len(list((folder / "rows").iterdir())) == 3


def test_the_files_give_the_scores_that_the_session_reported(logged) -> None:
    folder, found, _ = logged
    rows = pd.read_parquet(folder / "rows")
    answers = pd.read_parquet(folder / "predictions" / "m")
    mid = (rows["bid"] + rows["ask"]) / 2
    moves = (mid.shift(-HORIZON) / mid - 1) * 1e4
    clean = rows["valid"][::-1].rolling(HORIZON + 1).min()[::-1] == 1  # this row and all up to the horizon
    scored = clean & (answers["verdict"] == "ok").to_numpy()
    y = np.where(moves > THRESHOLD, 2, np.where(moves < -THRESHOLD, 0, 1))[scored]
    p = answers.loc[scored.to_numpy(), list(CLASSES)].to_numpy(np.float64)
    said = p.argmax(axis=1)
    assert found["count"] == len(y) > 18_000
    assert min(found["labels"].values()) > 500
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, said))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, said, average="macro"))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, p / p.sum(axis=1, keepdims=True)), rel=1e-6)
    expected = pd.Series(0.5 * (p[:, 2] - p[:, 0]))
    correlation = expected.corr(moves[scored].reset_index(drop=True), method="spearman")
    assert found["information_coefficient"] == pytest.approx(correlation, abs=1e-6)


def test_a_model_that_knows_the_direction_but_never_says_flat_is_shown_for_what_it_is(logged) -> None:
    """Imbalance foretells where the mid goes, yet four in five rows are flat: ranking is good, probabilities are not."""
    _, found, _ = logged
    assert found["information_coefficient"] > 0.1
    assert found["macro_f1"] < found["baseline"]["macro_f1"]
    assert found["log_loss"] > found["baseline"]["log_loss"]
