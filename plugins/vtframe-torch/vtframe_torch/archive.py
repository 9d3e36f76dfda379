"""What a torch file is, by what lies in it, before torch reads it: torch.load and torch.export.load may run code of a file."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from vtframe.api import BundleError

Kind = Literal["torchscript", "export"]


def kind_of(path: Path, *, trusted: bool) -> Kind:
    """Whether ``path`` is a TorchScript archive or a torch.export one.

    Raises BundleError where it is neither, or where reading it would unpickle something, unless it is ``trusted``.
    """
    if not zipfile.is_zipfile(path):
        hint = "save the module with torch.jit.save or torch.export.save"
        raise BundleError(str(path), "is no archive of torch's", hint)
    try:
        with zipfile.ZipFile(path) as archive:
            names = {str(PurePosixPath(*PurePosixPath(name).parts[1:])): name for name in archive.namelist()}
            if "constants.pkl" in names and any(name.startswith("code/") for name in names):
                return "torchscript"
            if "archive_format" not in names or not any(name.startswith("models/") for name in names):
                hint = "save the module with torch.jit.save or torch.export.save"
                raise BundleError(str(path), "is neither TorchScript nor what torch.export saves", hint)
            problem = "" if trusted else _pickled(archive, names)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError) as e:
        raise BundleError(str(path), f"is damaged: {e}", "export the model again") from None
    if problem:
        hint = "import it again; only if you made the file yourself, say trusted = true in bundle.toml"
        raise BundleError(str(path), f"{problem}, and a pickle runs code when it is read", hint)
    return "export"


def _pickled(archive: zipfile.ZipFile, names: dict[str, str]) -> str:
    """What of a torch.export archive would be unpickled without bounds; empty where nothing is."""
    import torch  # noqa: PLC0415 - heavy, and only for who opens such a file

    for name, entry in names.items():
        folder = str(PurePosixPath(name).parent)
        if folder in {"data/weights", "data/constants"}:
            if name.endswith(".pt"):
                return f"its {name} is a pickle"
            if name.endswith("_config.json"):
                payloads: dict[str, Any] = json.loads(archive.read(entry)).get("config", {})
                for key, payload in payloads.items():
                    tensor = str(payload.get("path_name", "")).startswith(("weight_", "tensor_"))
                    if payload.get("use_pickle") or not tensor:
                        return f"its {key} is a pickle"
        if folder == "data/sample_inputs":
            content = archive.read(entry)
            try:  # torch tries this first, and reads without bounds where it fails
                torch.load(io.BytesIO(content), weights_only=True)
            except Exception:  # noqa: BLE001 - whatever is not plainly tensors
                return f"its {name} is a pickle of more than tensors"
    return ""
