"""Model bundles: a folder of files and the description that a session trusts them by. Nothing here reads a pickle."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vtframe.api import BundleError, BundleInfo
from vtframe.inference.bundle_files import bundle_hash, check_files, file_hash
from vtframe.inference.bundle_format import DESCRIPTION, Description, read_description, render_description


def load_bundle(path: Path) -> BundleInfo:
    """Read the bundle in folder ``path`` and check everything that can be checked without opening the model.

    Raises BundleError, which names the file or key, what was found, what was expected and what to do.
    """
    if not path.is_dir():
        problem = "is a file" if path.exists() else "does not exist"
        raise BundleError(str(path), problem, "a bundle is a folder with bundle.toml and the model's files")
    description = read_description(path / DESCRIPTION)
    if description.file not in description.files:
        where = f"{path / DESCRIPTION} file"
        raise BundleError(where, f"{description.file!r} is not listed in [files]", "list every file with its sha256")
    check_files(path, description.files, trusted=description.trusted)
    hashes = description.files | {DESCRIPTION: file_hash(path / DESCRIPTION)}
    return _info(path, description, bundle_hash(hashes))


def write_bundle(path: Path, description: Description, files: Mapping[str, bytes], *, replace: bool = False) -> BundleInfo:
    """Write a bundle to folder ``path``: all of it or nothing. The hashes in ``description.files`` are computed here.

    Raises BundleError when the folder exists (unless ``replace``) or when the result would not load.
    """
    if path.exists() and not replace:
        raise BundleError(str(path), "exists already", "remove it, or replace it on purpose")
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        new = work / "new"
        new.mkdir()
        for name, content in files.items():
            target = new / name
            if not target.resolve().is_relative_to(new.resolve()):
                raise BundleError(str(path), f"file {name!r} leads out of the bundle's folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        hashes = {name: file_hash(new / name) for name in sorted(files)}
        complete = msgspec.structs.replace(description, files=hashes)
        (new / DESCRIPTION).write_text(render_description(complete), "utf-8")
        load_bundle(new)
        if path.exists():
            path.rename(work / "old")
        try:
            new.rename(path)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                (work / "old").rename(path)  # what was there stays
            raise
        _sync(path.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return load_bundle(path)


def _sync(folder: Path) -> None:
    """Make a rename last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _info(path: Path, description: Description, digest: str) -> BundleInfo:
    read, written, made = description.input, description.output, description.provenance
    origin = msgspec.to_builtins(made)
    metrics, baselines = origin.pop("metrics"), origin.pop("baselines")
    return BundleInfo(
        name=description.name,
        path=path,
        hash=digest,
        backend=description.backend,
        file=description.file,
        features=read.features,
        window=read.window,
        dtype=read.dtype,
        classes=written.classes,
        label=written.label,
        expected_move_bps=written.expected_move_bps,
        variance_bps2=written.variance_bps2,
        horizon_ns=written.horizon_ns,
        sampling=read.sampling,
        instruments=read.instruments,
        normalization=read.normalization,
        calibration=written.calibration,
        metrics=metrics,
        baselines=baselines,
        provenance=origin,
        files=dict(description.files),
        trusted=description.trusted,
        heads=written.heads,
        training=read.training,
        calibrator=written.calibrator,
    )
