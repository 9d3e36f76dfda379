"""The laws of a model backend, one function each. Each raises LawBroken with what it saw; a BackendCase is all it needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vtframe.api import BundleError, Calibrator
from vtframe.testing.backend_case import CLASSES, BackendCase, answer
from vtframe.testing.backend_process import compute_threads, predict_elsewhere
from vtframe.testing.verdict import LawBroken

BackendCheck = Callable[[BackendCase], None]
_ROWS = 40


def check_answers_every_row(case: BackendCase) -> None:
    """For n windows it answers (n, outputs) finite float32 numbers, probabilities here, that depend on the window."""
    with case.bundle() as bundle, case.opened(bundle) as model:
        for count in (1, 2, 3, 64, 300):
            found = answer(model, case.rows(count + 2)[2:])
            if found.shape != (count, len(CLASSES)) or found.dtype != np.float32:
                raise LawBroken(f"{count} windows got {found.dtype} of shape {found.shape}, expected float32 ({count}, 3)")
            if not np.isfinite(found).all() or (found < 0).any() or np.abs(found.sum(axis=1) - 1).max() > case.tolerance:
                raise LawBroken(f"its example answers no probabilities: {found[0].tolist()}")
        if len(np.unique(answer(model, case.rows(_ROWS)), axis=0)) < 2:
            raise LawBroken("it answers the same to every window")


def check_wrong_width_is_refused(case: BackendCase) -> None:
    """A bundle whose columns are not those that the file reads is refused when it is opened, with the file's name."""
    for columns in (case.columns + 1, case.columns - 1):
        with case.bundle(columns=columns) as bundle:
            try:
                case.make().open(bundle).close()
            except BundleError as e:
                _names_file(str(e), bundle.file)
                continue
            except Exception as e:
                raise LawBroken(f"a bundle of another width raised {type(e).__name__} and no BundleError: {e}") from e
            raise LawBroken(f"it opened a bundle of {columns} columns, and its file reads {case.columns}")


def check_row_alone_equals_row_in_batch(case: BackendCase) -> None:
    """Row n of a batch is answered as that row alone, within the tolerance that the case states."""
    rows = case.rows(_ROWS, seed=1)
    with case.bundle() as bundle, case.opened(bundle) as model:
        together = answer(model, rows)
        alone = np.concatenate([answer(model, rows[k : k + 1]) for k in range(len(rows))])
    apart = np.abs(alone - together)
    worst = int(apart.max(axis=1).argmax())
    if not apart.max() <= case.tolerance:
        raise LawBroken(f"row {worst} of a batch is {apart.max():.1e} from the same row alone; allowed is {case.tolerance:.0e}")


def check_model_leaves_input(case: BackendCase) -> None:
    """It does not write into the windows, which are the ring itself: not where it may, and not where it may not."""
    rows = case.rows(_ROWS, seed=2)
    kept = rows.copy()
    with case.bundle() as bundle, case.opened(bundle) as model:
        for writable in (True, False):
            rows.flags.writeable = writable
            for batch in (rows[:1], rows):
                try:
                    model.predict(batch)
                except ValueError as e:
                    raise LawBroken(f"it cannot read rows that may not be written: {e}") from e
                if rows.tobytes() != kept.tobytes():
                    raise LawBroken("the windows were changed")


def check_same_rows_same_bits(case: BackendCase) -> None:
    """Asked twice, after others in between, and by a model opened anew, it gives the same bytes at one batch size."""
    rows = case.rows(_ROWS, seed=3)
    with case.bundle() as bundle, case.opened(bundle) as first, case.opened(bundle) as second:
        for size in (1, 5):
            for k in range(0, _ROWS - size, size):
                batch = rows[k : k + size]
                once = answer(first, batch)
                answer(first, rows[::-1][:size].copy())
                if once.tobytes() != answer(first, batch).tobytes():
                    raise LawBroken(f"asked twice about {size} window(s), it gave other bits")
                if once.tobytes() != answer(second, batch).tobytes():
                    raise LawBroken(f"two models opened from one file gave other bits for {size} window(s)")


def check_answer_stays_until_next_call(case: BackendCase) -> None:
    """What it answered does not change before the next call, whatever becomes of the windows."""
    with case.bundle() as bundle, case.opened(bundle) as model:
        batch = case.rows(3, seed=4)
        given = model.predict(batch)
        kept = given.copy()
        batch[:] = 7.0
        if given.tobytes() != kept.tobytes():
            raise LawBroken("its answer changed when the windows that it was asked about did")


