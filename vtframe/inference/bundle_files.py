"""The files of a bundle: every one listed, inside the folder, unaltered, and none that runs code when it is read."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from vtframe.api import BundleError
from vtframe.inference.bundle_format import DESCRIPTION

_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".dill"})
_PICKLE_STARTS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))


def bundle_hash(hashes: Mapping[str, str]) -> str:
    """sha256 over sorted ``name sha256`` lines: one value for everything that a bundle holds, bundle.toml included."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(folder: Path, files: Mapping[str, str], *, trusted: bool) -> None:
    """Check every file of ``folder`` against ``files`` (name: sha256); raises BundleError naming the first that is wrong."""
    where = folder / DESCRIPTION
    for name, expected in files.items():
        path = _inside(folder, name)
        if not path.is_file():
            problem = f"{where} lists it, and the folder does not have it"
            raise BundleError(str(path), problem, "copy the whole bundle, or export it again")
        found = file_hash(path)
        if found != expected:
            problem = f"its sha256 is {found}, {DESCRIPTION} expects {expected}"
            hint = "the file was altered or damaged after the export: restore it, or export the bundle again"
            raise BundleError(str(path), problem, hint)
        if not trusted:
            _refuse_pickle(path)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in files and name != DESCRIPTION:
            if not trusted:
                _refuse_pickle(path)
            raise BundleError(str(path), f"is not listed in {DESCRIPTION} [files]", "remove it, or export the bundle again")


def _inside(folder: Path, name: str) -> Path:
    """The path of ``name``, which may not lead out of the folder, by its text or through a link."""
    pure = PurePosixPath(name)
    path = folder / name
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name:
        problem = f"{name!r} leads out of the bundle's folder"
        raise BundleError(f"{folder / DESCRIPTION} [files]", problem, "list files by their path inside the folder")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BundleError(
            str(path), f"is a link that leads out of the bundle's folder, to {path.resolve()}", "put the file itself there"
        )
    return path


def _refuse_pickle(path: Path) -> None:
    kind = _pickle_kind(path)
    if kind:
        hint = "export the model to ONNX; only if you made the file yourself, say trusted = true in bundle.toml"
        raise BundleError(str(path), f"is a pickle ({kind}), and a pickle runs code when it is read", hint)


def _pickle_kind(path: Path) -> str:
    """Why the file is taken for a pickle; empty where it is none."""
    if path.suffix.lower() in _PICKLE_SUFFIXES:
        return f"by its name, {path.suffix}"
    with path.open("rb") as file:
        if file.read(2) in _PICKLE_STARTS:
            return "by its first bytes"
    if zipfile.is_zipfile(path):  # torch.save; TorchScript archives have constants.pkl beside code and a reader of their own
        with zipfile.ZipFile(path) as archive:
            names = {PurePosixPath(name).name for name in archive.namelist()}
        if "data.pkl" in names and "constants.pkl" not in names:
            return "inside a zip archive, as torch.save writes it"
    return ""
