"""``vtframe model import``: a model file of another library in, a bundle out, compared with the original on real rows."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vtframe.api import ConfigError, InputError, InputFeature, Label, ModelBackend
from vtframe.assemble.check import examine
from vtframe.assemble.data_set import DataSetRun, DataSetWishes
from vtframe.cli.bulk_progress import BulkProgress
from vtframe.cli.model_backends import backend_class
from vtframe.dataset.labels import LabelRule
from vtframe.inference.importing.compare import TOLERANCE
from vtframe.inference.importing.fit import Method
from vtframe.inference.importing.make_bundle import Imported, make_bundle
from vtframe.inference.importing.rows import RowSet, read_rows
from vtframe.inference.importing.source import Form, identify
from vtframe.inference.importing.wishes import ImportWishes, Kind

_PATH = click.Path(path_type=Path)
_PASSED_ON = (
    "form",
    "columns",
    "window",
    "outputs",
    "softmax",
    "weights",
    "tolerance",
    "trust_pickle",
    "unseen",
    "calibrate",
    "expected_move_bps",
    "variance_bps2",
    "horizon_ms",
)
"""Options that are wishes under the same name."""


def _names(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """``a, b,c`` as a tuple of names; of an option that may be given more than once, one tuple each."""
    if isinstance(value, tuple):
        return tuple(_split(text) for text in value)
    return _split(value) if value else ()


def _split(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _numbers(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[float, ...]:
    try:
        return tuple(map(float, _split(value or "")))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers such as -1.1,0,1.1") from None


@click.command("import")
@click.argument("source")
@click.option("-f", "--features", "config", required=True, type=_PATH, help="The configuration whose rows the model reads.")
@click.option("-o", "--out", required=True, type=_PATH, help="The bundle's folder; its name is the model's.")
@click.option("--rows", type=_PATH, help="A data set of `vtframe features`; without it rows are made of the configured feed.")
@click.option(
    "--recording", "recordings", multiple=True, type=_PATH, help="Make the rows of this recording; may be given again."
)
@click.option("--label", "kind", type=click.Choice(["mid_direction", "spread_direction"]), help="Label the rows that are made.")
@click.option("--horizon-rows", type=click.IntRange(min=1), help="The label's horizon, in rows of the instrument.")
@click.option("--threshold-bps", type=click.FloatRange(min=0), default=0.0, help="A move up to this is flat.")
@click.option("--unseen", type=click.FloatRange(0, 1, min_open=True), help="Share of the rows, at their end, not trained on.")
@click.option("--columns", callback=_names, help="Columns of the rows that the model reads, in its order: a,b,c.")
@click.option("--window", type=click.IntRange(min=1), default=1, show_default=True, help="Rows that one prediction sees.")
@click.option("--outputs", multiple=True, callback=_names, help="Names of the outputs: down,flat,up. Once for each head.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(get_args(Kind)), help="What the outputs are; head by head.")
@click.option("--softmax", is_flag=True, help="Put a softmax behind the model: its outputs are scores of classes.")
@click.option("--as", "form", type=click.Choice(get_args(Form)), help="Keep the model as this; ONNX where it can be.")
@click.option("--weights", type=_PATH, help="Weights (a state_dict) of the module FILE.py:NAME.")
@click.option("--calibrate", type=click.Choice(get_args(Method)), help="Fit this on half of the unseen rows.")
@click.option("--tolerance", type=click.FloatRange(min=0, min_open=True), default=TOLERANCE, show_default=True)
@click.option("--expected-move-bps", callback=_numbers, help="State what each output is worth, instead of measuring it.")
@click.option("--variance-bps2", type=click.FloatRange(min=0), help="State the variance of the move over the horizon.")
@click.option("--horizon-ms", type=click.FloatRange(min=0, min_open=True), help="State how long the horizon takes.")
@click.option("--trust-pickle", is_flag=True, help="Open a pickle: it runs code. Only of files that you made yourself.")
@click.option("--force", is_flag=True, help="Replace a bundle that is there.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print for machines.")
def import_model(source: str, *, config: Path, out: Path, force: bool, quiet: bool, as_json: bool, **options: Any) -> int:
    """Make a bundle of a model of another library, and compare it with the original on real rows.

    SOURCE is an .onnx file, scikit-learn's .skops (with --trust-pickle .joblib, .pkl), LightGBM's text, XGBoost's .json or
    .ubj, TorchScript, torch.export's .pt2, or FILE.py:NAME of a torch module. It is opened in a process of its own. Nothing is
    written where the bundle's answers differ from the original's, or where something is not known that the bundle must say.
    """
    if out.exists() and not force:
        raise InputError(str(out), "exists already", "--force replaces it")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", out.name):
        raise InputError(str(out), "its last part is no name for a model", "letters, digits, _, - and .")
    wishes = ImportWishes(
        source=identify(source),
        name=out.name,
        kinds=options["kinds"],
        label=_stated_label(options),
        **{key: options[key] for key in _PASSED_ON},
    )
    with tempfile.TemporaryDirectory(prefix="vtframe-rows-") as folder:
        rows = _rows(config, Path(folder), options, quiet=quiet or as_json)
        unknown = [name for name in wishes.columns if name not in rows.columns]
        if unknown:
            raise InputError("--columns", f"the rows have no {', '.join(unknown)}", f"they have {', '.join(rows.columns)}")

        def backend(name: str) -> ModelBackend:
            return backend_class(name, config)()

        progress = Console(stderr=True, quiet=quiet or as_json)
        found = make_bundle(
            wishes,
            rows,
            out,
            backend,
            replace=force,
            say=lambda step: progress.print(f"[dim]{escape(step)}[/]", highlight=False),
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_as_data(found))).decode())
    elif not quiet:
        _print(found)
    return 0


def _stated_label(options: dict[str, Any]) -> Label | None:
    if options["kind"] is None or options["horizon_rows"] is None:
        if options["kind"] is not None or options["horizon_rows"] is not None:
            raise click.UsageError("--label and --horizon-rows go together")
        return None
    return Label(kind=options["kind"], horizon_rows=options["horizon_rows"], threshold_bps=options["threshold_bps"])


def _rows(config: Path, folder: Path, options: dict[str, Any], *, quiet: bool) -> RowSet:
    """The data set that is named, which must be of these very features, or one that is made now."""
    named: Path | None = options["rows"]
    recordings: Sequence[Path] = options["recordings"]
    if named is not None and recordings:
        raise click.UsageError("--rows and --recording exclude each other")
    if named is not None:
        rows = read_rows(named)
        _check_features(rows, config)
        return rows
    stated = options["expected_move_bps"] and options["variance_bps2"] is not None and options["horizon_ms"] is not None
    if not stated and (options["kind"] is None or options["unseen"] is None):  # before minutes of making rows
        problem = "rows are made now: how are they labeled, and which of them has the model not been trained on?"
        hint = (
            "say --label mid_direction --horizon-rows N --unseen 1 (or a smaller share), or name a labeled data set with --rows"
        )
        raise InputError("--label, --unseen", problem, hint)
    label = None
    if options["kind"] is not None:
        label = LabelRule(kind=options["kind"], horizon_rows=options["horizon_rows"], threshold_bps=options["threshold_bps"])
    progress = Console(stderr=True, quiet=quiet)
    run = DataSetRun(
        DataSetWishes(
            config=config,
            out=folder / "rows.parquet",
            recordings=tuple(recordings),
            label=label,
            on_compile=lambda message: progress.print(f"[dim]{message}[/]", highlight=False),
        )
    )
    with run.work:
        with BulkProgress("playing", lambda: run.inputs, progress, total=run.total):
            run.make_rows()
        with BulkProgress("writing", lambda: run.written, progress, total=run.rows, unit="rows"):
            run.write()
    made = read_rows(folder / "rows.parquet")
    return msgspec.structs.replace(made, path=recordings[0] if recordings else config)  # what messages call them


def _check_features(rows: RowSet, config: Path) -> None:
    """Rows that lie there must have been made by the very features that a session would make them with."""
    examined = examine(config)
    wrong = [fault for fault in examined.faults if fault.table.startswith(("[vtframe]", "[[features]]", "[sampling]"))]
    if wrong:
        raise ConfigError(*wrong)
    made = msgspec.json.decode(msgspec.json.encode(examined.schema), type=list[InputFeature])  # as a data set states them
    there = {feature.label: feature for feature in made}
    other = [feature.label for feature in rows.features if there.get(feature.label) != feature]
    if rows.sampling != str(examined.config.sampling):
        other.append(f"sampling {rows.sampling!r}")
    if other:
        problem = f"was made with other features than {config} has: {', '.join(other)}"
        raise InputError(str(rows.path), problem, "make it anew: vtframe features RECORDING --config CONFIG --out FILE")


def _as_data(found: Imported) -> dict[str, Any]:
    return {
        "bundle": str(found.bundle.path),
        "hash": found.bundle.hash,
        "backend": found.bundle.backend,
        "outputs": found.bundle.classes,
        "compared": found.agreement.rows,
        "largest_difference": found.agreement.largest,
        "worst_row": found.agreement.worst,
        "expected_move_bps": found.bundle.expected_move_bps,
        "metrics": found.bundle.metrics,
        "baselines": found.bundle.baselines,
    }


def _print(found: Imported) -> None:
    bundle, agreement = found.bundle, found.agreement
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("hash", bundle.hash)
    table.add_row("model", f"{bundle.file}, {bundle.backend} backend")
    table.add_row("original", f"equal within {agreement.largest:.1e} on {agreement.rows:,} rows")
    table.add_row("fused", str(bundle.provenance["conversion"]["compiled"]))
    moves = zip(bundle.classes, bundle.expected_move_bps, strict=True)
    table.add_row("worth", ", ".join(f"{name} {move:+.4g} bps" for name, move in moves))
    for name, value in bundle.metrics.items():
        beside = f" (best constant {bundle.baselines[name]:.4g})" if name in bundle.baselines else ""
        table.add_row(name.replace("_", " "), f"{value:.4g}{beside}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"wrote [bold]{escape(str(bundle.path))}[/bold]")
    console.print(table)
