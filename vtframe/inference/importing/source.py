"""What a model file is, told by its name and first bytes without reading it any further."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from vtframe.errors import InputError

Kind = Literal["onnx", "skops", "pickle", "lightgbm", "xgboost", "torchscript", "export", "torch_pickle", "module"]
Form = Literal["onnx", "torchscript", "pt2", "skops"]

FORMS: dict[Kind, tuple[Form, ...]] = {
    "onnx": ("onnx",),
    "skops": ("onnx", "skops"),
    "pickle": ("onnx", "skops"),
    "lightgbm": ("onnx",),
    "xgboost": ("onnx",),
    "torchscript": ("torchscript",),
    "export": ("onnx", "pt2"),
    "torch_pickle": ("onnx", "torchscript", "pt2"),
    "module": ("onnx", "torchscript", "pt2"),
}
"""What each kind of source can be kept as; the first is the default."""
_PICKLES = {".pkl", ".pickle", ".joblib", ".dill"}
_KNOWN = (
    "known: .onnx, .skops, LightGBM's text, XGBoost's .json and .ubj, TorchScript, torch.export's .pt2, FILE.py:NAME of a "
    "torch module, and with --trust-pickle .joblib, .pkl and .pt"
)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file with a model in it; ``name`` is what a Python file calls it."""

    kind: Kind
    path: Path
    name: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.name}" if self.name else str(self.path)


def identify(text: str) -> Source:
    """The source that ``text`` names: a file, or FILE.py:NAME. Raises InputError."""
    file, colon, name = text.rpartition(":")
    if colon and file.endswith(".py"):
        if not name.isidentifier():
            raise InputError(text, f"{name!r} is no name in a Python file", "write FILE.py:NAME")
        return Source(kind="module", path=_file(Path(file)), name=name)
    path = _file(Path(text))
    if path.suffix == ".py":
        raise InputError(text, "is Python: which of its names is the module?", "write FILE.py:NAME")
    return Source(kind=_kind(path), path=path)


def _file(path: Path) -> Path:
    if not path.is_file():
        raise InputError(str(path), "is a folder" if path.is_dir() else "does not exist", "name a model file")
    return path


def _kind(path: Path) -> Kind:
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(64)
    if suffix == ".onnx":
        return "onnx"
    if suffix in _PICKLES or (start[:1] == b"\x80" and start[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}):
        return "pickle"
    if zipfile.is_zipfile(path):
        return _kind_of_zip(path)
    if start.startswith(b"tree\n"):
        return "lightgbm"
    if (suffix in {".json", ".ubj"} and b"learner" in start) or start.startswith(b"{L\x00"):
        return "xgboost"
    raise InputError(str(path), "is of no kind that can be imported", _KNOWN)


def _kind_of_zip(path: Path) -> Kind:
    with zipfile.ZipFile(path) as archive:
        whole = set(archive.namelist())
    inner = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in whole}
    if "schema.json" in whole:
        return "skops"
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "archive_format" in inner:
        return "export"
    if "data.pkl" in inner:
        return "torch_pickle"
    raise InputError(str(path), "is an archive of no kind that can be imported", _KNOWN)
