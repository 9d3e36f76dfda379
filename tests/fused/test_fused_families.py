"""Models as libraries export them, on rows made from recorded frames: compiled, beside ONNX Runtime and beside the library."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skl2onnx
from fused_graphs import Pair
from numpy.typing import NDArray
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, RobustScaler, StandardScaler

from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.features import (
    BookImbalance,
    MicroPrice,
    MicroSpread,
    OrderFlowImbalance,
    RollingVolatility,
    TradeImbalance,
)
from vtframe.domain import Records
from vtframe.features import Pipeline
from vtframe.inference.fused import TOLERANCE, check_against

pytestmark = pytest.mark.filterwarnings("ignore")  # of the exporters, about their own insides

Opened = Callable[..., Pair]
Rows = NDArray[np.float32]
COLUMNS = 7
OPSET = {"": 17, "ai.onnx.ml": 3}


@pytest.fixture(scope="module")
def rows(data: Path) -> Rows:
    """At least 2,000 valid rows (n, 1, columns) of recorded frames."""
    features = [  # of the demo models, whose kernel other tests compile as well
        BookImbalance(),
        BookImbalance(levels=5, as_="book_imbalance_5"),
        MicroSpread(),
        MicroPrice(),
        RollingVolatility(),
        OrderFlowImbalance(),
        TradeImbalance(),
    ]
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as file:
        raw = [line.split(b" ", 1) for line in itertools.islice(file, 22_000)]
    instruments = list(BinanceCodec.recognize(message for _, message in raw))
    codec, records = BinanceCodec(), Records()
    codec.open(instruments)
    for number, (received, message) in enumerate(raw):
        first = records.n_frames
        codec.decode(message, records)
        records.stamp(number=number, ts_recv=int(received), first_frame=first)
    pipeline = Pipeline(features, instruments, [codec.sequence_rule(0)])
    batches = list(pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events]))
    valid = np.concatenate([batch.meta["valid"] for batch in batches]) != 0
    made = np.concatenate([batch.values for batch in batches])[valid]
    assert len(made) >= 1_500
    return made[:, None, :]


def labels(rows: Rows, classes: int) -> NDArray[np.int64]:
    """Classes that depend on the rows, not by one line, with some chance."""
    x = rows[:, 0]
    score = x[:, 0] + 2 * x[:, 5] * x[:, 6] + 0.3 * np.random.default_rng(1).standard_normal(len(x))
    return np.digitize(score, np.quantile(score, [1 / 3, 2 / 3] if classes == 3 else [0.4]))


@contextlib.contextmanager
def plain_numbers() -> Iterator[None]:
    """skl2onnx hands numpy's integers and booleans on, which newer versions of onnx refuse."""
    container = skl2onnx.common._container.ModelComponentContainer
    add_node = container.add_node

    def plain(self: Any, op_type: str, inputs: Any, outputs: Any, *rest: Any, **attributes: Any) -> Any:
        simple = {
            key: [int(part) if isinstance(part, (bool, np.bool_, np.integer)) else part for part in value]
            if isinstance(value, (list, np.ndarray))
            else value
            for key, value in attributes.items()
        }
        return add_node(self, op_type, inputs, outputs, *rest, **simple)

    container.add_node = plain
    try:
        yield
    finally:
        container.add_node = add_node


def exported(model: Any) -> bytes:
    classifier = hasattr(model, "predict_proba")
    options = {id(model): {"zipmap": False}} if classifier else None
    with plain_numbers():
        graph = skl2onnx.to_onnx(
            model, initial_types=[("rows", FloatTensorType([None, COLUMNS]))], options=options, target_opset=OPSET
        )
    wanted = "probabilities" if classifier else graph.graph.output[0].name
    return bytes(select_model_inputs_outputs(graph, [wanted]).SerializeToString())


def without_labels(graph: Any) -> bytes:
    for output in [output for output in graph.graph.output if output.name != "probabilities"]:
        graph.graph.output.remove(output)
    return bytes(graph.SerializeToString())


CLASSIFIERS: dict[str, tuple[Any, int]] = {
    "logistic": (make_pipeline(StandardScaler(), LogisticRegression()), 3),
    "logistic of two": (make_pipeline(RobustScaler(), LogisticRegression()), 2),
    "one against the rest": (OneVsRestClassifier(LogisticRegression()), 3),
    "components": (make_pipeline(StandardScaler(), PCA(4), LogisticRegression()), 3),
    "naive Bayes": (make_pipeline(StandardScaler(), GaussianNB()), 3),
    "network relu": (make_pipeline(MinMaxScaler(clip=True), MLPClassifier((16, 8), max_iter=15, random_state=0)), 3),
    "network tanh": (make_pipeline(StandardScaler(), MLPClassifier((16,), "tanh", max_iter=15, random_state=0)), 2),
    "network logistic": (make_pipeline(StandardScaler(), MLPClassifier((8,), "logistic", max_iter=15, random_state=0)), 3),
    "forest": (RandomForestClassifier(30, max_depth=6, random_state=0), 3),
    "forest of two": (RandomForestClassifier(30, random_state=0, min_samples_leaf=5), 2),
    "boosting": (GradientBoostingClassifier(n_estimators=10, random_state=0), 3),
    "boosting of two": (GradientBoostingClassifier(n_estimators=20, random_state=0), 2),
    "boosting by histograms": (HistGradientBoostingClassifier(max_iter=10, random_state=0), 3),
}


