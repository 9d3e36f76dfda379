"""Ensembles answer as their members do, put together by hand; what is no ensemble is refused by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from vtframe.api import BundleInfo, Calibrator, InputFeature, Model
from vtframe.assemble.data_set import DataSetRun, DataSetWishes
from vtframe.assemble.parity import ParityRun
from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin.ensemble.backend import EnsembleBackend
from vtframe.builtin.ensemble.make import make_ensemble
from vtframe.builtin.ensemble.members import read_members
from vtframe.cli.model import model as model_command
from vtframe.cli.model_backends import backend_class
from vtframe.dataset.labels import LabelRule
from vtframe.errors import BundleError, InputError, VtframeError
from vtframe.inference.bundle import load_bundle, write_bundle
from vtframe.inference.bundle_format import read_description
from vtframe.inference.importing.rows import RowSet, read_rows

MODEL = "embedded_direction"


@pytest.fixture(scope="module")
def home(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of a model, one that stacks them, and rows that they were not trained on."""
    home = tmp_path_factory.mktemp("ensemble")
    shutil.copytree(root / "models" / MODEL, home / MODEL)
    write_version(home, "sharper", Calibrator(method="temperature", temperature=0.5))
    write_stack(home)
    label = read_description(home / MODEL / "bundle.toml").output.label
    config = home / "rows.toml"
    text = (root / "market.toml").read_text().replace("models/", f"{root}/models/").replace("seed = 7", "seed = 99")
    config.write_text(text.replace("duration_s = 1200", "duration_s = 60"))
    rule = LabelRule(kind=label.kind, horizon_rows=label.horizon_rows, threshold_bps=label.threshold_bps)
    run = DataSetRun(DataSetWishes(config=config, out=home / "rows.parquet", label=rule))
    with run.work:
        run.make_rows()
        run.write()
    return home


def write_version(home: Path, name: str, calibrator: Calibrator | None, **changes: Any) -> Path:
    described = read_description(home / MODEL / "bundle.toml")
    output = msgspec.structs.replace(described.output, calibrator=calibrator)
    described = msgspec.structs.replace(described, **{"name": name, "output": output, "files": {}, **changes})
    return write_bundle(home / name, described, {described.file: (home / MODEL / described.file).read_bytes()}).path


