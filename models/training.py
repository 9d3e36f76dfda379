"""Trains, judges and exports a direction model: an MLP beside a logistic regression, out of sample. Seeded throughout.

The same data, seed and library versions give the same bundle, byte for byte (linear algebra runs in one thread for that);
another machine's libraries may round differently, and then the bundle has another hash.
"""

from __future__ import annotations

import copy
import platform
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import onnxruntime
import skl2onnx
import sklearn
from dataset import CLASSES, Examples, Rows, mirror
from numpy.typing import NDArray
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits

import vtframe
from vtframe.api import Label
from vtframe.inference.bundle_format import Description, Input, Output, Provenance
from vtframe.inference.drift import training_columns
from vtframe.inference.importing.measure import slope_of

OPSET = {"": 17, "ai.onnx.ml": 3}
TOLERANCE = 1e-5  # between the exported graph (float32) and scikit-learn (float64)
_EVERY = list(range(len(CLASSES)))

Probabilities = NDArray[np.float64]


class Judged(NamedTuple):
    """What a model is worth on examples that it has not seen."""

    metrics: dict[str, float]
    baselines: dict[str, float]


class Economics(NamedTuple):
    """What its probabilities are worth in bps over the horizon."""

    expected_move_bps: tuple[float, ...]
    variance_bps2: float
    slope: float


class Scaled(NamedTuple):
    """Inputs as the network sees them, and the classes."""

    inputs: NDArray[np.float64]
    classes: NDArray[np.int64]


class Grid(NamedTuple):
    """What is tried; the least log loss on the validation part wins."""

    layers: tuple[tuple[int, ...], ...] = ((16,), (32, 32))
    penalties: tuple[float, ...] = (1e-3, 1e-1, 1.0)
    epochs: int = 80
    patience: int = 10  # epochs without progress
    batch: int = 256  # rows of one step


def train(training: Examples, validation: Examples, *, seed: int, grid: Grid | None = None) -> Pipeline:
    """Clip, scale and fit MLPs; shape, penalty, epoch and temperature are chosen on ``validation`` (which is later)."""
    grid = grid or Grid()
    with threadpool_limits(1):
        scaler = clip_scale(training)
        early = Scaled(scaler.transform(training.inputs), training.classes)
        later = Scaled(scaler.transform(validation.inputs), validation.classes)
        best, least = None, np.inf
        for layers in grid.layers:
            for penalty in grid.penalties:
                network = MLPClassifier(
                    layers, alpha=penalty, batch_size=grid.batch, learning_rate_init=1e-3, random_state=seed
                )
                network, loss, epoch = _fit(network, early, later, grid)
                print(
                    f"  layers {layers}, penalty {penalty:g}: validation log loss {loss:.4f} after {epoch} epochs", flush=True
                )
                if loss < least:
                    best, least = network, loss
        _cool(best, later)
    return Pipeline([("scale", scaler), ("classify", best)])


def clip_scale(examples: Examples) -> MinMaxScaler:
    """Columns clipped to the middle 99% of ``examples`` and scaled to -2..2: a wild row is no wilder than those seen here."""
    low, high = np.quantile(examples.inputs.astype(np.float64), [0.005, 0.995], axis=0)
    return MinMaxScaler((-2, 2), clip=True).fit(np.array([low, high]))


def _fit(network: MLPClassifier, early: Scaled, later: Scaled, grid: Grid) -> tuple[MLPClassifier, float, int]:
    """The network at its best epoch, its log loss on the later part, and the epoch."""
    best, least, best_epoch = network, np.inf, 0
    for epoch in range(1, grid.epochs + 1):
        network.partial_fit(early.inputs, early.classes, classes=_EVERY)
        loss = float(log_loss(later.classes, network.predict_proba(later.inputs), labels=_EVERY))
        if loss < least:
            best, least, best_epoch = copy.deepcopy(network), loss, epoch
        elif epoch - best_epoch >= grid.patience:
            break
    return best, least, best_epoch


