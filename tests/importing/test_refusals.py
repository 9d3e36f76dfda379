"""What an import refuses, with the row, the name or the option in question; and that nothing is left behind."""

from __future__ import annotations

import pickle  # noqa: TID251 - a pickle must be refused, so one is made
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from import_case import Import, Material
from onnx import TensorProto, helper, numpy_helper

from vtframe.api import Calibrator
from vtframe.errors import InputError
from vtframe.inference.importing import convert
from vtframe.inference.importing.rows import RowSet, read_rows
from vtframe.inference.importing.source import identify

NAMES = ("down", "flat", "up")


def softmax_model(width: int = 7, classes: int = 3, *, scores: bool = False) -> bytes:
    """softmax(x W): weights in the size of the rows' columns do not matter here."""
    weights = np.sin(np.arange(width * classes, dtype=np.float32)).reshape(width, classes)
    nodes = [helper.make_node("MatMul", ["rows", "w"], ["scores"])]
    nodes += [] if scores else [helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1)]
    graph = helper.make_graph(
        nodes,
        "softmax",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ("n", width))],
        [helper.make_tensor_value_info("scores" if scores else "probabilities", TensorProto.FLOAT, ("n", classes))],
        [numpy_helper.from_array(weights, "w")],
    )
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(softmax_model())
    return path


def test_a_conversion_that_is_not_the_original_is_refused_with_its_worst_row(
    source: Path, rows: RowSet, imported: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = convert._open_elsewhere

    def cheat(folder: Path) -> tuple[int, str]:
        done = honest(folder)
        answers = np.load(folder / "answers.npy")
        answers[1234] = 0.5 * answers[1234] + np.array([0.0, 0.0, 0.5])
        np.save(folder / "answers.npy", answers)
        return done

    monkeypatch.setattr(convert, "_open_elsewhere", cheat)
    with pytest.raises(InputError) as caught:
        imported(source, outputs=(NAMES,))
    usable = rows.usable(1)
    worst = usable[np.linspace(0, len(usable) - 1, 5_000).astype(np.int64)][1234]
    message = str(caught.value)
    assert f"row {worst} of {rows.path} (BTCUSDT@binance_usdm, ts_recv {rows.ts_recv[worst]})" in message
    assert "for 'up'" in message
    assert "allowed is 1e-05; nothing was written" in message
    assert not (tmp_path / "made").exists()
    assert imported(source, outputs=(NAMES,), tolerance=0.6).agreement.worst == worst


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({}, "what are the 3 outputs of 'probabilities_out'?; name them in order: --outputs down,flat,up"),
        ({"outputs": (("down", "up"),)}, "answers 3 numbers, and 2 names were given: down, up"),
        ({"outputs": (NAMES, NAMES)}, "has 1 head(s) of 3 output(s), and --outputs is given 2 time(s)"),
        ({"outputs": (NAMES,), "unseen": None}, "which rows has the model not been trained on?; say --unseen 0.3"),
        ({"outputs": (NAMES,), "unseen": 0.001}, "too few to measure anything on"),
        (
            {"outputs": (NAMES,), "columns": ("microprice", "micro_spread")},
            "reads 7 numbers a row, and 1 row(s) of 2 columns are 2",
        ),
        ({"outputs": (NAMES,), "window": 3}, "reads 7 numbers a row, and 3 row(s) of 7 columns are 21"),
        ({"outputs": (NAMES,), "form": "skops"}, "cannot be kept as skops; it can be kept as onnx"),
        ({"outputs": (("a", "b", "c"),)}, "what rows are labeled with is down, flat and up"),
    ],
)
def test_what_is_not_known_is_asked_for_and_never_made_up(
    source: Path, imported: Import, tmp_path: Path, wishes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        imported(source, **wishes)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "made").exists()


def test_scores_are_not_taken_for_probabilities(imported: Import, tmp_path: Path) -> None:
    (tmp_path / "scores.onnx").write_bytes(softmax_model(scores=True))
    with pytest.raises(InputError, match=r"do not sum to 1: are they numbers of their own, or scores of classes\?; say --kind"):
        imported(tmp_path / "scores.onnx", outputs=(NAMES,))
    with pytest.raises(InputError, match="--softmax puts a softmax behind it"):
        imported(tmp_path / "scores.onnx", outputs=(NAMES,), kinds=("classification",))
    softmaxed = imported(tmp_path / "scores.onnx", outputs=(NAMES,), softmax=True).bundle
    assert softmaxed.heads == ()
    values = imported(tmp_path / "scores.onnx", outputs=(("a", "b", "c"),), kinds=("regression",), replace=True).bundle
    assert values.heads[0].kind == "regression"
    assert values.label.kind == "mid_move"


