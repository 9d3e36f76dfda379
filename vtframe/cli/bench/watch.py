"""Bench of what the row log's thread does for each row besides writing it: scores and rules on drift. Off the hot path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo, InputFeature, Label, PredictionBlock, RowBlock, SessionInfo, TrainingColumn
from vtframe.cli.bench.rows import Row, seconds, time_row
from vtframe.domain import PREDICTION, ROW
from vtframe.inference.drift import DriftMonitor, DriftRule, Thresholds, training_columns
from vtframe.inference.quality import PredictionQuality

_ROWS = 100_000
_BLOCK = 1_024  # as the row log hands them on
_WINDOW = 20_000
_EVERY = 1_000
_COLUMNS = 40
_REPEATS = 5


def watch_rows(say: Callable[[str], None]) -> Iterator[Row]:
    """Processor time a row: psi of 40 columns beside histograms made anew at every judgement, and the scores of one model."""
    say(f"watch: {_ROWS:,} rows of {_COLUMNS} columns in blocks of {_BLOCK:,}, a window of {_WINDOW:,} judged every {_EVERY:,}")
    values = np.random.default_rng(7).standard_normal((_ROWS, _COLUMNS)).astype(np.float32)
    names = tuple(f"c{k}" for k in range(_COLUMNS))
    bundle = _bundle(names, training_columns(values[:_WINDOW], names))
    meta = np.zeros(_ROWS, ROW)
    meta["number"] = meta["input"] = np.arange(_ROWS)
    meta["valid"] = 1
    meta["bid"] = 600_000 + np.cumsum(np.random.default_rng(8).integers(-3, 4, _ROWS))
    meta["ask"] = meta["bid"] + 1
    blocks = [RowBlock(meta=meta[k : k + _BLOCK], values=values[k : k + _BLOCK]) for k in range(0, _ROWS, _BLOCK)]
    watched: list[float] = []
    anew: list[float] = []
    scored: list[float] = []
    for _ in range(_REPEATS):
        monitor = _monitor(bundle, names)
        watched.append(seconds(partial(_watch, monitor, blocks)) / _ROWS * 1e6)
        anew.append(seconds(lambda: _made_anew(values, bundle.training)) / _ROWS * 1e6)
        quality = PredictionQuality({"m": bundle})
        answers = _answers(blocks)
        scored.append(seconds(partial(_score, quality, blocks, answers)) / _ROWS * 1e6)
    yield time_row(f"watch: psi of {_COLUMNS} columns, a row", "us", watched, "histograms made anew at each judgement", anew)
    yield time_row("watch: scores of one model, a row", "us", scored)


def _monitor(bundle: BundleInfo, names: tuple[str, ...]) -> DriftMonitor:
    rule = DriftRule(
        number=0, model="m", watch="inputs", measure="psi", window=_WINDOW, every=_EVERY, thresholds=Thresholds(warn=9.0)
    )
    monitor = DriftMonitor([rule], {"m": bundle})
    monitor.start(
        SessionInfo(
            session_id="bench",
            folder=Path(),
            instruments=("A",),
            columns=names,
            dtype="float32",
            schema_hash="",
            fingerprint="",
        )
    )
    return monitor


def _made_anew(values: NDArray[np.float32], training: Mapping[str, TrainingColumn]) -> float:
    """The same judgements by whoever keeps the rows and counts all of the window each time."""
    described = [(np.asarray(one.edges, np.float32), np.maximum(np.array(one.shares), 1e-4)) for one in training.values()]
    most = 0.0
    for end in range(_WINDOW, len(values) + 1, _EVERY):
        window = values[end - _WINDOW : end]
        for k, (edges, shares) in enumerate(described):
            counts = np.bincount(np.searchsorted(edges, window[:, k]), minlength=len(shares))
            now = np.maximum(counts / _WINDOW, 1e-4)
            most = max(most, float(((now - shares) * np.log(now / shares)).sum()))
    return most


def _answers(blocks: Sequence[RowBlock]) -> list[PredictionBlock]:
    random = np.random.default_rng(9)
    answers = []
    for block in blocks:
        meta = np.zeros(len(block.meta), PREDICTION)
        meta["row"] = block.meta["number"]
        outputs = random.dirichlet((1.0, 1.0, 1.0), len(meta)).astype(np.float32)
        answers.append(PredictionBlock(model="m", meta=meta, outputs=outputs))
    return answers


def _watch(monitor: DriftMonitor, blocks: Sequence[RowBlock]) -> None:
    for block in blocks:
        monitor.rows(block)


def _score(quality: PredictionQuality, blocks: Sequence[RowBlock], answers: Sequence[PredictionBlock]) -> None:
    for block, answer in zip(blocks, answers, strict=True):
        quality.predictions(answer)
        quality.rows(block)


def _bundle(names: tuple[str, ...], training: dict[str, TrainingColumn]) -> BundleInfo:
    return BundleInfo(
        name="m",
        path=Path(),
        hash="",
        backend="",
        file="",
        features=tuple(InputFeature(use=name, label=name, columns=(name,)) for name in names),
        window=1,
        dtype="float32",
        classes=("down", "flat", "up"),
        label=Label(horizon_rows=20, threshold_bps=0.01),
        expected_move_bps=(-1.0, 0.0, 1.0),
        variance_bps2=1.0,
        horizon_ns=1,
        sampling="frame",
        training=training,
    )