def write_stack(home: Path) -> None:
    """A layer that reads six probabilities, and a softmax behind it."""
    weights = np.random.default_rng(3).normal(size=(6, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["rows"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "w"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "stack",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", 1, 6])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    described = read_description(home / MODEL / "bundle.toml")
    features = tuple(
        InputFeature(use="prediction", label=name, columns=tuple(f"{name}_{c}" for c in ("down", "flat", "up")))
        for name in (MODEL, "sharper")
    )
    read = msgspec.structs.replace(described.input, features=features, training={})
    described = msgspec.structs.replace(described, name="above", input=read, file="model.onnx", files={})
    write_bundle(home / "above", described, {"model.onnx": content})


@pytest.fixture(scope="module")
def rows(home: Path) -> RowSet:
    return read_rows(home / "rows.parquet")


def opened(bundle: BundleInfo) -> Model:
    return backend_class(bundle.backend, None)().open(bundle)


def windows_of(rows: RowSet, bundle: BundleInfo, count: int = 64) -> np.ndarray:
    return rows.windows(rows.usable(bundle.window)[:count], bundle.window, bundle.columns)


def by_hand(home: Path, rows: RowSet, count: int = 64) -> list[np.ndarray]:
    members = [load_bundle(home / name) for name in (MODEL, "sharper")]
    return [np.array(opened(member).predict(windows_of(rows, member, count))) for member in members]


def made(home: Path, rows: RowSet, name: str, **wishes: Any) -> BundleInfo:
    return make_ensemble(home / name, [home / MODEL, home / "sharper"], rows, unseen=1.0, replace=True, **wishes)


@pytest.mark.parametrize(
    ("name", "weights", "expected"),
    [
        ("mean", (), lambda one, other: np.mean([one, other], axis=0, dtype=np.float64)),
        ("weighted", (3.0, 1.0), lambda one, other: np.average([one, other], axis=0, weights=[3.0, 1.0])),
    ],
)
def test_an_average_is_numpy_s_of_the_members_answers(
    home: Path, rows: RowSet, name: str, weights: tuple[float, ...], expected: Callable[..., np.ndarray]
) -> None:
    bundle = made(home, rows, name, weights=weights)
    model = EnsembleBackend().open(bundle)
    batch = windows_of(rows, bundle)
    before = batch.copy()
    answer = np.array(model.predict(batch))
    one, other = by_hand(home, rows)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected(one, other), rtol=0, atol=6e-8)
    assert np.abs(one - other).max() > 0.01
    np.testing.assert_array_equal(batch, before)
    alone = np.concatenate([np.array(model.predict(batch[k : k + 1])) for k in range(len(batch))])
    np.testing.assert_allclose(alone, answer, rtol=0, atol=1e-6)
    model.close()
    model.close()


def test_a_stack_is_the_last_model_s_answer_to_all_the_others(home: Path, rows: RowSet) -> None:
    bundle = made(home, rows, "stacked", stack=home / "above")
    answer = np.array(EnsembleBackend().open(bundle).predict(windows_of(rows, bundle)))
    above = opened(load_bundle(home / "above"))
    expected = above.predict(np.concatenate(by_hand(home, rows), axis=1)[:, None, :])
    np.testing.assert_array_equal(answer, expected)


def test_members_read_their_own_columns_and_rows_of_what_the_ensemble_reads(home: Path, rows: RowSet) -> None:
    bundle = made(home, rows, "mean")
    turned = msgspec.structs.replace(bundle, features=bundle.features[::-1], window=3)
    batch = rows.windows(rows.usable(3)[:32], 3, turned.columns)
    answer = np.array(EnsembleBackend().open(turned).predict(batch))
    plain = np.ascontiguousarray(batch[:, -1:, [turned.columns.index(name) for name in bundle.columns]])
    np.testing.assert_array_equal(answer, EnsembleBackend().open(bundle).predict(plain))


def test_what_it_is_worth_is_measured_on_the_rows(home: Path, rows: RowSet) -> None:
    bundle = made(home, rows, "mean")
    assert bundle.metrics.keys() >= {"accuracy", "log_loss", "edge_slope"}
    assert bundle.provenance["rows"]["test"] > 1_000
    assert bundle.variance_bps2 > 0
    usable = rows.usable(1)
    assert rows.labels is not None
    labeled = usable[rows.labels.there[usable]]
    answer = EnsembleBackend().open(bundle).predict(rows.windows(labeled, 1, bundle.columns))
    right = np.array([-1, 0, 1])[answer.argmax(axis=1)] == rows.labels.direction[labeled]
    assert bundle.metrics["accuracy"] == pytest.approx(right.mean(), abs=1e-3)


def test_a_member_that_changed_or_is_gone_is_refused(home: Path, rows: RowSet, tmp_path: Path) -> None:
    for name in (MODEL, "sharper"):
        shutil.copytree(home / name, tmp_path / name)
    bundle = make_ensemble(tmp_path / "both", [tmp_path / MODEL, tmp_path / "sharper"], rows, unseen=1.0)
    assert [member.bundle for member in read_members(tmp_path / "both" / "members.toml").members] == [
        f"../{MODEL}",
        "../sharper",
    ]
    shutil.move(tmp_path, tmp_path.with_name("moved"))
    moved = load_bundle(tmp_path.with_name("moved") / "both")
    EnsembleBackend().open(moved).close()
    description = moved.path.parent / "sharper" / "bundle.toml"
    description.write_text(description.read_text() + "# changed\n")
    with pytest.raises(
        BundleError, match=r"members\.toml \[\[members\]\] 2: .* is not the bundle that the ensemble was made of"
    ):
        EnsembleBackend().open(moved)
    shutil.rmtree(moved.path.parent / MODEL)
    with pytest.raises(BundleError, match=f"{MODEL}: does not exist"):
        EnsembleBackend().open(moved)
    assert bundle.hash == moved.hash


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rule =", "is no list of members"),
        ('format_version = 2\nrule = "mean"\nmembers = [{}, {}]', "missing required field"),
        ('format_version = 1\nrule = "median"\nmembers = []', "median"),
        ('format_version = 1\nrule = "stack"\nmembers = [{M}, {M}]', r"needs \[stack\]"),
        ('format_version = 2\nrule = "mean"\nmembers = [{M}, {M}]', "has format version 2"),
        ('format_version = 1\nrule = "mean"\nmembers = [{M}, {W}]', "has no use for weights"),
        ('format_version = 1\nrule = "weighted"\nmembers = [{M}, {N}]', ">"),
    ],
)
def test_a_file_that_is_no_list_of_members_is_told(tmp_path: Path, text: str, problem: str) -> None:
    digest = "0" * 64
    for short, weight in (("M", ""), ("W", ", weight = 2.0"), ("N", ", weight = -1.0")):
        text = text.replace(f"{{{short}}}", f'{{ bundle = "x", hash = "{digest}"{weight} }}')
    (tmp_path / "members.toml").write_text(text)
    with pytest.raises(BundleError, match=problem):
        read_members(tmp_path / "members.toml")