@pytest.mark.parametrize("name", list(CLASSIFIERS))
def test_a_classifier_of_scikit_learn_answers_as_it_did(opened: Opened, rows: Rows, name: str) -> None:
    model, classes = CLASSIFIERS[name]
    model.fit(rows[:, 0], labels(rows, classes))
    pair = opened(exported(model), COLUMNS, classes)
    agreement = check_against(pair.fused, pair.runtime, rows, where=name)
    assert agreement.rows == len(rows)
    assert agreement.largest < TOLERANCE
    apart = np.abs(np.array(pair.fused.predict(rows)) - model.predict_proba(rows[:, 0]))
    assert np.quantile(apart.max(axis=1), 0.99) < 1e-4  # in float64; a float32 row may fall on the other side of a tree's edge


REGRESSORS: dict[str, Any] = {
    "ridge": make_pipeline(RobustScaler(), Normalizer(), Ridge()),
    "network": make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(16,), max_iter=15, random_state=0)),
    "extra trees": ExtraTreesRegressor(20, max_depth=7, random_state=0),
}


@pytest.mark.parametrize("name", list(REGRESSORS))
def test_a_regressor_of_scikit_learn_answers_as_it_did(opened: Opened, rows: Rows, name: str) -> None:
    model = REGRESSORS[name].fit(rows[:, 0], rows[:, 0, 0] * rows[:, 0, 4])
    pair = opened(exported(model), COLUMNS, 1)
    assert check_against(pair.fused, pair.runtime, rows, where=name).largest < TOLERANCE


@pytest.mark.parametrize("classes", [2, 3])
def test_lightgbm_answers_as_it_did(opened: Opened, rows: Rows, classes: int) -> None:
    lightgbm, onnxmltools = pytest.importorskip("lightgbm"), pytest.importorskip("onnxmltools")
    settings = {"objective": "binary"} if classes == 2 else {"objective": "multiclass", "num_class": 3}
    data = lightgbm.Dataset(rows[:, 0], labels(rows, classes))
    booster = lightgbm.train(settings | {"verbose": -1, "num_threads": 1, "seed": 1}, data, 20)
    kind = onnxmltools.convert.common.data_types.FloatTensorType([None, COLUMNS])
    graph = onnxmltools.convert_lightgbm(booster, initial_types=[("rows", kind)], target_opset=15, zipmap=False)
    pair = opened(without_labels(graph), COLUMNS, classes)
    assert check_against(pair.fused, pair.runtime, rows, where="lightgbm").largest < TOLERANCE


@pytest.mark.parametrize("classes", [2, 3])
def test_xgboost_answers_as_it_did(opened: Opened, rows: Rows, classes: int) -> None:
    xgboost, onnxmltools = pytest.importorskip("xgboost"), pytest.importorskip("onnxmltools")
    settings = {"objective": "binary:logistic"} if classes == 2 else {"objective": "multi:softprob", "num_class": 3}
    data = xgboost.DMatrix(rows[:, 0], labels(rows, classes))
    booster = xgboost.train(settings | {"max_depth": 4, "nthread": 1, "seed": 1}, data, 20)
    kind = onnxmltools.convert.common.data_types.FloatTensorType([None, COLUMNS])
    graph = onnxmltools.convert_xgboost(booster, initial_types=[("rows", kind)], target_opset=15)
    pair = opened(without_labels(graph), COLUMNS, classes)
    assert check_against(pair.fused, pair.runtime, rows, where="xgboost").largest < TOLERANCE


def test_a_torch_network_answers_as_it_did(opened: Opened, rows: Rows) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    layers = [torch.nn.BatchNorm1d(COLUMNS), torch.nn.Linear(COLUMNS, 16), torch.nn.GELU(), torch.nn.LayerNorm(16)]
    layers += [torch.nn.Linear(16, 8), torch.nn.SiLU(), torch.nn.Dropout(0.1), torch.nn.Linear(8, 3), torch.nn.Softmax(dim=1)]
    network = torch.nn.Sequential(*layers).eval()
    given = torch.from_numpy(rows[:8, 0])
    buffer = io.BytesIO()
    with contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(network, (given,), dynamo=True, dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False)
    onnx.save_model(program.model_proto, buffer)
    pair = opened(buffer.getvalue(), COLUMNS, 3)
    assert check_against(pair.fused, pair.runtime, rows, where="torch").largest < TOLERANCE
    with torch.no_grad():
        wanted = network(torch.from_numpy(rows[:, 0])).numpy()
    np.testing.assert_allclose(pair.fused.predict(rows), wanted, atol=1e-5)