def test_what_is_stated_is_not_measured(source: Path, rows: RowSet, imported: Import) -> None:
    unlabeled = msgspec.structs.replace(rows, labels=None)
    with pytest.raises(InputError, match="has no labels, so nobody can say what the model's answers are worth; make rows"):
        imported(source, of=unlabeled, outputs=(NAMES,))
    stated = {"expected_move_bps": (-2.0, 0.0, 2.0), "variance_bps2": 3.0, "horizon_ms": 500.0, "unseen": None}
    with pytest.raises(InputError, match="over which horizon does the model predict"):
        imported(source, of=unlabeled, outputs=(NAMES,), **stated)
    with pytest.raises(InputError, match="2 numbers for 3 outputs: down, flat, up"):
        imported(source, outputs=(NAMES,), **{**stated, "expected_move_bps": (1.0, 2.0)})
    bundle = imported(source, outputs=(NAMES,), **stated).bundle
    assert (bundle.expected_move_bps, bundle.variance_bps2, bundle.horizon_ns) == ((-2.0, 0.0, 2.0), 3.0, 500_000_000)
    assert bundle.metrics == {}
    assert bundle.calibration == "as stated at the import; nothing was measured"


def test_columns_that_the_model_names_are_found_whatever_their_order_and_missing_ones_are_told(
    rows: RowSet, material: Material, imported: Import, tmp_path: Path
) -> None:
    import pandas as pd
    import skops.io
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame(material.inputs, columns=list(rows.columns))
    some = ["trade_imbalance", "microprice", "book_imbalance_5"]
    skops.io.dump(LogisticRegression().fit(frame[some].to_numpy(), material.directions), tmp_path / "plain.skops")
    skops.io.dump(LogisticRegression().fit(frame[some], material.directions), tmp_path / "named.skops")
    renamed = frame[some].rename(columns={"microprice": "micro_price"})
    skops.io.dump(LogisticRegression().fit(renamed, material.directions), tmp_path / "renamed.skops")
    named = imported(tmp_path / "named.skops")
    assert named.bundle.columns == tuple(some)
    assert tuple(named.bundle.training) == tuple(some)
    with pytest.raises(InputError, match=r"reads 3 numbers a row, and 1 row\(s\) of 7 columns are 7"):
        imported(tmp_path / "plain.skops")
    with pytest.raises(InputError, match="fitted on columns that the rows do not have: micro_price; the rows have book_imb"):
        imported(tmp_path / "renamed.skops")
    chosen = imported(tmp_path / "plain.skops", columns=tuple(some), replace=True)
    assert chosen.bundle.columns == tuple(some)


