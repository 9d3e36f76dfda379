"""Bundles: what is written loads, and whatever is wrong is refused with one message that says what to do."""

from __future__ import annotations

import hashlib
import io
import pickle  # noqa: TID251 - a pickle must be refused, so one is made
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundles import describe, softmax_graph

from vtframe.api import BundleError, BundleInfo, InputFeature
from vtframe.inference.bundle import load_bundle, write_bundle
from vtframe.inference.bundle_format import FORMAT_VERSION, Input, read_description, render_description

Tiny = Callable[..., BundleInfo]


def edit(bundle: BundleInfo, old: str, new: str) -> None:
    """Change bundle.toml as a person would."""
    path = bundle.path / "bundle.toml"
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    path.write_text(text.replace(old, new))


def refusal(path: Path) -> str:
    """The message that loading ``path`` ends with: one line, without a traceback."""
    with pytest.raises(BundleError) as caught:
        load_bundle(path)
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_written_bundle_says_what_it_was_told(tiny: Tiny) -> None:
    bundle = tiny(4, window=3)
    assert bundle.columns == ("f0", "f1", "f2", "f3")
    assert (bundle.window, bundle.dtype, bundle.sampling) == (3, "float32", "frame")
    assert bundle.expected_move_bps == (-1.5, 0.0, 1.5)
    assert bundle.label.horizon_rows == 10
    assert bundle.metrics == {"log_loss": 0.9}
    assert bundle.baselines == {"log_loss": 1.1}
    assert bundle.provenance["data"] == ("made up",)
    assert bundle.files == {"model.onnx": hashlib.sha256((bundle.path / "model.onnx").read_bytes()).hexdigest()}
    assert sorted(path.name for path in bundle.path.parent.iterdir()) == ["tiny"], "no working folder stays behind"


def test_the_hash_is_the_sha256_of_sorted_name_and_hash_lines(tiny: Tiny) -> None:
    bundle = tiny()
    lines = [
        f"{name} {hashlib.sha256((bundle.path / name).read_bytes()).hexdigest()}\n" for name in ("bundle.toml", "model.onnx")
    ]
    assert bundle.hash == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_equal_content_has_an_equal_hash_and_any_change_another(tiny: Tiny) -> None:
    first, second = tiny(name="a"), tiny(name="b")
    assert first.hash == second.hash
    edit(second, "variance_bps2 = 2.5", "variance_bps2 = 2.6")
    assert load_bundle(second.path).hash != first.hash


def test_an_altered_file_is_refused_with_both_hashes(tiny: Tiny) -> None:
    bundle = tiny()
    model = bundle.path / "model.onnx"
    model.write_bytes(model.read_bytes() + b"\0")
    message = refusal(bundle.path)
    assert "model.onnx" in message
    assert bundle.files["model.onnx"] in message
    assert hashlib.sha256(model.read_bytes()).hexdigest() in message
    assert "restore it, or export the bundle again" in message


def test_a_missing_file_is_named(tiny: Tiny) -> None:
    bundle = tiny()
    (bundle.path / "model.onnx").unlink()
    assert "model.onnx: " in (message := refusal(bundle.path))
    assert "the folder does not have it" in message