def test_what_does_not_go_together_is_refused(home: Path, rows: RowSet, tmp_path: Path) -> None:
    described = read_description(home / MODEL / "bundle.toml")
    first = msgspec.structs.replace(described.input.features[1], settings={"levels": 9})
    features = (described.input.features[0], first, *described.input.features[2:])
    other = write_version(home, "other_feature", None, input=msgspec.structs.replace(described.input, features=features))
    with pytest.raises(InputError, match=f"another feature '{first.label}'"):
        make_ensemble(tmp_path / "x", [home / MODEL, other], rows, unseen=1.0)
    with pytest.raises(InputError, match=r"\[stack\]: 'sharper' reads 1 row\(s\)"):
        make_ensemble(tmp_path / "x", [home / MODEL, home / "sharper"], rows, unseen=1.0, stack=home / "sharper")
    with pytest.raises(InputError, match="found 1 weights for 2 members"):
        made(home, rows, "x", weights=(1.0,))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("where", ["inline", "thread", "process"])
def test_an_ensemble_runs_in_a_session_and_parity_holds(root: Path, home: Path, rows: RowSet, where: str) -> None:
    bundle = made(home, rows, f"run_{where}")
    text = (root / "market.toml").read_text().replace("duration_s = 1200", "duration_s = 20")
    text = text.replace(f'bundle = "models/{MODEL}"', f'bundle = "{bundle.path}"\nname = "{MODEL}"')
    (home / f"{where}.toml").write_text(text.replace('where = "inline"', f'where = "{where}"'))
    session = home / f"session_{where}"
    assemble(home / f"{where}.toml", Wishes(folder=session, deterministic=True)).session.run()
    certificate = ParityRun(session, predictions=True).run()
    assert certificate.passed
    assert pq.read_table(session / "predictions" / MODEL).column("up").null_count < certificate.rows / 2


def write_mixed(home: Path) -> list[Path]:
    """Members of three backends: one of an installed plugin, one of another, one of a local file that reads five rows."""
    import skops.io
    from sklearn.linear_model import LogisticRegression

    described = read_description(home / MODEL / "bundle.toml")
    of_window = msgspec.structs.replace(described.input, features=described.input.features[2:4], window=5, training={})
    changes: dict[str, Any] = {"name": "mean_of_five", "backend": "window_mean", "file": "model.txt", "input": of_window}
    (home / "window_backend.py").write_text((Path(__file__).parent / "window_backend.py").read_text())
    local = write_bundle(home / "mean_of_five", msgspec.structs.replace(described, files={}, **changes), {"model.txt": b"3"})
    rng = np.random.default_rng(2)
    fitted = LogisticRegression().fit(rng.normal(size=(500, 7)), rng.integers(-1, 2, 500))
    changes = {"name": "native", "backend": "sklearn", "file": "model.skops", "files": {}}
    native = write_bundle(
        home / "native", msgspec.structs.replace(described, **changes), {"model.skops": skops.io.dumps(fitted)}
    )
    return [home / MODEL, local.path, native.path]


@pytest.fixture(scope="module")
def mixed(home: Path, rows: RowSet) -> BundleInfo:
    members = write_mixed(home)
    known = EnsembleBackend(local=(str(home / "window_backend.py"),))
    return make_ensemble(home / "mixed", members, rows, unseen=1.0, weights=(1.0, 2.0, 3.0), backend=known)


