"""Calibrators: against scikit-learn's, at the edges, and applied wherever a bundle states one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundles import describe, softmax_graph, softmax_reference
from vtframe_onnx import OnnxBackend

from vtframe.api import BundleError, BundleInfo, Calibrator, Head
from vtframe.inference.bundle import load_bundle
from vtframe.inference.bundle_format import Output
from vtframe.inference.importing.fit import fit, log_loss

Tiny = Callable[..., BundleInfo]
METHODS = ("temperature", "platt", "isotonic")


def overconfident(count: int = 4_000, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sharp by a factor of two, and classes drawn from the true ones."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(count, 3))
    true = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    classes = (rng.random(count)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    sharp = np.exp(2 * scores) / np.exp(2 * scores).sum(axis=1, keepdims=True)
    return sharp, classes.astype(np.int64)


@pytest.mark.parametrize("method", METHODS)
def test_what_was_too_sure_of_itself_is_put_right_on_rows_that_it_was_not_fitted_on(method: Any) -> None:
    sharp, classes = overconfident()
    calibrator = fit(method, sharp, classes)
    assert calibrator.problem(3) == ""
    others, came = overconfident(seed=1)
    found = calibrator.apply(others)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    assert log_loss(found, came) < log_loss(others, came) - 0.05


def test_a_temperature_of_two_is_found_where_scores_were_doubled() -> None:
    assert fit("temperature", *overconfident(20_000)).temperature == pytest.approx(2.0, abs=0.08)


def test_isotonic_is_scikit_learns_at_every_row_that_it_was_fitted_on() -> None:
    from sklearn.isotonic import IsotonicRegression

    sharp, classes = overconfident(2_000)
    calibrator = fit("isotonic", sharp, classes)
    for k in range(3):
        blocks = IsotonicRegression().fit(sharp[:, k], classes == k).predict(sharp[:, k])
        assert len(np.unique(blocks)) == len(calibrator.knots[k])
        np.testing.assert_allclose(np.unique(blocks.round(8)), np.array(calibrator.values[k]).round(8), atol=2e-8)


def test_platt_is_the_logistic_regression_on_the_logit() -> None:
    from sklearn.linear_model import LogisticRegression

    sharp, classes = overconfident(3_000)
    calibrator = fit("platt", sharp, classes)
    for k in range(3):
        logits = np.log(sharp[:, k] / (1 - sharp[:, k]))[:, None]
        model = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(logits, classes == k)
        assert calibrator.slopes[k] == pytest.approx(model.coef_[0, 0], abs=0.01)  # Platt's targets are a little off 0 and 1
        assert calibrator.intercepts[k] == pytest.approx(model.intercept_[0], abs=0.01)


def test_knowledge_that_is_the_opposite_counts_as_none() -> None:
    sharp, classes = overconfident()
    reversed_ = sharp[:, ::-1]
    platt = fit("platt", reversed_, classes)
    assert platt.slopes[0] == platt.slopes[2] == 0.0
    assert platt.problem(3) == ""
    assert fit("isotonic", reversed_, classes).problem(3) == ""


@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=20),
    st.sampled_from(METHODS),
    st.floats(0.05, 20),
)
def test_whatever_a_model_answers_what_comes_out_are_probabilities(
    answers: list[tuple[float, float, float]], method: Any, temperature: float
) -> None:
    calibrator = {
        "temperature": Calibrator(method="temperature", temperature=temperature),
        "platt": Calibrator(method="platt", slopes=(0.0, 1.0, 30.0), intercepts=(-5.0, 0.0, 900.0)),
        "isotonic": Calibrator(
            method="isotonic", knots=((0.5,), (0.1, 0.9), (0.0, 1.0)), values=((0.0,), (0.0, 0.0), (0.0, 1.0))
        ),
    }[method]
    given_ = np.array(answers, np.float32)
    kept = given_.copy()
    found = calibrator.apply(given_)
    assert found.dtype == np.float64
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-9)
    assert given_.tobytes() == kept.tobytes()
    assert found.tobytes() == np.concatenate([calibrator.apply(given_[k : k + 1]) for k in range(len(given_))]).tobytes()


def test_nan_stays_nan() -> None:
    for calibrator in (
        Calibrator(method="temperature", temperature=2.0),
        Calibrator(method="platt", slopes=(1.0, 1.0), intercepts=(0.0, 0.0)),
        Calibrator(method="isotonic", knots=((0.0, 1.0),) * 2, values=((0.0, 1.0),) * 2),
    ):
        assert np.isnan(calibrator.apply(np.array([[np.nan, 0.5]]))).any()


def with_calibrator(calibrator: Calibrator, **changes: Any) -> Output:
    return msgspec.structs.replace(describe().output, calibrator=calibrator, **changes)


def test_a_bundles_calibrator_stands_behind_its_model(tiny: Tiny) -> None:
    calibrator = Calibrator(method="temperature", temperature=1.7)
    bundle = tiny(output=with_calibrator(calibrator))
    assert bundle.calibrator == calibrator
    assert (bundle.path / "bundle.toml").read_text().startswith("format_version = 2\n")
    rows = np.random.default_rng(0).normal(size=(50, 1, 4)).astype(np.float32)
    found = OnnxBackend().open(bundle).predict(rows)
    np.testing.assert_allclose(found, calibrator.apply(softmax_reference(rows)), atol=2e-6)


def test_only_classifications_are_calibrated_where_a_model_has_several_heads(tiny: Tiny) -> None:
    heads = (
        Head(name="probabilities", outputs=("down", "flat", "up")),
        Head(name="raw", kind="regression", outputs=("a", "b", "c")),
    )
    output = with_calibrator(
        Calibrator(method="temperature", temperature=2.0),
        heads=heads,
        classes=("down", "flat", "up", "a", "b", "c"),
        expected_move_bps=(-1.0, 0.0, 1.0, 0.0, 0.0, 0.0),
    )
    graph = softmax_graph(4, outputs=("raw", "probabilities"))  # in another order than the heads
    bundle = tiny(graph=graph, output=output)
    rows = np.random.default_rng(0).normal(size=(9, 1, 4)).astype(np.float32)
    model = OnnxBackend().open(bundle)
    for batch in (rows, rows[:1]):
        found = model.predict(batch)
        plain = softmax_reference(batch)
        np.testing.assert_allclose(found[:, :3], output.calibrator.apply(plain), atol=2e-6)  # type: ignore[union-attr]
        np.testing.assert_allclose(found[:, 3:] - found[:, 3:4], np.log(plain / plain[:, :1]), atol=1e-5)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (with_calibrator(Calibrator(method="temperature", temperature=0.0)), "temperature is 0.0"),
        (
            with_calibrator(Calibrator(method="platt", slopes=(1.0,), intercepts=(0.0,))),
            "1 slopes and 1 intercepts, expected 3",
        ),
        (with_calibrator(Calibrator(method="platt", slopes=(1.0, -1.0, 1.0), intercepts=(0.0,) * 3)), "slopes of 0 or more"),
        (with_calibrator(Calibrator(method="isotonic", knots=((0.0,),) * 3, values=((2.0,),) * 3)), "values from 0 to 1"),
        (
            with_calibrator(Calibrator(method="isotonic", knots=((0.5, 0.1),) * 3, values=((0.0, 1.0),) * 3)),
            "knots that rise and values that do not fall",
        ),
        (
            with_calibrator(
                Calibrator(method="temperature", temperature=2.0),
                heads=(Head(name="x", kind="regression", outputs=("down", "flat", "up")),),
            ),
            "calibrates probabilities, and the model has none",
        ),
        (
            msgspec.structs.replace(describe().output, heads=(Head(name="x", outputs=("down", "up", "flat")),)),
            "list all outputs in both, in one order",
        ),
        (
            msgspec.structs.replace(describe().output, classes=("up",), expected_move_bps=(1.0,)),
            "found 1 outputs, expected 2 or more",
        ),
    ],
)
def test_a_calibrator_or_a_head_that_does_not_fit_is_refused_by_key(tiny: Tiny, output: Output, words: str) -> None:
    with pytest.raises(BundleError) as caught:
        tiny(output=output)
    assert words in str(caught.value)
    assert "[output" in str(caught.value)


def test_a_bundle_that_says_nothing_new_is_written_in_the_first_format_and_keys_of_the_second_need_it(tiny: Tiny) -> None:
    plain = tiny(name="plain")
    assert (plain.path / "bundle.toml").read_text().startswith("format_version = 1\n")
    assert plain.output_heads[0].outputs == plain.classes
    newer = tiny(name="newer", output=with_calibrator(Calibrator(method="temperature", temperature=2.0)))
    text = (newer.path / "bundle.toml").read_text()
    (newer.path / "bundle.toml").write_text(text.replace("format_version = 2", "format_version = 1"))
    with pytest.raises(BundleError, match="found 1, and keys that came with 2; say format_version = 2"):
        load_bundle(newer.path)
