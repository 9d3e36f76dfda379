"""Makes the bundle of an ensemble: what it reads and answers is its members', what it is worth is measured on rows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from vtframe import __version__
from vtframe.api import BundleError, BundleInfo, InputFeature, ModelBackend
from vtframe.builtin.ensemble.backend import EnsembleBackend
from vtframe.builtin.ensemble.members import FORMAT_VERSION, Member, Members, Rule, check_members, render_members
from vtframe.errors import InputError
from vtframe.inference.bundle import load_bundle, write_bundle
from vtframe.inference.bundle_format import Description, Input, Output, Provenance
from vtframe.inference.importing.compare import answers
from vtframe.inference.importing.measure import SIGNS, measure
from vtframe.inference.importing.rows import RowSet
from vtframe.inference.importing.source import Source
from vtframe.inference.importing.unseen import choose_unseen
from vtframe.inference.importing.wishes import ImportWishes

FILE: Final = "members.toml"
_BLOCK: Final = 4_096


def make_ensemble(
    out: Path,
    members: Sequence[Path],
    rows: RowSet,
    *,
    unseen: float,
    weights: Sequence[float] = (),
    stack: Path | None = None,
    replace: bool = False,
    backend: ModelBackend | None = None,
) -> BundleInfo:
    """Write the bundle at ``out``. ``unseen`` is the share of the labeled rows, at their end, that no member was trained on.

    ``backend`` opens the ensemble: one that knows the local plugins of its members.

    Raises InputError where the members do not go together, or the rows are not theirs or tell nothing.
    """
    if weights and (stack is not None or len(weights) != len(members)):
        problem = f"found {len(weights)} weights for {len(members)} members" if stack is None else "weights and a stack"
        raise InputError("--weights", problem, "one for each member, in order; a stack weighs them itself")
    rule: Rule = "stack" if stack is not None else "weighted" if weights else "mean"
    loaded = [load_bundle(path) for path in members]
    above = load_bundle(stack) if stack is not None else None
    check_members(rule, loaded, above, str(out))
    listed = Members(
        format_version=FORMAT_VERSION,
        rule=rule,
        members=tuple(
            _member(bundle, out, weight) for bundle, weight in zip(loaded, weights or (1.0,) * len(loaded), strict=True)
        ),
        stack=None if above is None else _member(above, out, 1.0),
    )
    described = _describe(out.name, loaded, above)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:  # beside it: paths are relative
        tried = write_bundle(Path(folder) / out.name, described, {FILE: _moved(listed, loaded, above, Path(folder) / out.name)})
        measured = _measured(described, tried, rows, unseen, backend=backend or EnsembleBackend())
    return write_bundle(out, measured, {FILE: render_members(listed)}, replace=replace)


def _member(bundle: BundleInfo, out: Path, weight: float) -> Member:
    return Member(
        bundle=Path(os.path.relpath(bundle.path.resolve(), out.resolve())).as_posix(), hash=bundle.hash, weight=weight
    )


def _moved(listed: Members, loaded: Sequence[BundleInfo], above: BundleInfo | None, out: Path) -> bytes:
    """The same members as seen from another folder."""
    members = tuple(_member(bundle, out, member.weight) for bundle, member in zip(loaded, listed.members, strict=True))
    return render_members(
        msgspec.structs.replace(listed, members=members, stack=None if above is None else _member(above, out, 1.0))
    )


def _describe(name: str, members: Sequence[BundleInfo], stack: BundleInfo | None) -> Description:
    """What it reads is what any member reads; nothing is known yet of what it is worth."""
    features: dict[str, InputFeature] = {}
    for member in members:
        for feature in member.features:
            known = features.get(feature.label, feature)
            columns = tuple(dict.fromkeys((*known.columns, *feature.columns)))
            features[feature.label] = msgspec.structs.replace(known, columns=columns)
    last = stack or members[0]
    instruments = {instrument: None for member in members for instrument in member.instruments}
    return Description(
        name=name,
        backend=EnsembleBackend.name,
        file=FILE,
        input=Input(
            features=tuple(features.values()),
            window=max(member.window for member in members),
            dtype=members[0].dtype,
            sampling=members[0].sampling,
            instruments=tuple(instruments),
            training={name: column for member in members for name, column in member.training.items()},
        ),
        output=Output(
            classes=last.classes,
            label=last.label,
            expected_move_bps=(0.0,) * len(last.classes),
            variance_bps2=0.0,
            horizon_ns=1,
            heads=last.heads,
        ),
    )


def _measured(described: Description, tried: BundleInfo, rows: RowSet, share: float, *, backend: ModelBackend) -> Description:
    """Fill in what it is worth on the unseen rows."""
    lost = [name for name in tried.columns if name not in rows.columns]
    if lost or rows.sampling != tried.sampling:
        problem = f"has no {', '.join(lost)}" if lost else f"is sampled by {rows.sampling!r}, the members by {tried.sampling!r}"
        raise InputError(str(rows.path), problem, "make rows of the features that the members were trained on")
    if rows.labels is None or rows.labels.rule != tried.label:
        found = "no labels" if rows.labels is None else f"labels {rows.labels.rule}"
        raise InputError(str(rows.path), f"has {found}, the members predict {tried.label}", "label the rows so")
    head = tried.output_heads[0]
    if head.kind == "classification" and not set(head.outputs) <= set(SIGNS):
        raise InputError(str(rows.path), f"cannot measure classes {', '.join(head.outputs)}", "down, flat and up can be")
    if len(tried.output_heads) > 1:
        raise BundleError(str(tried.path), f"has {len(tried.output_heads)} heads", "ensembles are of models with one")
    source = Source(kind="onnx", path=tried.path / tried.file)
    chosen = choose_unseen(ImportWishes(source=source, name=tried.name, window=tried.window, unseen=share), rows)
    if chosen is None:
        raise InputError(str(rows.path), "tells nothing")
    model = backend.open(tried)
    try:
        blocks = [chosen.test[k : k + _BLOCK] for k in range(0, len(chosen.test), _BLOCK)]
        outputs = np.concatenate([answers(model, rows.windows(block, tried.window, tried.columns)) for block in blocks])
    finally:
        model.close()
    worth = measure(head, outputs, chosen.direction(chosen.test), chosen.moves(chosen.test))
    output = msgspec.structs.replace(
        described.output,
        expected_move_bps=worth.expected_move_bps,
        variance_bps2=worth.variance_bps2,
        horizon_ns=chosen.horizon_ns,
        calibration="probabilities: as the members' answers make them; expected moves: measured on the test rows",
    )
    provenance = Provenance(
        made_by="vtframe model ensemble",
        data=rows.sources,
        span=f"{chosen.span_ns / 1e9:.0f} s of market time",
        split=chosen.told,
        code_version=f"vtframe {__version__}, numpy {np.__version__}",
        fingerprint=rows.fingerprint,
        rows={"test": len(chosen.test)},
        metrics=worth.metrics,
        baselines=worth.baselines,
    )
    return msgspec.structs.replace(described, output=output, provenance=provenance)