def _cool(network: MLPClassifier, later: Scaled) -> None:
    """Temperature scaling (Guo et al. 2017): divide the last layer by the temperature with the least log loss."""
    weights, bias = network.coefs_[-1].copy(), network.intercepts_[-1].copy()
    losses = {}
    for temperature in np.round(np.geomspace(0.5, 3.0, 61), 4).tolist():
        network.coefs_[-1], network.intercepts_[-1] = weights / temperature, bias / temperature
        losses[temperature] = log_loss(later.classes, network.predict_proba(later.inputs), labels=_EVERY)
    chosen = min(losses, key=losses.__getitem__)
    print(f"  temperature {chosen}")
    network.coefs_[-1], network.intercepts_[-1] = weights / chosen, bias / chosen


def logistic(training: Examples) -> Pipeline:
    """The simple model that the network must be worth."""
    with threadpool_limits(1):
        scaler = clip_scale(training)
        simple = LogisticRegression(max_iter=1000).fit(scaler.transform(training.inputs), training.classes)
    return Pipeline([("scale", scaler), ("classify", simple)])


def probabilities(model: Pipeline, examples: Examples) -> Probabilities:
    with threadpool_limits(1):
        return np.asarray(model.predict_proba(examples.inputs.astype(np.float64)))


def judge(answers: Probabilities, training: Examples, test: Examples, *, simple: Probabilities) -> Judged:
    """Metrics on ``test``, and the same of the majority class and the class frequencies of ``training``."""
    counts = np.bincount(training.classes, minlength=len(CLASSES))
    majority = np.full(len(test), counts.argmax())
    prior = np.tile(counts / counts.sum(), (len(test), 1))
    metrics = _scores(test.classes, answers.argmax(axis=1), answers)
    baselines = _scores(test.classes, majority, prior)
    baselines |= {f"logistic_{name}": value for name, value in _scores(test.classes, simple.argmax(axis=1), simple).items()}
    return Judged(metrics, baselines)


def _scores(truth: NDArray[np.int64], guesses: NDArray[np.int64], answers: Probabilities) -> dict[str, float]:
    values = {
        "accuracy": accuracy_score(truth, guesses),
        "macro_f1": f1_score(truth, guesses, average="macro", labels=_EVERY, zero_division=0),
        "log_loss": log_loss(truth, answers, labels=_EVERY),
    }
    return {name: round(float(value), 6) for name, value in values.items()}


def economics(model: Pipeline, test: Examples, signs: NDArray[np.float32]) -> Economics:
    """What each class is worth, so that ``sum(p * expected_move)`` is a calibrated edge on ``test`` and its mirror image.

    Each class's mean move, times one factor: the slope of the realized move on the probability-weighted mean. The mirror image
    takes the trend of those minutes out, so that it is not sold as knowledge; a negative slope means that there is no edge.
    """
    both = mirror(test, signs)
    answers = probabilities(model, both)
    means = np.array([both.moves[both.classes == k].mean() if (both.classes == k).any() else 0.0 for k in _EVERY])
    slope = max(0.0, slope_of(answers @ means, both.moves))
    expected = tuple(round(float(value), 6) + 0.0 for value in slope * means)
    return Economics(expected, round(float(both.moves.var()), 6), slope)


def judge_edge(model: Pipeline, test: Examples, signs: NDArray[np.float32]) -> dict[str, float]:
    """How well the edge holds: measured on the first half of ``test``, judged on the second.

    A slope of 1 is a calibrated edge, a slope of 0 none.
    """
    half = len(test) // 2
    first, second = test.take(slice(0, half)), test.take(slice(half, None))
    edge = probabilities(model, second) @ np.array(economics(model, first, signs).expected_move_bps)
    varied = edge.std() > 0
    return {
        "edge_slope": round(slope_of(edge, second.moves), 6),
        "edge_correlation": round(float(np.corrcoef(edge, second.moves)[0, 1]) if varied else 0.0, 6),
        "edge_std_bps": round(float(edge.std()), 6),
    }