class Attack:
    """Reading this pickle would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.bin", "model.txt"])
def test_a_pickle_is_not_opened_unless_it_is_trusted_whatever_its_name(imported: Import, tmp_path: Path, name: str) -> None:
    trap = tmp_path / "trap"
    (tmp_path / name).write_bytes(pickle.dumps(Attack(trap)))
    with pytest.raises(
        InputError, match=r"is a pickle, and a pickle runs code when it is read; save it as skops .*--trust-pickle"
    ):
        imported(tmp_path / name, outputs=(NAMES,))
    assert not trap.exists()


def test_a_trusted_pickle_is_opened_in_another_process_only(
    rows: RowSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from import_case import backend

    from vtframe.inference.importing.make_bundle import make_bundle
    from vtframe.inference.importing.wishes import ImportWishes

    monkeypatch.chdir(tmp_path)
    (tmp_path / "attack.py").write_text("import os\nclass Model:\n    def __reduce__(self):\n        return (os._exit, (7,))\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import attack

    (tmp_path / "model.pkl").write_bytes(pickle.dumps(attack.Model()))
    wishes = ImportWishes(source=identify("model.pkl"), name="made", unseen=0.3, trust_pickle=True)
    with pytest.raises(InputError, match=r"ended the process that opened it \(exit code 7\)"):
        make_bundle(wishes, rows, tmp_path / "made", backend)


def test_a_torch_archive_that_would_be_unpickled_is_refused(imported: Import, tmp_path: Path) -> None:
    import io
    import zipfile

    import torch
    from vtframe_torch.archive import kind_of

    trap = tmp_path / "trap"
    program = torch.export.export(torch.nn.Linear(7, 3).eval(), (torch.zeros(2, 7),))
    torch.export.save(program, tmp_path / "good.pt2")
    assert kind_of(tmp_path / "good.pt2", trusted=False) == "export"
    sample = io.BytesIO()
    torch.save(((Attack(trap),), {}), sample)
    with zipfile.ZipFile(tmp_path / "good.pt2") as good, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, sample.getvalue() if "sample_inputs" in name else good.read(name))
    with pytest.raises(InputError, match=r"sample_inputs/model.pt is a pickle of more than tensors, and a pickle runs code"):
        imported(tmp_path / "bad.pt2", outputs=(NAMES,))
    assert not trap.exists()
    torch.save(torch.nn.Linear(7, 3).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(InputError, match=r"is a pickle.*or name its code: FILE.py:NAME --weights FILE.pt"):
        imported(tmp_path / "weights.pt", outputs=(NAMES,))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.onnx", b"not a graph", "cannot be converted"),
        ("model.txt", b"tree\nversion=v4\n", "cannot be converted"),
        ("model.json", b'{"learner": 1}', "cannot be converted"),
        ("model.dat", b"\x00\x01\x02", "is of no kind that can be imported; known: .onnx, .skops"),
        ("model.py", b"x = 1", "which of its names is the module?; write FILE.py:NAME"),
        ("model.py:Net", b"x = 1", "the file has no 'Net'"),
        ("model.py:x", b"import torch\ndef x(): return 3", "is a int, no torch module"),
    ],
)
def test_a_file_that_is_no_model_is_told_in_one_line(
    imported: Import, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name.partition(":")[0]).write_bytes(content)
    with pytest.raises(InputError) as caught:
        imported(tmp_path / name, outputs=(NAMES,))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_that_are_too_few_or_no_data_set_are_told(source: Path, rows: RowSet, imported: Import, tmp_path: Path) -> None:
    few = msgspec.structs.replace(rows, valid=rows.valid & (np.arange(len(rows.valid)) < 1_000))
    with pytest.raises(InputError, match=r"windows of 1 valid row\(s\), and 1,000 are needed"):
        imported(source, of=few, outputs=(NAMES,))
    with pytest.raises(InputError, match="does not exist"):
        read_rows(tmp_path / "none.parquet")
    (tmp_path / "other.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="no Parquet file"):
        read_rows(tmp_path / "other.parquet")


def test_windows_are_of_one_instrument_and_of_valid_rows_only(rows: RowSet) -> None:
    count = 60
    rng = np.random.default_rng(3)
    instrument = rng.integers(0, 2, count)
    valid = rng.random(count) > 0.15
    order = np.argsort(instrument, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(count)
    small = msgspec.structs.replace(
        rows,
        instrument=instrument,
        valid=valid,
        values=np.arange(count * 7, dtype=np.float32).reshape(count, 7),
        order=order,
        place=place,
    )
    for window in (1, 2, 4):
        expected = []
        for row in range(count):
            own = [k for k in range(row + 1) if instrument[k] == instrument[row]][-window:]
            if len(own) == window and valid[own].all():
                expected.append((row, own))
        usable = small.usable(window)
        assert usable.tolist() == [row for row, _ in expected]
        found = small.windows(usable, window)
        np.testing.assert_array_equal(found, small.values[np.array([own for _, own in expected])])


def test_the_bundle_says_where_it_came_from_and_how_far_from_its_original_it_is(
    source: Path, rows: RowSet, imported: Import
) -> None:
    import hashlib

    found = imported(source, outputs=(NAMES,), calibrate="platt")
    stated = found.bundle.provenance["conversion"]
    assert stated["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (stated["source"], stated["tolerance"]) == ("model.onnx", 1e-5)
    assert stated["largest_difference"] <= 1e-6
    assert stated["compiled"].startswith("yes, within")
    assert isinstance(found.bundle.calibrator, Calibrator)
    rows_stated = found.bundle.provenance["rows"]
    assert rows_stated["compared"] == 5_000
    assert 900 < rows_stated["calibration"] < 970
    assert 900 < rows_stated["test"] < 970
    assert onnx.load(found.bundle.path / "model.onnx").graph.input[0].name == "rows"


def test_a_skops_file_of_strange_types_is_refused_by_their_names_with_a_better_way(
    material: Material, imported: Import, tmp_path: Path
) -> None:
    import skops.io
    from lightgbm import LGBMClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    booster = LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1).fit(material.inputs, material.directions)
    skops.io.dump(booster, tmp_path / "booster.skops")
    with pytest.raises(InputError, match=r"lightgbm\.\S+.*; save the booster itself, as text \(LightGBM\)"):
        imported(tmp_path / "booster.skops")
    strange = make_pipeline(FunctionTransformer(Attack), FunctionTransformer())
    skops.io.dump(strange, tmp_path / "strange.skops")
    with pytest.raises(InputError, match=r"holds types that may run code when they are made: \S*Attack; export it to ONNX"):
        imported(tmp_path / "strange.skops")


def test_outputs_inside_an_if_keep_what_they_need() -> None:
    from vtframe.inference.importing import graphs

    branch = [
        helper.make_graph(
            [helper.make_node("Add", ["rows", name], ["sum"])],
            name,
            [],
            [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ("n", 2))],
        )
        for name in ("one", "two")
    ]
    graph = helper.make_graph(
        [
            helper.make_node("If", ["which"], ["chosen"], then_branch=branch[0], else_branch=branch[1]),
            helper.make_node("Mul", ["rows", "spare"], ["unused"]),
        ],
        "branches",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ("n", 2))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", 2)) for name in ("chosen", "unused")],
        [
            numpy_helper.from_array(np.ones((), np.bool_), "which"),
            *(
                numpy_helper.from_array(np.full(2, value, np.float32), name)
                for name, value in (("one", 1), ("two", 2), ("spare", 3))
            ),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    graphs.keep_outputs(model, ["chosen"])
    assert [node.op_type for node in model.graph.node] == ["If"]
    assert sorted(tensor.name for tensor in model.graph.initializer) == ["one", "two", "which"]
    import onnxruntime

    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run
    assert run(None, {"rows": np.zeros((1, 2), np.float32)})[0].tolist() == [[1.0, 1.0]]
