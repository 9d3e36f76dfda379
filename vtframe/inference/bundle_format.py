"""What bundle.toml may say: its tables as structs, read with one clear message per fault, written as TOML."""

from __future__ import annotations

import itertools
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from vtframe.api import BundleError, InputFeature, Label
from vtframe.api.calibration import Calibrator
from vtframe.api.model import Head, TrainingColumn
from vtframe.errors import nearest

FORMAT_VERSION = 2
"""2 added heads, calibrators, provenance.conversion, input.training and further labels. A bundle states the oldest that has its
keys."""
DESCRIPTION = "bundle.toml"
MOST_BINS = 256  # of a training column: windows keep a byte for each row

Name = Annotated[str, Meta(min_length=1)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """``[input]``: what the model reads, in order."""

    features: Annotated[tuple[InputFeature, ...], Meta(min_length=1)]
    window: Annotated[int, Meta(ge=1)] = 1
    dtype: Literal["float32", "float64"] = "float32"
    normalization: str = "in the graph"
    sampling: Name
    instruments: tuple[str, ...] = ()
    training: dict[str, TrainingColumn] = {}


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """``[output]``: what the model's numbers mean. Moves are in bps of the mid, measured out of sample."""

    classes: Annotated[tuple[Name, ...], Meta(min_length=1)]  # one alone only of a regression
    label: Label
    calibration: str = ""
    expected_move_bps: tuple[float, ...]
    variance_bps2: Annotated[float, Meta(ge=0)]
    horizon_ns: Annotated[int, Meta(ge=1)]
    heads: tuple[Head, ...] = ()
    calibrator: Calibrator | None = None


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """``[provenance]``: where the model came from, so that it can be made again and judged."""

    made_by: str = ""
    data: tuple[str, ...] = ()
    span: str = ""
    split: str = ""
    code_version: str = ""
    fingerprint: str = ""
    rows: dict[str, int] = {}
    metrics: dict[str, float] = {}
    baselines: dict[str, float] = {}
    conversion: dict[str, str | float | int] = {}  # what it was made from, and how far from the original it may be and was


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """All of bundle.toml."""

    format_version: int = 1
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    backend: Name
    file: Name
    trusted: bool = False
    input: Input
    output: Output
    provenance: Provenance = Provenance()
    files: dict[str, Sha256] = {}


def read_description(path: Path) -> Description:
    """Read and check ``path``; raises BundleError that names the file and the key."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BundleError(str(path), "is missing", "a bundle is a folder with bundle.toml and the model's files") from None
    except OSError as e:
        raise BundleError(str(path), f"cannot be read: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise BundleError(str(path), f"is not UTF-8 text (byte {e.start})") from None
    except tomllib.TOMLDecodeError as e:
        raise BundleError(str(path), f"is not TOML: {e}") from None
    _check_version(path, tables)
    _check_keys(path, Description, tables, ())
    try:
        description = msgspec.convert(tables, Description)
    except msgspec.ValidationError as e:
        raise _fault(path, str(e)) from None
    _check_sense(path, description)
    return description


def render_description(description: Description) -> str:
    """``description`` as TOML, in the oldest format that holds it: the same description always gives the same bytes."""
    values = msgspec.to_builtins(msgspec.structs.replace(description, format_version=_oldest(description)))
    written, made, label = values["output"], values["provenance"], values["output"]["label"]
    for table, key in (
        (values["input"], "training"),
        (written, "heads"),
        (written, "calibrator"),
        (label, "horizon_ms"),
        (made, "conversion"),
    ):
        if not table[key]:  # a reader of an older format would refuse the key
            del table[key]
    if "calibrator" in written:
        own = {"temperature": ("temperature",), "platt": ("slopes", "intercepts"), "isotonic": ("knots", "values")}
        calibrator = written["calibrator"]
        written["calibrator"] = {key: calibrator[key] for key in ("method", *own[calibrator["method"]])}
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if not isinstance(value, dict)]
    features = values["input"].pop("features")
    lines += _table("input", values["input"])
    for feature in features:
        lines += ["", "[[input.features]]", *(f"{key} = {_toml(value)}" for key, value in feature.items())]
    for name in ("output", "provenance", "files"):
        lines += _table(name, values[name])
    return "\n".join(lines) + "\n"


def _oldest(description: Description) -> int:
    """The first format version that has all that ``description`` says."""
    output, label = description.output, description.output.label
    said = description.input.training or output.heads or output.calibrator or description.provenance.conversion
    return 2 if said or label.kind != "mid_direction" or label.horizon_ms is not None else 1


def _check_version(path: Path, tables: Mapping[str, Any]) -> None:
    version = tables.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleError(f"{path} format_version", f"found {version!r}, expected a whole number from 1 on")
    if version > FORMAT_VERSION:
        problem = f"found {version}, this vtframe reads up to {FORMAT_VERSION}"
        raise BundleError(f"{path} format_version", problem, "use a newer vtframe, or export the bundle again")


def _check_keys(path: Path, kind: type[msgspec.Struct], table: object, above: tuple[str, ...]) -> None:
    """Refuse keys that no field stands for; nested structs are found through the fields' types."""
    if not isinstance(table, Mapping):
        return  # msgspec says what was expected
    hints = get_type_hints(kind)
    known = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in known:
            hint = nearest(key, known) or f"known: {', '.join(known)}"
            raise BundleError(_place(path, (*above, key)), "unknown key", hint)
        nested = _struct_in(hints[known[key]])
        if nested is not None:
            parts = enumerate(value) if isinstance(value, list) else [("", value)]
            for position, part in parts:
                _check_keys(path, nested, part, (*above, f"{key}[{position}]" if position != "" else key))


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    if get_origin(hint) in (Annotated, tuple, list) or isinstance(hint, UnionType):
        return next(filter(None, map(_struct_in, get_args(hint))), None)
    return None


def _check_sense(path: Path, description: Description) -> None:
    output, label = description.output, description.output.label
    if description.format_version < _oldest(description):
        found = f"found {description.format_version}, and keys that came with {_oldest(description)}"
        raise BundleError(f"{path} format_version", found, f"say format_version = {_oldest(description)}")
    _check_heads(path, output)
    if len(output.expected_move_bps) != len(output.classes):
        problem = f"found {len(output.expected_move_bps)} numbers, expected one per class: {', '.join(output.classes)}"
        raise BundleError(f"{path} [output] expected_move_bps", problem)
    if not all(map(math.isfinite, (*output.expected_move_bps, output.variance_bps2))):
        raise BundleError(f"{path} [output]", "expected_move_bps and variance_bps2 must be finite numbers")
    least = 1 if label.horizon_ms is None else 0
    if label.horizon_rows < least or (label.horizon_ms is not None and label.horizon_ms < 1):
        raise BundleError(f"{path} [output.label] horizon_rows", f"found {label.horizon_rows}, expected 1 or more")
    columns = [column for feature in description.input.features for column in feature.columns]
    for what, key, names in (("class", "[output] classes", output.classes), ("column", "[input] features", columns)):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        if twice:
            raise BundleError(f"{path} {key}", f"{what} {twice[0]!r} is there twice")
    for name, training in description.input.training.items():
        _check_training(f"{path} [input.training.{name}]", training, known=name in columns)
    for number, feature in enumerate(description.input.features):
        if not feature.columns:
            raise BundleError(f"{path} [[input.features]] {number + 1}", f"{feature.label!r} has no columns")


def _check_training(where: str, training: TrainingColumn, *, known: bool) -> None:
    """Edges between bins, and a share for each bin."""
    edges, shares = training.edges, training.shares
    if not known:
        raise BundleError(where, "is no column of [[input.features]]")
    if not edges or not all(map(math.isfinite, edges)) or any(b <= a for a, b in itertools.pairwise(edges)):
        raise BundleError(f"{where} edges", "expected finite numbers in ascending order, at least one")
    if len(shares) != len(edges) + 1:
        raise BundleError(f"{where} shares", f"found {len(shares)}, expected one more than edges: {len(edges) + 1}")
    for key in ("memory", "bin_memory"):
        value = getattr(training, key)
        if not (math.isfinite(value) and value >= 1):
            raise BundleError(f"{where} {key}", f"found {value}, expected a number of rows, at least 1")
    if len(shares) > MOST_BINS:
        raise BundleError(f"{where} shares", f"found {len(shares)}, expected at most {MOST_BINS}")
    if not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise BundleError(f"{where} shares", f"expected shares of the rows, 1 together; they are {sum(shares):g}")


def _check_heads(path: Path, output: Output) -> None:
    """Heads share the outputs out among them in order; a classification has two classes or more, and a fitting calibrator."""
    heads = output.heads or (Head(name="probabilities", outputs=output.classes),)
    named = tuple(name for head in heads for name in head.outputs)
    if named != output.classes:
        problem = f"the heads have outputs {', '.join(named)}, and classes says {', '.join(output.classes)}"
        raise BundleError(f"{path} [output] heads", problem, "list all outputs in both, in one order")
    for head in heads:
        least = 2 if head.kind == "classification" else 1
        if len(head.outputs) < least:
            where, hint = "heads" if output.heads else "classes", 'a head of kind = "regression" may have one'
            raise BundleError(f"{path} [output] {where}", f"found {len(head.outputs)} outputs, expected {least} or more", hint)
        if output.calibrator is not None and head.kind == "classification":
            problem = output.calibrator.problem(len(head.outputs))
            if problem:
                raise BundleError(f"{path} [output.calibrator]", problem, "fit it again")
    if output.calibrator is not None and not any(head.kind == "classification" for head in heads):
        raise BundleError(f"{path} [output.calibrator]", "calibrates probabilities, and the model has none", "remove it")


def _fault(path: Path, message: str) -> BundleError:
    """msgspec's ``Expected `int`, got `str` - at `$.input.window``` as place and problem."""
    missing = re.match(r"Object missing required field `(?P<key>\w+)`(?: - at `\$\.?(?P<place>.*)`)?$", message)
    if missing:
        steps = (*filter(None, (missing["place"] or "").split(".")), missing["key"])
        return BundleError(_place(path, steps), "is missing")
    problem, _, place = message.partition(" - at `$")
    found = re.match(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`$", problem)
    if found:
        problem = f"found {found['got']}, expected {found['expected']}"
    return BundleError(_place(path, tuple(filter(None, place.rstrip("`").split(".")))), problem[0].lower() + problem[1:])


def _place(path: Path, steps: Sequence[str]) -> str:
    table = f" [{'.'.join(steps[:-1])}]" if len(steps) > 1 else ""
    return f"{path}{table} {steps[-1]}" if steps else str(path)


def _table(name: str, table: Mapping[str, Any]) -> list[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    nested = {key: value for key, value in table.items() if isinstance(value, dict) and value}
    lines = ["", f"[{name}]", *(f"{_key(key)} = {_toml(value)}" for key, value in plain.items())]
    for key, value in nested.items():
        lines += _table(f"{name}.{_key(key)}", value)
    return lines


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quoted(key)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML wants it escaped, JSON does not


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):  # TOML has no null: a setting of None is a setting left out
        return f"{{ {', '.join(f'{_key(k)} = {_toml(v)}' for k, v in value.items() if v is not None)} }}".replace("{  }", "{}")
    raise TypeError(f"{value!r} has no form in TOML")
