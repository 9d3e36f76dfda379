"""From a model file and rows to a bundle: converted, compared with the original, measured where it has not been, described."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vtframe import __version__
from vtframe.api import BundleError, BundleInfo, Calibrator, Head, InputFeature, Model, ModelBackend
from vtframe.errors import InputError
from vtframe.inference.bundle import write_bundle
from vtframe.inference.bundle_files import file_hash
from vtframe.inference.bundle_format import Description, Input, Output, Provenance
from vtframe.inference.drift.reference import training_columns
from vtframe.inference.fused.check import check_against
from vtframe.inference.fused.model import FusedModel
from vtframe.inference.importing.compare import Agreement, answers, compare, refuse, sample_rows
from vtframe.inference.importing.convert import convert
from vtframe.inference.importing.fit import fit
from vtframe.inference.importing.job import Facts, Job, Precision
from vtframe.inference.importing.measure import SIGNS, Worth, measure
from vtframe.inference.importing.rows import RowSet
from vtframe.inference.importing.source import FORMS
from vtframe.inference.importing.unseen import Unseen, choose_unseen, label_of
from vtframe.inference.importing.wishes import ImportWishes, name_heads

_SUM = 1e-4  # of probabilities, from 1
_BLOCK = 4_096


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import."""

    bundle: BundleInfo
    agreement: Agreement


