"""Models of every family that is imported, small, and what they answer by themselves."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from import_case import Material

NAMES = ("down", "flat", "up")
Answers = Callable[[np.ndarray], np.ndarray]
Made = tuple[Path | str, Answers]


def sklearn_model(name: str) -> Any:
    from sklearn import ensemble, linear_model, neural_network, pipeline, preprocessing

    return {
        "logistic": linear_model.LogisticRegression,
        "forest": lambda: ensemble.RandomForestClassifier(10, max_depth=6, random_state=0),
        "boosted": lambda: ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0),
        "histogram": lambda: ensemble.HistGradientBoostingClassifier(max_iter=8, random_state=0),
        "network": lambda: neural_network.MLPClassifier((16,), max_iter=8, random_state=0, early_stopping=True),
        "normalized": lambda: pipeline.make_pipeline(preprocessing.Normalizer(), linear_model.LogisticRegression()),
        "linear": linear_model.LinearRegression,
        "ridge": linear_model.Ridge,
        "network_values": lambda: neural_network.MLPRegressor(
            hidden_layer_sizes=(16,), max_iter=8, random_state=0, early_stopping=True
        ),
        "forest_values": lambda: ensemble.RandomForestRegressor(8, max_depth=6, random_state=0),
        "histogram_values": lambda: ensemble.HistGradientBoostingRegressor(max_iter=8, random_state=0),
        "scaled": lambda: preprocessing.MinMaxScaler((-2, 2), clip=True),
    }[name]()


def fitted(name: str, material: Material) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = sklearn_model(name)
    target = material.directions if hasattr(model, "predict_proba") else material.moves
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_pipeline(sklearn_model("scaled"), StandardScaler(), model).fit(material.inputs, target)


def answers_of(model: Any) -> Answers:
    if hasattr(model, "predict_proba"):
        return lambda rows: model.predict_proba(rows.astype(np.float64))
    return lambda rows: model.predict(rows.astype(np.float64)).reshape(len(rows), -1)


MODULES = """
import torch
from torch import nn


class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, rows):
        return torch.softmax(self.layers(rows), 1)


class Scores(Wide):
    def forward(self, rows):
        return self.layers(rows)


class Long(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.memory = nn.LSTM(7, 8, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, rows):
        found, _ = self.memory(rows)
        return torch.softmax(self.out(found[:, -1]), 1)


class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.layers = nn.Sequential(nn.Flatten(1), nn.Linear(35, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, rows):
        return torch.softmax(self.layers(rows), 1)


class Two(Wide):
    def forward(self, rows):
        scores = self.layers(rows)
        return torch.softmax(scores, 1), scores[:, :1]
"""


def load_modules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Python file with modules, and what it holds."""
    path = folder / "modules_of_test.py"
    path.write_text(MODULES)
    spec = importlib.util.spec_from_file_location("modules_of_test", path)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "modules_of_test", code)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec.loader.exec_module(code)
    return code


def torch_answers(module: Any, *, softmax: bool = False) -> Answers:
    import torch

    def ask(rows: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found = module.eval()(torch.from_numpy(rows.copy()))
            heads = found if isinstance(found, tuple) else (found,)
            heads = tuple(torch.softmax(head, 1) for head in heads) if softmax else heads
            return torch.cat(heads, 1).numpy()

    return ask