@pytest.mark.parametrize("where", ["inline", "thread", "process"])
def test_members_of_three_backends_and_two_windows_answer_together_wherever_they_run(
    root: Path, home: Path, rows: RowSet, mixed: BundleInfo, where: str
) -> None:
    text = (root / "market.toml").read_text().replace("duration_s = 1200", "duration_s = 10")
    text = text.replace('plugins = ["onnx"]', 'plugins = ["onnx", "sklearn"]\nlocal = ["window_backend.py"]')
    text = text.replace(f'bundle = "models/{MODEL}"', f'bundle = "{mixed.path}"\nname = "{MODEL}"')
    deadline = f'where = "{where}"\ndeadline_us = 60_000_000'
    (home / f"mixed_{where}.toml").write_text(text.replace('where = "inline"\ndeadline_us = 5_000', deadline))
    session = home / f"session_mixed_{where}"
    assemble(home / f"mixed_{where}.toml", Wishes(folder=session, deterministic=True)).session.run()
    certificate = ParityRun(session, predictions=True).run()
    assert certificate.passed, certificate
    found = pq.read_table(session / "predictions" / MODEL).to_pandas().sort_values("row")
    logged = pq.read_table(session / "rows").to_pandas().sort_values("number")
    answered = found[found["verdict"] == "ok"]
    assert len(answered) > 100
    values = logged[list(mixed.columns)].to_numpy(np.float32)
    windows = np.stack([values[row - 4 : row + 1] for row in answered["row"]])
    one, three = (opened(load_bundle(home / name)).predict(windows[:, -1:].copy()) for name in (MODEL, "native"))
    two = plain_mean(windows[:, :, mixed.columns.index("micro_spread")])
    expected = (one.astype(np.float64) + 2 * two + 3 * three) / 6
    np.testing.assert_allclose(answered[["down", "flat", "up"]].to_numpy(), expected, atol=2e-6)


def plain_mean(column: np.ndarray) -> np.ndarray:
    score = 3 * column.astype(np.float64).mean(axis=1)
    powers = np.exp(np.stack([-score, 0 * score, score], axis=1))
    return powers / powers.sum(axis=1, keepdims=True)


def test_commands_open_members_of_local_plugins_that_the_configuration_names(
    root: Path, home: Path, mixed: BundleInfo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"(?s)needs backend 'window_mean'.*name its file in \[vtframe\] local"):
        EnsembleBackend().open(mixed)
    text = (root / "market.toml").read_text()
    (home / "local.toml").write_text(text.replace('plugins = ["onnx"]', 'local = ["window_backend.py"]'))
    done = CliRunner().invoke(model_command, ["verify", str(mixed.path), "--config", str(home / "local.toml"), "--json"])
    assert done.exit_code == 0, done.output
    shutil.copytree(home / MODEL, home / "again" / MODEL)
    words = [*map(str, write_mixed(home / "again")), "--out", str(home / "again" / "all"), "--rows", str(home / "rows.parquet")]
    asked = ["ensemble", *words, "--unseen", "1"]
    refused = CliRunner().invoke(model_command, asked)
    assert "window_mean" in str(refused.exception)
    done = CliRunner().invoke(model_command, [*asked, "--config", str(home / "local.toml")])
    assert done.exit_code == 0, done.output


def test_an_ensemble_of_an_ensemble_knows_local_plugins_as_well(home: Path, rows: RowSet, mixed: BundleInfo) -> None:
    known = EnsembleBackend(local=(str(home / "window_backend.py"),))
    above = make_ensemble(home / "above_mixed", [mixed.path, home / MODEL], rows, unseen=1.0, backend=known)
    batch = windows_of(rows, above)
    both = [known.open(mixed).predict(batch), opened(load_bundle(home / MODEL)).predict(batch[:, -1:].copy())]
    np.testing.assert_allclose(known.open(above).predict(batch), np.mean(both, axis=0), atol=1e-6)


def test_the_command_makes_one_and_says_what_it_is_worth(home: Path) -> None:
    words = [
        "ensemble",
        str(home / MODEL),
        str(home / "sharper"),
        "--out",
        str(home / "told"),
        "--rows",
        str(home / "rows.parquet"),
    ]
    done = CliRunner().invoke(model_command, [*words, "--unseen", "1", "--weights", "2,1"])
    assert done.exit_code == 0, done.output
    assert "of 2 members" in done.output
    assert "log_loss" in done.output
    again = CliRunner().invoke(model_command, [*words, "--unseen", "1"])
    assert isinstance(again.exception, VtframeError)
    assert "--force replaces it" in str(again.exception)
    assert CliRunner().invoke(model_command, [*words, "--unseen", "1", "--force", "--weights", "2,x"]).exit_code == 2
