"""``vtframe model``: what a bundle is, whether it is whole and runs, and how to come by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vtframe.api import BundleInfo, Model, ModelBackend
from vtframe.cli.model_backends import backend_of
from vtframe.cli.model_bench import bench_model
from vtframe.cli.model_control import promote_shadow, roll_back_model, show_models, swap_model
from vtframe.cli.model_ensemble import make_ensemble_command
from vtframe.cli.model_import import import_model
from vtframe.inference.bundle import load_bundle
from vtframe.inference.verify import Check, check_calibration, verify_model

_BUNDLE = click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print for machines.")
_CONFIG = click.option(
    "-c", "--config", type=click.Path(path_type=Path), help="Load the plugins that it names; ./vtframe.toml where there is one."
)


@click.group()
def model() -> None:
    """Import, inspect, verify and measure model bundles."""


model.add_command(import_model)
model.add_command(bench_model)
model.add_command(make_ensemble_command)
for control in (swap_model, promote_shadow, roll_back_model, show_models):
    model.add_command(control)


@model.command()
@_BUNDLE
@_JSON
def inspect(path: Path, *, as_json: bool) -> None:
    """Show what a bundle says of its model: inputs, outputs, where it came from, how good it was out of sample.

    The files' hashes are checked; the model is not opened.
    """
    bundle = load_bundle(path)
    if as_json:
        _print_json(_as_data(bundle))
    else:
        _print_bundle(bundle)


@model.command()
@_BUNDLE
@_CONFIG
@_JSON
def verify(path: Path, *, config: Path | None, as_json: bool) -> int:
    """Check a bundle: its files against their hashes, its graph against its description, and a few rows through it.

    Its backend comes from the plugins that the configuration names, or from the installed plugin of the backend's name.
    Exits 0 when everything holds, 1 when a check fails, 2 when the bundle is refused.
    """
    bundle = load_bundle(path)
    backend = backend_of(bundle.backend, config)
    opened = backend.open(bundle)
    try:
        checks = [Check("files", ok=True, found=f"{len(bundle.files)} of {len(bundle.files)} have the sha256 that is listed")]
        checks += verify_model(opened, bundle)
        if bundle.calibrator is not None:
            checks.append(_verify_calibration(opened, backend, bundle))
    finally:
        opened.close()
    ok = all(check.ok for check in checks)
    if as_json:
        rows = [check._asdict() for check in checks]
        _print_json({"bundle": str(path), "name": bundle.name, "hash": bundle.hash, "ok": ok, "checks": rows})
    else:
        _print_checks(bundle, checks)
    return 0 if ok else 1


def _verify_calibration(opened: Model, backend: ModelBackend, bundle: BundleInfo) -> Check:
    """Whether the backend puts the bundle's calibrator behind the model, as ``api.calibrated`` does."""
    plain = backend.open(msgspec.structs.replace(bundle, calibrator=None))
    try:
        return check_calibration(opened, plain, bundle)
    finally:
        plain.close()


def _as_data(bundle: BundleInfo) -> dict[str, Any]:
    return {**msgspec.to_builtins(bundle, enc_hook=str), "columns": list(bundle.columns)}


def _print_json(data: dict[str, Any]) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(data)).decode())


def _print_bundle(bundle: BundleInfo) -> None:
    label = bundle.label
    ahead = f"{label.horizon_rows} rows" if label.horizon_ms is None else f"{label.horizon_ms} ms"
    flat = "" if label.kind == "mid_move" else f", flat within {label.threshold_bps:g} bps"
    horizon = f"{ahead} ahead (median {bundle.horizon_ns / 1e9:.3g} s){flat}"
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("hash", bundle.hash)
    table.add_row("model", f"{bundle.file}, {bundle.backend} backend")
    table.add_row("input", f"{bundle.window} row(s) of {len(bundle.columns)} {bundle.dtype}, normalized {bundle.normalization}")
    table.add_row("rows", f"{bundle.sampling}; {', '.join(bundle.instruments) or 'any instrument'}")
    for feature in bundle.features:
        settings = ", ".join(f"{key} = {value!r}" for key, value in feature.settings.items())
        part = feature.use if feature.use != feature.label else ""
        table.add_row("", escape(f"{', '.join(feature.columns)}  {part} {settings}".rstrip()))
    table.add_row("answers", f"{label.kind}, {horizon}")
    for name, move in zip(bundle.classes, bundle.expected_move_bps, strict=True):
        table.add_row("", f"{name}  expected move {move:+.4g} bps")
    for head in bundle.heads:
        table.add_row("", f"head {head.name}: {head.kind} of {', '.join(head.outputs)}")
    if bundle.calibrator is not None:
        table.add_row("", f"calibrated behind the model: {bundle.calibrator.method}")
    table.add_row("", f"variance {bundle.variance_bps2:.4g} bps^2")
    table.add_row("calibration", escape(bundle.calibration or "not stated"))
    for name, value in bundle.metrics.items():
        table.add_row(
            "out of sample" if name == next(iter(bundle.metrics)) else "", f"{name}  {value:.4g}{_beside(bundle, name)}"
        )
    for name, value in bundle.provenance.items():
        text = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        if isinstance(value, dict):
            text = ", ".join(f"{key} {part}" for key, part in value.items())
        table.add_row(name.replace("_", " "), escape(text or "not stated"))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{escape(bundle.name)}[/bold]")
    console.print(table)


def _beside(bundle: BundleInfo, metric: str) -> str:
    """The baselines of a metric; its own name is the majority class or the class frequencies, ``logistic_...`` a model."""
    same = {key: value for key, value in bundle.baselines.items() if key == metric or key.endswith(f"_{metric}")}
    told = [f"{key.removesuffix(metric).rstrip('_') or 'baseline'} {value:.4g}" for key, value in same.items()]
    return f"  ({', '.join(told)})" if told else ""


def _print_checks(bundle: BundleInfo, checks: list[Check]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(show_header=False, box=None, pad_edge=False)
    for check in checks:
        state = "[green]ok[/green]" if check.ok else "[red]FAILED[/red]"
        table.add_row(state, check.name.replace("_", " "), escape(check.found))
    console.print(f"[bold]{escape(bundle.name)}[/bold] {bundle.hash}")
    console.print(table)