def test_a_missing_folder_a_file_in_its_place_and_a_folder_without_a_description_are_told_apart(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    assert "is a file" in refusal(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert "bundle.toml: is missing" in refusal(tmp_path / "empty")


def test_a_file_that_is_not_listed_is_refused(tiny: Tiny) -> None:
    bundle = tiny()
    (bundle.path / "weights.bin").write_bytes(b"x")
    assert "weights.bin: is not listed in bundle.toml [files]" in refusal(bundle.path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("window = 1", "windw = 1", "[input] windw: unknown key; did you mean 'window'?"),
        ("[provenance]", "[provenence]", "provenence: unknown key; did you mean 'provenance'?"),
        ('use = "f1"', 'uses = "f1"', "[input.features[1]] uses: unknown key; did you mean 'use'?"),
        ("horizon_rows = 10", "horizon_row = 10", "[output.label] horizon_row: unknown key; did you mean 'horizon_rows'?"),
        ("window = 1", 'window = "1"', "[input] window: found str, expected int"),
        ("window = 1", "window = 0", "[input] window: expected `int` >= 1"),
        ('dtype = "float32"', 'dtype = "float16"', "[input] dtype: invalid enum value 'float16'"),
        ('sampling = "frame"', "", "[input] sampling: is missing"),
        ('backend = "onnx"', "", "backend: is missing"),
        ('name = "tiny"', 'name = "../tiny"', "name: expected `str` matching regex"),
        ("expected_move_bps = [-1.5, 0.0, 1.5]", "expected_move_bps = [-1.5, 1.5]", "found 2 numbers, expected one per class"),
        ("variance_bps2 = 2.5", "variance_bps2 = inf", "must be finite numbers"),
        ("variance_bps2 = 2.5", "variance_bps2 = nan", "[output] variance_bps2: expected `float` >= 0.0"),
        ("horizon_rows = 10", "horizon_rows = 0", "horizon_rows: found 0, expected 1 or more"),
        ('"down", "flat", "up"', '"down", "down", "up"', "class 'down' is there twice"),
        ('columns = ["f1"]', 'columns = ["f0"]', "column 'f0' is there twice"),
        ('columns = ["f1"]', "columns = []", "'f1' has no columns"),
        ('file = "model.onnx"', 'file = "other.onnx"', "'other.onnx' is not listed in [files]"),
        ("format_version = 1", f"format_version = {FORMAT_VERSION + 1}", "use a newer vtframe"),
        ("format_version = 1", 'format_version = "1"', "format_version: found '1', expected a whole number"),
        ("format_version = 1", "", "format_version: found None"),
        ("window = 1", "window = ", "is not TOML"),
    ],
)
def test_a_wrong_description_is_refused_by_key(tiny: Tiny, old: str, new: str, expected: str) -> None:
    bundle = tiny()
    edit(bundle, old, new)
    assert expected in refusal(bundle.path)


def test_a_description_that_is_not_text_is_refused(tiny: Tiny) -> None:
    bundle = tiny()
    (bundle.path / "bundle.toml").write_bytes(b"name = \xff")
    assert "is not UTF-8 text" in refusal(bundle.path)


@pytest.mark.parametrize("name", ["../outside.onnx", "/etc/hostname", "sub/../../outside.onnx", "sub\\\\outside.onnx"])
def test_a_path_that_leads_out_of_the_folder_is_refused(tiny: Tiny, name: str) -> None:
    bundle = tiny()
    (bundle.path.parent / "outside.onnx").write_bytes(b"x")
    edit(bundle, "[files]\n", f'[files]\n"{name}" = "{"0" * 64}"\n')
    assert "leads out of the bundle's folder" in refusal(bundle.path)


def test_a_link_that_leads_out_of_the_folder_is_refused(tiny: Tiny) -> None:
    bundle = tiny()
    model = bundle.path / "model.onnx"
    model.rename(bundle.path.parent / "elsewhere.onnx")
    model.symlink_to(bundle.path.parent / "elsewhere.onnx")
    assert "is a link that leads out of the bundle's folder" in refusal(bundle.path)


class Attack:
    """Reading this pickle would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def torch_style(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("model/data.pkl", content)
    return archive.getvalue()


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pickle", "model.onnx", "model.bin", "model.pt"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_is_refused_and_never_read_whatever_its_name(tmp_path: Path, name: str, protocol: int) -> None:
    trap = tmp_path / "trap"
    content = pickle.dumps(Attack(trap), protocol=protocol)
    content = torch_style(content) if name.endswith(".pt") else content
    with pytest.raises(BundleError, match=r"is a pickle .*runs code when it is read; export the model to ONNX"):
        write_bundle(tmp_path / "bad", describe(file=name), {name: content})
    assert not trap.exists()
    assert not (tmp_path / "bad").exists(), "nothing is left half-written"
    bundle = write_bundle(tmp_path / "trusted", describe(file=name, trusted=True), {name: content})
    assert bundle.trusted
    assert not trap.exists(), "loading a trusted bundle does not read its files either"
    edit(bundle, "trusted = true", "trusted = false")
    assert "is a pickle" in refusal(bundle.path)


def test_writing_over_a_bundle_needs_to_be_asked_for_and_replaces_all_of_it(tiny: Tiny) -> None:
    bundle = tiny()
    with pytest.raises(BundleError, match="exists already"):
        write_bundle(bundle.path, describe(5), {"model.onnx": softmax_graph(5)})
    replaced = write_bundle(bundle.path, describe(5, file="other.onnx"), {"other.onnx": softmax_graph(5)}, replace=True)
    assert sorted(path.name for path in bundle.path.iterdir()) == ["bundle.toml", "other.onnx"]
    assert len(replaced.columns) == 5
    assert [path.name for path in bundle.path.parent.iterdir()] == ["tiny"]


def test_a_bundle_that_would_not_load_leaves_the_old_one_alone(tiny: Tiny) -> None:
    bundle = tiny()
    with pytest.raises(BundleError, match="not listed"):
        write_bundle(bundle.path, describe(file="missing.onnx"), {"model.onnx": b"x"}, replace=True)
    with pytest.raises(BundleError, match="leads out"):
        write_bundle(bundle.path, describe(), {"../model.onnx": b"x"}, replace=True)
    assert load_bundle(bundle.path) == bundle


settings_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda part: st.lists(part, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=12), settings_values, max_size=4), st.text(max_size=30))
def test_whatever_the_settings_a_description_reads_back_as_it_was_written(settings: dict[str, Any], text: str) -> None:
    feature = InputFeature(use=text, label="a", columns=("a",), settings=settings)
    description = describe(input=Input(features=(feature,), sampling=text or "frame"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bundle.toml")
        path.write_text(render_description(description), "utf-8")
        read = read_description(path)
    assert msgspec.to_builtins(read) == msgspec.to_builtins(description)
