"""What the backends torch and sklearn refuse, and what is particular to them; the laws try the rest."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bundles import describe
from vtframe_sklearn import SklearnBackend
from vtframe_torch import TorchBackend

from vtframe.api import BundleError, BundleInfo, ModelBackend
from vtframe.inference.bundle import write_bundle


def bundle_of(folder: Path, backend: type[ModelBackend], file: Path, columns: int = 4, **changes: Any) -> BundleInfo:
    description = describe(columns, backend=backend.name, file=file.name, **changes)
    return write_bundle(folder / f"bundle-{file.stem}", description, {file.name: file.read_bytes()})


def saved(module: Any, folder: Path, *shape: int) -> Path:
    import torch

    path = folder / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module.eval(), torch.ones(2, *shape)), str(path))
    return path


def test_a_window_in_the_ring_is_read_in_place_and_stays_as_it_is(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, TorchBackend, TorchBackend.example(tmp_path, window=100, columns=40), 40, window=100)  # type: ignore[arg-type]
    model = TorchBackend().open(bundle)
    ring = np.random.default_rng(0).normal(size=(1, 300, 40)).astype(np.float32)
    ring.flags.writeable = False
    kept = ring.copy()
    for start in (0, 17, 200):
        view = ring[:, start : start + 100]
        assert np.shares_memory(view, ring)
        assert np.array(model.predict(view)).tobytes() == np.array(model.predict(view.copy())).tobytes()
    assert ring.tobytes() == kept.tobytes()
    model.close()


@pytest.mark.parametrize("shape", [(4, 3), (1, 4, 3), (12,)])
def test_a_module_may_read_windows_images_or_flat_rows(tmp_path: Path, shape: tuple[int, ...]) -> None:
    import torch

    class Sum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(12, 3)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.linear(rows.reshape(-1, *shape).flatten(1)), 1)

    bundle = bundle_of(tmp_path, TorchBackend, saved(Sum(), tmp_path, *shape), 3, window=4)
    model = TorchBackend().open(bundle)
    assert model.predict(np.ones((5, 4, 3), np.float32)).shape == (5, 3)
    model.close()


def test_a_module_that_writes_into_its_input_is_refused(tmp_path: Path) -> None:
    import torch

    class Scaling(torch.nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            rows.mul_(2.0)
            return torch.softmax(rows[:, :3], 1)

    bundle = bundle_of(tmp_path, TorchBackend, saved(Scaling(), tmp_path, 4))
    with pytest.raises(BundleError, match="writes into its input, which is the ring that everybody reads"):
        TorchBackend().open(bundle)


def test_models_that_are_open_together_agree_on_torchs_threads(tmp_path: Path) -> None:
    file = TorchBackend.example(tmp_path, window=1, columns=4)
    assert file is not None
    bundle = bundle_of(tmp_path, TorchBackend, file)
    first = TorchBackend(threads=1).open(bundle)
    with pytest.raises(BundleError, match=r"is to run with 2 thread\(s\), and a model with 1 is open in this process"):
        TorchBackend(threads=2).open(bundle)
    first.close()
    first.close()
    second = TorchBackend(threads=2).open(bundle)
    import torch

    assert torch.get_num_threads() == 2
    second.close()
    TorchBackend(threads=1).open(bundle).close()
    assert torch.get_num_threads() == 1


def test_a_device_that_is_missing_is_an_error_unless_the_cpu_was_asked_for_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    file = TorchBackend.example(tmp_path, window=1, columns=4)
    assert file is not None
    bundle = bundle_of(tmp_path, TorchBackend, file)
    with pytest.raises(BundleError, match=r'is to run on cuda, and this torch .* finds no CUDA device; say device = "cpu"'):
        TorchBackend(device="cuda").open(bundle)
    model = TorchBackend(device="cuda", fallback=True).open(bundle)
    assert model.predict(np.zeros((1, 1, 4), np.float32)).shape == (1, 3)
    model.close()


def estimator(folder: Path, model: Any, *, classes: int = 3) -> Path:
    import skops.io

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 4))
    model.fit(rows, rng.integers(0, classes, 200))
    skops.io.dump(model, folder / "model.skops")
    return folder / "model.skops"


def test_the_thread_count_reaches_every_estimator_inside(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inner = RandomForestClassifier(3, n_jobs=4)
    voting = VotingClassifier([("a", inner), ("b", RandomForestClassifier(3, n_jobs=4))], voting="soft", n_jobs=4)
    bundle = bundle_of(tmp_path, SklearnBackend, estimator(tmp_path, make_pipeline(StandardScaler(), voting)))
    model = SklearnBackend(threads=1).open(bundle)
    fitted = model._estimator.steps[-1][1]  # type: ignore[attr-defined]
    assert [part.n_jobs for part in (fitted, *fitted.estimators_)] == [1, 1, 1]


def test_an_estimator_without_what_the_bundle_asks_is_refused_by_name(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression, RidgeClassifier

    ridge = bundle_of(tmp_path, SklearnBackend, estimator(tmp_path, RidgeClassifier()))
    with pytest.raises(BundleError, match="is a RidgeClassifier, which has no predict_proba"):
        SklearnBackend().open(ridge)
    two = tmp_path / "two"
    two.mkdir()
    bundle = bundle_of(two, SklearnBackend, estimator(two, LogisticRegression(), classes=2))
    with pytest.raises(BundleError, match=r"model\.skops: fails on a row of zeros|answers one row with shape"):
        SklearnBackend().open(bundle)


class Stranger:
    """A type that nobody knows."""

    def predict(self, rows: Any) -> Any:
        return rows


def test_a_type_that_nobody_knows_is_refused_by_name(tmp_path: Path) -> None:
    import skops.io

    skops.io.dump(Stranger(), tmp_path / "model.skops")
    bundle = bundle_of(tmp_path, SklearnBackend, tmp_path / "model.skops")
    with pytest.raises(BundleError, match=r"holds types that may run code when they are made: \S*Stranger; import the model"):
        SklearnBackend().open(bundle)


@pytest.mark.parametrize("backend", [TorchBackend, SklearnBackend])
def test_a_file_of_another_kind_is_refused_by_its_suffix(tmp_path: Path, backend: type[ModelBackend]) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    bundle = bundle_of(tmp_path, backend, tmp_path / "model.onnx")
    with pytest.raises(BundleError, match=r"found a \.onnx file, the (torch|sklearn) backend reads \."):
        backend().open(bundle)
