"""The backends in the box keep the laws of model backends, and each law catches a backend that breaks it."""

from __future__ import annotations

import backend_mutants as mutants
import pytest
from vtframe_onnx import OnnxBackend
from vtframe_sklearn import SklearnBackend
from vtframe_torch import TorchBackend

from vtframe.api import ModelBackend
from vtframe.testing import (
    BACKEND_CHECKS,
    BackendCase,
    BackendCheck,
    LawBroken,
    check_answer_stays_until_next_call,
    check_answers_every_row,
    check_calibration_is_applied,
    check_closes_twice,
    check_corrupt_file_is_named,
    check_model_leaves_input,
    check_other_shapes_are_refused,
    check_row_alone_equals_row_in_batch,
    check_same_rows_same_bits,
    check_thread_count_is_obeyed,
    check_works_in_a_spawned_process,
    check_wrong_width_is_refused,
)


@pytest.mark.parametrize("check", BACKEND_CHECKS)
@pytest.mark.parametrize("make", [OnnxBackend, TorchBackend, SklearnBackend, mutants.Good])
def test_every_backend_in_the_box_keeps_the_laws(make: type[ModelBackend], check: BackendCheck) -> None:
    check(BackendCase(make=make))


BROKEN: dict[BackendCheck, tuple[type[ModelBackend], str]] = {
    check_answers_every_row: (mutants.Logits, "no probabilities"),
    check_wrong_width_is_refused: (mutants.Lenient, "opened a bundle of 25 columns"),
    check_row_alone_equals_row_in_batch: (mutants.Centering, "from the same row alone"),
    check_model_leaves_input: (mutants.Clipping, "windows were changed"),
    check_same_rows_same_bits: (mutants.Remembering, "asked twice"),
    check_answer_stays_until_next_call: (mutants.Sharing, "changed when the windows"),
    check_calibration_is_applied: (mutants.Uncalibrated, r"return calibrated\(model, bundle\)"),
    check_thread_count_is_obeyed: (mutants.Greedy, "computed in 2 threads"),
    check_works_in_a_spawned_process: (mutants.Homebound, "not at home"),
    check_corrupt_file_is_named: (mutants.Muddled, "and no BundleError"),
    check_closes_twice: (mutants.Brittle, "closed a second time"),
    check_other_shapes_are_refused: (mutants.Elastic, "it answered a batch of shape"),
}


def test_every_law_has_a_mutant() -> None:
    assert set(BROKEN) == set(BACKEND_CHECKS)


@pytest.mark.parametrize("check", BROKEN)
def test_a_law_catches_the_backend_that_breaks_it(check: BackendCheck) -> None:
    make, words = BROKEN[check]
    with pytest.raises(LawBroken, match=words):
        check(BackendCase(make=make))


def test_without_an_example_nothing_is_taken_for_kept() -> None:
    with pytest.raises(LawBroken, match="no example"):
        check_closes_twice(BackendCase(make=mutants.Bare))


@pytest.mark.parametrize("make", [OnnxBackend, TorchBackend, SklearnBackend])
def test_backends_of_plugins_import_their_library_only_when_a_model_is_opened(make: type[ModelBackend]) -> None:
    import subprocess
    import sys

    heavy = {"onnx": "onnxruntime", "torch": "torch", "sklearn": "sklearn"}[make.name]
    code = f"import sys, {make.__module__} as m; m.{make.__name__}(); sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
