"""Every family of models that is imported equals its original on recorded rows, through the backend that it ends up in."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from import_case import Import, Material, backend
from model_families import NAMES, Answers, answers_of, fitted, load_modules, torch_answers

from vtframe.inference.importing.compare import TOLERANCE
from vtframe.inference.importing.rows import RowSet


def equals(found: Any, original: Answers, rows: RowSet, *, window: int = 1) -> None:
    """On every valid row of the recording, not only those that the import looked at; alone and in batches."""
    usable = rows.usable(window)
    windows = rows.windows(usable, window)
    expected = original(windows.reshape(len(windows), -1) if window == 1 else windows)
    model = backend(found.bundle.backend).open(found.bundle)
    try:
        together = np.concatenate([np.array(model.predict(windows[k : k + 200])) for k in range(0, len(windows), 200)])
        alone = np.concatenate([np.array(model.predict(windows[k : k + 1])) for k in range(100)])
    finally:
        model.close()
    assert len(windows) > 6_000
    np.testing.assert_allclose(together, expected, atol=TOLERANCE, rtol=TOLERANCE)
    np.testing.assert_allclose(alone, expected[:100], atol=TOLERANCE, rtol=TOLERANCE)
    assert len(np.unique(together.round(5), axis=0)) > 20


@pytest.mark.parametrize("form", ["onnx", "skops"])
@pytest.mark.parametrize(
    "name", ["logistic", "forest", "boosted", "histogram", "network", "ridge", "forest_values", "histogram_values"]
)
def test_scikit_learn(name: str, form: Any, material: Material, rows: RowSet, imported: Import) -> None:
    import skops.io

    path = Path("model.skops")

    model = fitted(name, material)
    skops.io.dump(model, path)
    found = imported(path, form=form)
    assert found.bundle.backend == {"onnx": "onnx", "skops": "sklearn"}[form]
    assert found.bundle.classes == (NAMES if hasattr(model, "predict_proba") else ("move_bps",))
    equals(found, answers_of(model), rows)


@pytest.mark.parametrize("objective", ["multiclass", "binary", "regression"])
def test_lightgbm(objective: str, material: Material, rows: RowSet, imported: Import, tmp_path: Path) -> None:
    import lightgbm

    target = {"multiclass": material.directions + 1, "binary": material.directions > 0, "regression": material.moves}[objective]
    settings = {"objective": objective, "num_threads": 1, "verbose": -1, "num_leaves": 15}
    settings |= {"num_class": 3} if objective == "multiclass" else {}
    booster = lightgbm.train(settings, lightgbm.Dataset(material.inputs, target), 10)
    booster.save_model(tmp_path / "model.txt")
    names = {"multiclass": (NAMES,), "binary": (("down", "up"),), "regression": ()}[objective]
    found = imported(tmp_path / "model.txt", outputs=names)

    def original(given: np.ndarray) -> np.ndarray:
        values = np.asarray(booster.predict(given)).reshape(len(given), -1)
        return np.hstack([1 - values, values]) if objective == "binary" else values

    equals(found, original, rows)


@pytest.mark.parametrize(
    ("objective", "suffix"),
    [
        ("multi:softprob", ".json"),
        ("multi:softprob", ".ubj"),
        ("multi:softmax", ".json"),
        ("binary:logistic", ".ubj"),
        ("reg:squarederror", ".json"),
    ],
)
def test_xgboost(objective: str, suffix: str, material: Material, rows: RowSet, imported: Import) -> None:
    import xgboost

    path = Path(f"model{suffix}")

    target = {"m": material.directions + 1, "b": material.directions > 0, "r": material.moves}[objective[0]]
    settings = {"objective": objective, "nthread": 1, "max_depth": 4} | ({"num_class": 3} if objective[0] == "m" else {})
    columns = list(rows.columns)
    booster = xgboost.train(settings, xgboost.DMatrix(material.inputs, target, feature_names=columns), 10)
    booster.save_model(path)
    names = {"m": (NAMES,), "b": (("down", "up"),), "r": ()}[objective[0]]
    found = imported(path, outputs=names)

    def original(given: np.ndarray) -> np.ndarray:
        matrix = xgboost.DMatrix(given, feature_names=columns)
        if objective == "multi:softmax":
            powers = np.exp(booster.predict(matrix, output_margin=True).astype(np.float64))
            return powers / powers.sum(axis=1, keepdims=True)
        values = booster.predict(matrix).reshape(len(given), -1)
        return np.hstack([1 - values, values]) if objective[0] == "b" else values

    equals(found, original, rows)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_a_booster_at_the_end_of_a_pickled_pipeline(
    library: str, material: Material, rows: RowSet, imported: Import, tmp_path: Path
) -> None:
    import joblib
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if library == "lightgbm":
        from lightgbm import LGBMClassifier

        model = make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=8, n_jobs=1, verbose=-1))
    else:
        from xgboost import XGBClassifier

        model = make_pipeline(StandardScaler(), XGBClassifier(n_estimators=8, n_jobs=1, max_depth=4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(material.inputs, material.directions + 1)
        joblib.dump(model, tmp_path / "model.joblib")
        found = imported(tmp_path / "model.joblib", outputs=(NAMES,), trust_pickle=True)
        equals(found, answers_of(model), rows)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Python file with modules, and what it holds."""
    return load_modules(tmp_path, monkeypatch)