def check_calibration_is_applied(case: BackendCase) -> None:
    """A bundle's calibrator stands behind the model: ``open`` returns ``calibrated(model, bundle)``."""
    rows = case.rows(_ROWS, seed=5)
    calibrator = Calibrator(method="temperature", temperature=3.0)
    with case.bundle() as bundle, case.opened(bundle) as model:
        plain = answer(model, rows)
    with case.bundle(calibrator=calibrator) as bundle, case.opened(bundle) as model:
        found = answer(model, rows)
    if np.abs(found - calibrator.apply(plain)).max() > case.tolerance:
        raise LawBroken("the bundle has a calibrator, and the answers are not calibrated: return calibrated(model, bundle)")


def check_thread_count_is_obeyed(case: BackendCase) -> None:
    """Told to use one thread it computes in one, in a process of its own. Nothing is tried where it has no such setting."""
    setting = case.make.thread_setting
    if not setting:
        return
    with case.bundle() as bundle:
        busy = compute_threads(case.make, bundle, {setting: 1}, case.rows(2_048, seed=6))
    if busy > 1:
        raise LawBroken(f"with {setting} = 1 it computed in {busy} threads")


def check_works_in_a_spawned_process(case: BackendCase) -> None:
    """A process that was spawned opens the bundle by the class alone, and gives the same bytes."""
    rows = case.rows(3, seed=7)
    with case.bundle() as bundle:
        with case.opened(bundle) as model:
            here = answer(model, rows)
        there = predict_elsewhere(case.make, bundle, rows)
    if here.tobytes() != there.tobytes():
        raise LawBroken(f"a spawned process gave other bits: apart by {np.abs(here - there).max():.1e}")


def check_corrupt_file_is_named(case: BackendCase) -> None:
    """A file that is cut short, empty or something else is refused with a BundleError that names it."""
    with case.bundle() as whole:
        content = (whole.path / whole.file).read_bytes()
    for what, damaged in (("cut short", content[: len(content) // 2]), ("empty", b""), ("text", b"no model at all\n" * 20)):
        with case.bundle(file=damaged) as bundle:
            try:
                case.make().open(bundle).close()
            except BundleError as e:
                _names_file(str(e), bundle.file)
                continue
            except Exception as e:
                raise LawBroken(f"a file that is {what} raised {type(e).__name__} and no BundleError: {e}") from e
            raise LawBroken(f"it opened a file that is {what}")


def check_closes_twice(case: BackendCase) -> None:
    """A model may be closed twice, and a closed one raises ValueError instead of answering."""
    with case.bundle() as bundle:
        model = case.make().open(bundle)
        model.close()
        try:
            model.close()
        except Exception as e:
            raise LawBroken(f"closed a second time it raised {type(e).__name__}: {e}") from e
        try:
            model.predict(case.rows(2)[:1])
        except ValueError:
            return
        except Exception as e:
            raise LawBroken(f"closed, it raised {type(e).__name__} instead of ValueError: {e}") from e
        raise LawBroken("closed, it still answers")


def check_other_shapes_are_refused(case: BackendCase) -> None:
    """A batch of another window or width is a ValueError: it is never stretched, cut or read beyond."""
    with case.bundle() as bundle, case.opened(bundle) as model:
        for shape in (
            (1, 1, case.columns),
            (2, case.window, 1),
            (1, case.window * case.columns),
            (0, case.window, case.columns),
        ):
            try:
                model.predict(np.zeros(shape, np.float32))
            except ValueError:
                continue
            except Exception as e:
                raise LawBroken(f"a batch of shape {shape} raised {type(e).__name__} instead of ValueError: {e}") from e
            raise LawBroken(f"it answered a batch of shape {shape}, expected (n, {case.window}, {case.columns})")


def _names_file(message: str, file: str) -> None:
    if file not in message:
        raise LawBroken(f"the message does not name {file!r}: {message}")


BACKEND_CHECKS: tuple[BackendCheck, ...] = (
    check_answers_every_row,
    check_wrong_width_is_refused,
    check_row_alone_equals_row_in_batch,
    check_model_leaves_input,
    check_same_rows_same_bits,
    check_answer_stays_until_next_call,
    check_calibration_is_applied,
    check_thread_count_is_obeyed,
    check_works_in_a_spawned_process,
    check_corrupt_file_is_named,
    check_closes_twice,
    check_other_shapes_are_refused,
)
"""Every law; ``@pytest.mark.parametrize("check", BACKEND_CHECKS)`` applies them all to a backend."""
