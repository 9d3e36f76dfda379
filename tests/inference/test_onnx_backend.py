"""The ONNX backend: answers equal numpy's, buffers are bound once, and a graph that does not fit its bundle is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tiny_bundles import softmax_graph, softmax_reference
from vtframe_onnx import OnnxBackend

from vtframe.api import BundleError, BundleInfo

Tiny = Callable[..., BundleInfo]


def rows(count: int, window: int, width: int, *, seed: int = 0, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, window, width)).astype(dtype)


@pytest.mark.parametrize("count", [1, 2, 3, 64, 256, 257, 1000])
def test_answers_equal_the_formula_at_every_batch_size(tiny: Tiny, count: int) -> None:
    model = OnnxBackend().open(tiny(5, window=3))
    batch = rows(count, 3, 5)
    for _ in range(2):  # the second call finds the buffers bound
        np.testing.assert_allclose(model.predict(batch), softmax_reference(batch), atol=2e-6)


def test_batch_one_and_larger_batches_agree_within_a_millionth(tiny: Tiny) -> None:
    model = OnnxBackend().open(tiny(7))
    batch = rows(500, 1, 7)
    together = model.predict(batch).copy()
    alone = np.concatenate([model.predict(batch[k : k + 1]).copy() for k in range(len(batch))])
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_equal_input_has_equal_bits_as_output_in_two_sessions(tiny: Tiny) -> None:
    bundle = tiny(7)
    first, second = OnnxBackend().open(bundle), OnnxBackend(warmup_runs=0).open(bundle)
    for row in rows(200, 1, 7):
        assert first.predict(row[None]).tobytes() == second.predict(row[None]).tobytes()


def test_the_input_is_not_changed_and_views_answer_as_copies_do(tiny: Tiny) -> None:
    model = OnnxBackend().open(tiny(4, window=8))
    ring = rows(1, 64, 4)[0]
    ring.flags.writeable = False
    before = ring.copy()
    for start in range(0, 56, 7):
        view = ring[start : start + 8].reshape(1, 8, 4)
        assert np.shares_memory(view, ring)
        from_view = model.predict(view).copy()
        assert from_view.tobytes() == model.predict(view.copy()).tobytes()
    assert np.array_equal(ring, before)


@pytest.mark.parametrize("shape", [("n", 12), ("n", 3, 4), ("n", 1, 3, 4), (1, 12), (None, 12)])
def test_the_window_may_be_flat_a_matrix_or_an_image(tiny: Tiny, shape: tuple[object, ...]) -> None:
    model = OnnxBackend().open(tiny(4, window=3, graph=softmax_graph(12, input_shape=shape)))
    batch = rows(1, 3, 4)
    np.testing.assert_allclose(model.predict(batch), softmax_reference(batch), atol=2e-6)


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 3, 1), (1, 12), (0, 3, 4), (2, 1, 1), (1, 1, 1), (12,)])
def test_a_batch_of_another_shape_is_an_error_and_is_never_stretched(tiny: Tiny, shape: tuple[int, ...]) -> None:
    model = OnnxBackend().open(tiny(4, window=3))
    with pytest.raises(ValueError, match="expected \\(n, 3, 4\\)"):
        model.predict(np.zeros(shape, np.float32))


def test_a_closed_model_raises_and_may_be_closed_twice(tiny: Tiny) -> None:
    model = OnnxBackend().open(tiny())
    model.close()
    model.close()
    for count in (1, 2):
        with pytest.raises(ValueError, match="closed"):
            model.predict(np.zeros((count, 1, 4), np.float32))


def two_inputs() -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["c"])],
        "two",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", 4)) for name in "ab"],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, ("n", 4))],
    )
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def hidden_width() -> bytes:
    """An output of unstated width that is wrong: only a run shows it."""
    model = onnx.load_from_string(softmax_graph(4, classes=5))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (softmax_graph(5), r"input 'x': found shape \(n, 5\), expected \(batch, 4\): 1 row\(s\) of 4 features"),
        (softmax_graph(4, input_shape=("n", 1, 1, 1, 4)), r"found shape \(n, 1, 1, 1, 4\), expected"),
        (softmax_graph(4, input_shape=(2, 4)), r"found shape \(2, 4\), expected \(batch, 4\)"),
        (softmax_graph(4, dtype=TensorProto.DOUBLE), r"input 'x': found tensor\(double\), expected tensor\(float\)"),
        (
            softmax_graph(4, outputs=("probabilities", "raw")),
            r"found 2 outputs \(probabilities, raw\), expected 1; keep the class",
        ),
        (
            softmax_graph(4, classes=2),
            r"output 'probabilities': found tensor\(float\) of shape \(n, 2\), expected .*\(batch, 3\)",
        ),
        (hidden_width(), r"shape \(1, 5\), expected \(1, 3\)|shape \(.*5\), expected .*\(batch, 3\)"),
        (two_inputs(), r"found 2 inputs \(a, b\), expected 1"),
        (softmax_graph(4)[:-40], r"ONNX Runtime \d\S+ cannot open it: .*; export the model again"),
        (b"", r"ONNX Runtime \d\S+ cannot open it: "),
        (b"not a graph at all", r"ONNX Runtime \d\S+ cannot open it: "),
    ],
)
def test_a_graph_that_does_not_fit_is_refused_with_its_file_what_was_found_and_expected(
    tiny: Tiny, capfd: pytest.CaptureFixture[str], graph: bytes, expected: str
) -> None:
    bundle = tiny(graph=graph)
    with pytest.raises(BundleError, match=expected) as caught:
        OnnxBackend().open(bundle)
    assert caught.value.where.endswith("tiny/model.onnx")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", ""), "onnxruntime prints nothing of its own"


def test_a_file_of_another_kind_is_refused_by_its_suffix(tiny: Tiny) -> None:
    bundle = tiny()
    (bundle.path / "model.txt").write_bytes((bundle.path / "model.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"found a \.txt file, the onnx backend reads \.onnx"):
        OnnxBackend().open(
            type(bundle)(**{name: getattr(bundle, name) for name in bundle.__struct_fields__} | {"file": "model.txt"})
        )


def test_float64_rows_are_read_where_the_bundle_says_so(tiny: Tiny) -> None:
    import msgspec
    from tiny_bundles import describe

    wide = msgspec.structs.replace(describe().input, dtype="float64")
    model = OnnxBackend().open(tiny(graph=softmax_graph(4, dtype=TensorProto.DOUBLE), input=wide))
    batch = rows(1, 1, 4, dtype="float64")
    np.testing.assert_allclose(model.predict(batch), softmax_reference(batch), atol=2e-6)


def test_onnxruntime_is_imported_only_when_a_model_is_opened() -> None:
    code = "import sys, vtframe_onnx; vtframe_onnx.OnnxBackend(); sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_plugin_imports_only_the_public_floors(root) -> None:  # type: ignore[no-untyped-def]
    import ast

    allowed = {"vtframe.api", "vtframe.domain", "vtframe.testing"}
    for path in (root / "plugins" / "vtframe-onnx" / "vtframe_onnx").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = [node.module] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = {name for name in named if name and name.startswith("vtframe") and not name.startswith("vtframe_onnx")}
            assert ours <= allowed, f"{path.name} imports {ours - allowed}"
