"""One importable model of every kind, small: what is imported, and what its original answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from import_case import Material
from model_families import NAMES, Answers, answers_of, fitted, load_modules, torch_answers


class Made(NamedTuple):
    """A source with the wishes of its import, and the answers of its original."""

    source: Path | str
    wishes: dict[str, Any]
    original: Answers


class Room(NamedTuple):
    """Where a case is made, and of what."""

    folder: Path
    material: Material
    columns: list[str]
    monkeypatch: pytest.MonkeyPatch


class Case(NamedTuple):
    make: Callable[[Room], Made]
    backend: str
    fused: bool = False  # whether it can be compiled into the features' kernel
    window: int = 1


def sklearn(name: str, form: str, **wishes: Any) -> Callable[[Room], Made]:
    def make(room: Room) -> Made:
        import skops.io

        model = fitted(name, room.material)
        skops.io.dump(model, room.folder / "model.skops")
        return Made(room.folder / "model.skops", {"form": form, **wishes}, answers_of(model))

    return make


def lightgbm(objective: str) -> Callable[[Room], Made]:
    def make(room: Room) -> Made:
        import lightgbm as library

        of = room.material
        target = {"multiclass": of.directions + 1, "binary": of.directions > 0, "regression": of.moves}[objective]
        settings = {"objective": objective, "num_threads": 1, "verbose": -1, "num_leaves": 15}
        settings |= {"num_class": 3} if objective == "multiclass" else {}
        booster = library.train(settings, library.Dataset(of.inputs, target), 10)
        booster.save_model(room.folder / "model.txt")

        def original(given: np.ndarray) -> np.ndarray:
            values = np.asarray(booster.predict(given)).reshape(len(given), -1)
            return np.hstack([1 - values, values]) if objective == "binary" else values

        names = {"multiclass": (NAMES,), "binary": (("down", "up"),), "regression": ()}[objective]
        return Made(room.folder / "model.txt", {"outputs": names}, original)

    return make


def xgboost(objective: str) -> Callable[[Room], Made]:
    def make(room: Room) -> Made:
        import xgboost as library

        of, kind = room.material, objective[0]
        target = {"m": of.directions + 1, "b": of.directions > 0, "r": of.moves}[kind]
        settings = {"objective": objective, "nthread": 1, "max_depth": 4} | ({"num_class": 3} if kind == "m" else {})
        booster = library.train(settings, library.DMatrix(of.inputs, target, feature_names=room.columns), 10)
        booster.save_model(room.folder / "model.ubj")

        def original(given: np.ndarray) -> np.ndarray:
            values = booster.predict(library.DMatrix(given, feature_names=room.columns)).reshape(len(given), -1)
            return np.hstack([1 - values, values]) if kind == "b" else values

        names = {"m": (NAMES,), "b": (("down", "up"),), "r": ()}[kind]
        return Made(room.folder / "model.ubj", {"outputs": names}, original)

    return make


def pickled(room: Room) -> Made:
    import joblib
    from lightgbm import LGBMClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=8, n_jobs=1, verbose=-1))
    model.fit(room.material.inputs, room.material.directions + 1)
    joblib.dump(model, room.folder / "model.joblib")
    return Made(room.folder / "model.joblib", {"outputs": (NAMES,), "trust_pickle": True}, answers_of(model))


def module(name: str, form: str, **wishes: Any) -> Callable[[Room], Made]:
    def make(room: Room) -> Made:
        code = load_modules(room.folder, room.monkeypatch)
        original = torch_answers(getattr(code, name)())
        return Made(f"{room.folder}/modules_of_test.py:{name}", {"form": form, "outputs": (NAMES,), **wishes}, original)

    return make


def torch_file(how: str) -> Callable[[Room], Made]:
    def make(room: Room) -> Made:
        import torch

        code = load_modules(room.folder, room.monkeypatch)
        wide, long = code.Wide().eval(), code.Long().eval()
        path, wishes = room.folder / ("model.pt2" if how == "export" else "model.pt"), {}
        if how == "trace":
            torch.jit.save(torch.jit.trace(wide, torch.zeros(2, 7)), str(path))
        elif how == "script":
            torch.jit.save(torch.jit.script(long), str(path))
            wishes = {"window": 20}
        else:
            shapes = ({0: torch.export.Dim("batch", min=1, max=512)},)
            torch.export.save(torch.export.export(wide, (torch.zeros(2, 7),), dynamic_shapes=shapes), path)
            wishes = {"form": "pt2"}
        return Made(path, {"outputs": (NAMES,), **wishes}, torch_answers(long if how == "script" else wide))

    return make


def plain_onnx(room: Room) -> Made:
    import skl2onnx

    model = fitted("logistic", room.material)
    kind = skl2onnx.common.data_types.FloatTensorType([None, 7])
    opset = {"": 17, "ai.onnx.ml": 3}
    graph = skl2onnx.to_onnx(model, initial_types=[("rows", kind)], options={id(model): {"zipmap": False}}, target_opset=opset)
    (room.folder / "model.onnx").write_bytes(graph.SerializeToString())
    return Made(room.folder / "model.onnx", {"outputs": (NAMES,)}, answers_of(model))


def quiet(make: Callable[[Room], Made], room: Room) -> Made:
    """The libraries warn of their own insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(room)


SKLEARN = (
    "linear",
    "ridge",
    "logistic",
    "normalized",
    "forest",
    "forest_values",
    "boosted",
    "histogram",
    "histogram_values",
    "network",
    "network_values",
)
SKOPS = ("logistic", "normalized", "forest", "boosted", "histogram_values", "network_values")  # a worker takes seconds to start
IN_FLOAT64 = ("histogram", "histogram_values")  # their splits: kernels compute in float32
TWO = {"outputs": (NAMES, ("move_bps",)), "kinds": ("classification", "regression")}
CASES = {
    **{f"{name} onnx": Case(sklearn(name, "onnx"), "onnx", fused=name not in IN_FLOAT64) for name in SKLEARN},
    **{f"{name} skops": Case(sklearn(name, "skops"), "sklearn") for name in SKOPS},
    **{
        f"calibrated by {method}": Case(sklearn("logistic", "onnx", calibrate=method), "onnx", fused=True)
        for method in ("temperature", "platt", "isotonic")
    },
    **{f"lightgbm {kind}": Case(lightgbm(kind), "onnx", fused=True) for kind in ("multiclass", "binary", "regression")},
    **{
        f"xgboost {kind}": Case(xgboost(kind), "onnx", fused=True)
        for kind in ("multi:softprob", "binary:logistic", "reg:squarederror")
    },
    "pickled pipeline": Case(pickled, "onnx", fused=True),
    "torch by dynamo": Case(module("Wide", "onnx"), "onnx", fused=True),
    "torch of windows by dynamo": Case(module("Long", "onnx", window=20), "onnx", window=20),
    "torch of flat windows by dynamo": Case(module("Flat", "onnx", window=5), "onnx", fused=True, window=5),
    "torch of two heads": Case(module("Two", "onnx", **TWO), "onnx", fused=True),
    "torch to torchscript": Case(module("Wide", "torchscript"), "torch"),
    "torchscript by trace": Case(torch_file("trace"), "torch"),
    "torchscript by script": Case(torch_file("script"), "torch", window=20),
    "torch.export": Case(torch_file("export"), "torch"),
    "plain onnx": Case(plain_onnx, "onnx", fused=True),
}