@pytest.mark.parametrize("form", ["onnx", "torchscript", "pt2"])
def test_a_torch_module_from_its_code(form: Any, modules: Any, rows: RowSet, imported: Import, tmp_path: Path) -> None:
    found = imported(f"{tmp_path}/modules_of_test.py:Wide", form=form, outputs=(NAMES,))
    assert found.bundle.backend == ("onnx" if form == "onnx" else "torch")
    equals(found, torch_answers(modules.Wide()), rows)


def test_a_torch_module_of_windows_with_weights_and_a_module_of_scores(
    modules: Any, rows: RowSet, imported: Import, tmp_path: Path
) -> None:
    import torch

    trained = modules.Long()
    with torch.no_grad():
        trained.out.bias += torch.tensor([0.5, -0.5, 0.0])
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    source = f"{tmp_path}/modules_of_test.py:Long"
    found = imported(source, outputs=(NAMES,), window=20, weights=tmp_path / "weights.pt")
    equals(found, torch_answers(trained), rows, window=20)
    scores = imported(f"{tmp_path}/modules_of_test.py:Scores", outputs=(NAMES,), softmax=True, replace=True)
    equals(scores, torch_answers(modules.Scores(), softmax=True), rows)


def test_torchscript_by_trace_and_by_script(modules: Any, rows: RowSet, imported: Import, tmp_path: Path) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(modules.Wide().eval(), torch.zeros(2, 7)), str(tmp_path / "traced.pt"))
        torch.jit.save(torch.jit.script(modules.Long().eval()), str(tmp_path / "scripted.pt"))
    equals(imported(tmp_path / "traced.pt", outputs=(NAMES,)), torch_answers(modules.Wide()), rows)
    found = imported(tmp_path / "scripted.pt", outputs=(NAMES,), window=20, replace=True)
    assert found.bundle.backend == "torch"
    equals(found, torch_answers(modules.Long()), rows, window=20)


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_an_exported_program(form: Any, modules: Any, rows: RowSet, imported: Import, tmp_path: Path) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = ({0: torch.export.Dim("batch", min=1, max=512)},)
        program = torch.export.export(modules.Wide().eval(), (torch.zeros(2, 7),), dynamic_shapes=shapes)
        torch.export.save(program, tmp_path / "model.pt2")
    equals(imported(tmp_path / "model.pt2", form=form, outputs=(NAMES,)), torch_answers(modules.Wide()), rows)


def test_a_module_of_two_heads_is_one_bundle_whose_heads_are_told_apart(
    modules: Any, rows: RowSet, imported: Import, tmp_path: Path
) -> None:
    source = f"{tmp_path}/modules_of_test.py:Two"
    found = imported(source, outputs=(NAMES, ("move_bps",)), kinds=("classification", "regression"), calibrate="temperature")
    bundle = found.bundle
    assert [(head.kind, head.outputs) for head in bundle.heads] == [("classification", NAMES), ("regression", ("move_bps",))]
    assert bundle.calibrator is not None
    original = torch_answers(modules.Two())

    def calibrated(given: np.ndarray) -> np.ndarray:
        answers = original(given).astype(np.float64)
        answers[:, :3] = bundle.calibrator.apply(answers[:, :3])  # type: ignore[union-attr]
        return answers

    equals(found, calibrated, rows)
    assert bundle.expected_move_bps[3] == 0.0


def test_an_onnx_file_with_a_label_output_and_double_inputs(
    material: Material, rows: RowSet, imported: Import, tmp_path: Path
) -> None:
    import skl2onnx

    model = fitted("logistic", material)
    kind = skl2onnx.common.data_types.DoubleTensorType([None, 7])
    for zipmap in (False, True):
        graph = skl2onnx.to_onnx(
            model,
            initial_types=[("rows", kind)],
            options={id(model): {"zipmap": zipmap}},
            target_opset={"": 17, "ai.onnx.ml": 3},
        )
        (tmp_path / "model.onnx").write_bytes(graph.SerializeToString())
        found = imported(tmp_path / "model.onnx", outputs=(NAMES,), replace=zipmap)
        assert found.bundle.dtype == "float32"
        equals(found, answers_of(model), rows)