def export(model: Pipeline, width: int, *, name: str) -> bytes:
    """The graph: float32 rows in, probabilities out, free batch dimension, scaling inside."""
    graph = skl2onnx.to_onnx(
        model,
        initial_types=[("rows", skl2onnx.common.data_types.FloatTensorType([None, width]))],
        options={id(model): {"zipmap": False}},
        target_opset=OPSET,
        name=name,
    )
    graph = select_model_inputs_outputs(graph, ["probabilities"])
    graph.graph.name = name
    used = {name for node in graph.graph.node for name in node.input}
    for spare in [tensor for tensor in graph.graph.initializer if tensor.name not in used]:
        graph.graph.initializer.remove(spare)
    graph.doc_string = ""
    versions = sorted(graph.opset_import, key=lambda opset: opset.domain)  # skl2onnx lists them in the order of a set
    del graph.opset_import[:]
    graph.opset_import.extend(versions)
    return bytes(graph.SerializeToString(deterministic=True))


def check_export(graph: bytes, model: Pipeline, examples: Examples) -> float:
    """The largest difference between the graph and scikit-learn on real rows, alone and in one batch; raises where it is over
    TOLERANCE or where fewer than 1,000 rows are there."""
    if len(examples) < 1000:
        raise SystemExit(f"{len(examples)} rows are too few to compare the exported graph on; 1,000 are needed")
    rows = examples.inputs[:5000]
    expected = model.predict_proba(rows.astype(np.float64))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    together = session.run(None, {"rows": rows})[0]
    alone = np.concatenate([session.run(None, {"rows": rows[k : k + 1]})[0] for k in range(1000)])
    apart = float(max(np.abs(together - expected).max(), np.abs(alone - expected[:1000]).max()))
    if apart > TOLERANCE:
        raise SystemExit(f"the exported graph differs from scikit-learn by {apart:.2e}, at most {TOLERANCE:.0e} is allowed")
    print(f"  exported graph equals scikit-learn within {apart:.1e} on {len(rows)} rows")
    return apart


def describe(
    *,
    name: str,
    made_by: str,
    rows: Rows,
    sampling: str,
    label: Label,
    data: Sequence[str],
    parts: dict[str, Examples],
    split: str,
    judged: Judged,
    worth: Economics,
    edge: dict[str, float],
    apart: float,
) -> Description:
    """What bundle.toml will say."""
    span = sum(int(part.ends[-1] - part.starts[0]) for part in parts.values()) / 1e9
    return Description(
        name=name,
        backend="onnx",
        file="model.onnx",
        input=Input(
            features=rows.schema,
            sampling=sampling,
            instruments=rows.instruments,
            training=training_columns(parts["training"].inputs, [name for one in rows.schema for name in one.columns]),
        ),
        output=Output(
            classes=CLASSES,
            label=label,
            calibration=(
                "probabilities: temperature scaling on the validation part; expected moves: class means on the test part and "
                "its mirror image, times the slope of the realized move on their probability-weighted sum"
            ),
            expected_move_bps=worth.expected_move_bps,
            variance_bps2=worth.variance_bps2,
            horizon_ns=int(np.median(parts["training"].ends - parts["training"].starts)),
        ),
        provenance=Provenance(
            made_by=made_by,
            data=tuple(data),
            span=f"{span:.0f} s of market time",
            split=split,
            code_version=(
                f"vtframe {vtframe.__version__}, Python {platform.python_version()}, numpy {np.__version__}, scikit-learn "
                f"{sklearn.__version__}, skl2onnx {skl2onnx.__version__}; graph within {TOLERANCE:.0e} of scikit-learn"
                f" (found {apart:.1e})"
            ),
            fingerprint=rows.fingerprint,
            rows={part: len(examples) for part, examples in parts.items()},
            metrics=judged.metrics | edge,
            baselines=judged.baselines,
        ),
    )


def report(description: Description) -> None:
    """Print what was measured."""
    made = description.provenance
    print(f"{description.name}: out of sample on {made.rows['test']} rows")
    for name, value in made.metrics.items():
        beside = [
            f"{word} {made.baselines[key]:.4f}"
            for word, key in (("majority", name), ("logistic", f"logistic_{name}"))
            if key in made.baselines
        ]
        print(f"  {name:18} {value:8.4f}  {', '.join(beside)}")
    print(f"  expected move      {', '.join(f'{move:+.4f}' for move in description.output.expected_move_bps)} bps")
    print(f"  variance           {description.output.variance_bps2:.4f} bps^2 over {description.output.horizon_ns / 1e9:.2f} s")
    print(msgspec.json.encode(made.rows).decode())