def make_bundle(
    wishes: ImportWishes,
    rows: RowSet,
    out: Path,
    backend: Callable[[str], ModelBackend],
    *,
    replace: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Write the bundle at ``out``, all of it or nothing. ``backend`` gives a backend by name; ``say`` is told of each step.

    Raises InputError where something is not known, cannot be converted, or is not what the original is.
    """
    where = str(wishes.source)
    unseen = choose_unseen(wishes, rows)
    sampled = sample_rows(rows, wishes.window)
    windows = rows.windows(sampled, wishes.window)
    if not np.isfinite(windows).all():
        raise InputError(str(rows.path), "has valid rows with numbers that are not finite", "make it again")
    twice = wishes.source.kind in {"skops", "pickle"} and wishes.form != "skops"
    precisions: tuple[Precision, ...] = ("float32", "float64") if twice else ("float32",)
    with tempfile.TemporaryDirectory(prefix="vtframe-import-") as folder:
        for precision in precisions:
            job = Job(
                source=wishes.source,
                form=wishes.form or FORMS[wishes.source.kind][0],
                columns=rows.columns,
                asked=wishes.columns,
                weights=wishes.weights,
                softmax=wishes.softmax,
                precision=precision,
            )
            say(f"opening and converting {where} in a process of its own ({precision})")
            facts, original = convert(job, windows, Path(folder), trust_pickle=wishes.trust_pickle)
            if not np.isfinite(original).all():
                row = int(sampled[np.flatnonzero(~np.isfinite(original).all(axis=1))[0]])
                raise InputError(where, f"the original answers a number that is not finite at {rows.told(row)}")
            content = (Path(folder) / facts.file).read_bytes()
            candidate = _describe(wishes, rows, facts, original)
            tried = write_bundle(Path(folder) / f"candidate-{precision}", candidate, {facts.file: content})
            say(f"comparing with the original on {len(sampled):,} rows")
            model = backend(facts.backend).open(tried)
            try:
                mine = rows.windows(sampled, wishes.window, facts.columns)
                agreement = compare(model, mine, original, sampled)
                if agreement.largest <= wishes.tolerance:
                    say("stating what it is worth" if unseen is None else f"measuring on {len(unseen.test):,} unseen rows")
                    finished = _measure(candidate, wishes, rows, unseen, model)
                    say("trying whether it compiles")
                    compiled = _compiled(backend(facts.backend), tried, model, mine)
                    finished = _state(finished, wishes, agreement, facts, precision=precision, compiled=compiled)
                    return Imported(
                        bundle=write_bundle(out, finished, {facts.file: content}, replace=replace), agreement=agreement
                    )
            finally:
                model.close()
    skops = " or keep the original: --as skops" if "skops" in FORMS[wishes.source.kind] and job.form != "skops" else ""
    hint = f"nothing was written; state a --tolerance that you can trade with{',' if skops else ''}{skops}"
    raise refuse(where, tried, agreement, rows, tolerance=wishes.tolerance, hint=hint)


def _compiled(backend: ModelBackend, bundle: BundleInfo, model: Model, windows: NDArray[Any]) -> str:
    """Whether it runs with ``where = "fused"``, compared on the same rows; that it does not is no fault of the model's."""
    try:
        compiled = FusedModel(backend.graph(bundle), bundle)
    except BundleError as e:
        return f"no: {e.problem}"
    try:
        found = check_against(compiled, model, windows, where=str(bundle.file))
    except BundleError as e:
        return f"no: {e.problem}"
    finally:
        compiled.close()
    return f"yes, within {found.largest:.1e} of its backend on {found.rows} rows"


def _describe(wishes: ImportWishes, rows: RowSet, facts: Facts, original: NDArray[np.float64]) -> Description:
    """What is known before anything is measured; moves and variance are 0 so far."""
    edges = np.cumsum([0, *(head.width for head in facts.heads)])
    parts = [original[:, a:b] for a, b in itertools.pairwise(edges)]
    heads = name_heads(
        wishes,
        facts.heads,
        sums_to_one=[bool((part >= -_SUM).all() and (np.abs(part.sum(axis=1) - 1) < _SUM).all()) for part in parts],
    )
    outputs = tuple(name for head in heads for name in head.outputs)
    plain = len(heads) == 1 and heads[0].kind == "classification"
    return Description(
        name=wishes.name,
        backend=facts.backend,
        file=facts.file,
        input=Input(
            features=_features(rows, facts.columns, str(wishes.source)),
            window=wishes.window,
            dtype="float64" if rows.values.dtype == np.float64 else "float32",
            sampling=rows.sampling,
            instruments=rows.instruments,
        ),
        output=Output(
            classes=outputs,
            label=label_of(wishes, rows, regression=heads[0].kind == "regression"),
            expected_move_bps=(0.0,) * len(outputs),
            variance_bps2=0.0,
            horizon_ns=1,
            heads=() if plain else heads,
        ),
    )


def _features(rows: RowSet, columns: tuple[str, ...], where: str) -> tuple[InputFeature, ...]:
    """The features that make ``columns``, in the model's order; columns of one feature must stand together."""
    owners = {column: feature for feature in rows.features for column in feature.columns}
    chosen: list[InputFeature] = []
    for column in columns:
        owner = owners[column]
        if chosen and chosen[-1].label == owner.label:
            chosen[-1] = msgspec.structs.replace(chosen[-1], columns=(*chosen[-1].columns, column))
        elif any(feature.label == owner.label for feature in chosen):
            raise InputError(where, f"reads columns of feature {owner.label!r} in two places", "order them one after the other")
        else:
            chosen.append(msgspec.structs.replace(owner, columns=(column,)))
    return tuple(chosen)


def _measure(description: Description, wishes: ImportWishes, rows: RowSet, unseen: Unseen | None, model: Model) -> Description:
    """Fill in what the model is worth, as measured on the unseen rows or as stated."""
    output = description.output
    if unseen is None:
        if len(wishes.expected_move_bps) != len(output.classes):
            found = f"{len(wishes.expected_move_bps)} numbers for {len(output.classes)} outputs: {', '.join(output.classes)}"
            raise InputError("--expected-move-bps", found)
        stated = msgspec.structs.replace(
            output,
            expected_move_bps=wishes.expected_move_bps,
            variance_bps2=float(wishes.variance_bps2 or 0.0),
            horizon_ns=max(1, round((wishes.horizon_ms or 0.0) * 1e6)),
            calibration="as stated at the import; nothing was measured",
        )
        return msgspec.structs.replace(description, output=stated)
    columns = tuple(column for feature in description.input.features for column in feature.columns)
    head = (output.heads or (Head(name="probabilities", outputs=output.classes),))[0]
    width = len(head.outputs)
    if head.kind == "classification" and not set(head.outputs) <= set(SIGNS):
        problem = f"its classes are {', '.join(head.outputs)}; what rows are labeled with is down, flat and up"
        hint = "name its outputs so (--outputs), or state what they are worth: --expected-move-bps and the others"
        raise InputError(str(wishes.source), problem, hint)
    calibrator, told, counts = None, "probabilities: as the model answers them", {}
    if wishes.calibrate is not None:
        calibrator = _fit(wishes, rows, unseen, _ask(model, rows, unseen.fitting, wishes.window, columns)[:, :width], head)
        told = f"probabilities: {wishes.calibrate}, fitted on the first half of the unseen rows"
        counts = {"calibration": len(unseen.fitting)}
    outputs = _ask(model, rows, unseen.test, wishes.window, columns)[:, :width]
    worth: Worth = measure(
        head,
        outputs if calibrator is None else calibrator.apply(outputs),
        unseen.direction(unseen.test),
        unseen.moves(unseen.test),
    )
    seen = rows.windows(unseen.seen, 1, columns)[:, 0, :]
    given = msgspec.structs.replace(description.input, training=training_columns(seen, columns) if len(seen) else {})
    measured = msgspec.structs.replace(
        output,
        expected_move_bps=worth.expected_move_bps + (0.0,) * (len(output.classes) - width),
        variance_bps2=worth.variance_bps2,
        horizon_ns=unseen.horizon_ns,
        calibrator=calibrator,
        calibration=f"{told}; expected moves: {_told(head)} on the test rows, their mean move taken out",
    )
    provenance = Provenance(
        data=rows.sources,
        span=f"{unseen.span_ns / 1e9:.0f} s of market time",
        split=unseen.told,
        fingerprint=rows.fingerprint,
        rows={**counts, "test": len(unseen.test)},
        metrics=worth.metrics,
        baselines=worth.baselines,
    )
    return msgspec.structs.replace(description, input=given, output=measured, provenance=provenance)


def _told(head: Head) -> str:
    if head.kind == "regression":
        return "the slope of the realized move on the first output"
    return "class means, times the slope of the realized move on their probability-weighted sum"


def _fit(wishes: ImportWishes, rows: RowSet, unseen: Unseen, found: NDArray[np.float64], head: Head) -> Calibrator:
    if head.kind != "classification" or wishes.calibrate is None:
        raise InputError("--calibrate", "calibrates probabilities, and the model's first head is a regression", "leave it out")
    came = unseen.direction(unseen.fitting)
    signs = np.array([SIGNS[name] for name in head.outputs])
    known = np.isin(came, signs)
    classes = np.array([int(np.flatnonzero(signs == sign)[0]) for sign in came[known]], np.int64)
    if len(np.unique(classes)) < len(signs):
        raise InputError(str(rows.path), "not every class came true in the unseen rows' first half", "give more rows")
    return fit(wishes.calibrate, found[known], classes)


def _ask(model: Model, rows: RowSet, chosen: NDArray[np.int64], window: int, columns: tuple[str, ...]) -> NDArray[np.float64]:
    """Answers to the windows that end at ``chosen``, made block by block: windows of many rows are large."""
    blocks = [chosen[k : k + _BLOCK] for k in range(0, len(chosen), _BLOCK)]
    return np.concatenate([answers(model, rows.windows(block, window, columns)) for block in blocks])


def _state(
    description: Description,
    wishes: ImportWishes,
    agreement: Agreement,
    facts: Facts,
    *,
    precision: str,
    compiled: str,
) -> Description:
    made = description.provenance
    computes = ", computing in float64" if precision == "float64" else ""
    provenance = msgspec.structs.replace(
        made,
        made_by="vtframe model import",
        code_version=f"vtframe {__version__}, numpy {np.__version__}, {facts.versions}",
        rows={**made.rows, "compared": agreement.rows},
        conversion={
            "source": f"{wishes.source.path.name}{':' + wishes.source.name if wishes.source.name else ''}",
            "sha256": file_hash(wishes.source.path),
            "kind": wishes.source.kind + computes,
            "tolerance": wishes.tolerance,
            "largest_difference": float(f"{agreement.largest:.3g}"),
            "worst_row": agreement.worst,
            "compiled": compiled,
        },
    )
    return msgspec.structs.replace(description, provenance=provenance)
