"""``[[models]] backend = {...}``: settings reach the backend, and wrong ones are told with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtframe.api import ConfigError
from vtframe.assemble.check import examine
from vtframe.assemble.model_backend import make_backend
from vtframe.assemble.trial import try_out


def write(root: Path, folder: Path, settings: str) -> Path:
    """vtframe.toml with settings for its model's backend."""
    text = (root / "market.toml").read_text().replace('bundle = "models/', f'bundle = "{root}/models/')
    assert text.count("[[models]]\n") == 1
    path = folder / "vtframe.toml"
    path.write_text(text.replace("[[models]]\n", f"[[models]]\nbackend = {settings}\n"))
    return path


def test_settings_reach_the_backend(root: Path, tmp_path: Path) -> None:
    examined = examine(write(root, tmp_path, "{ intra_op_threads = 2, warmup_runs = 0 }"))
    assert examined.faults == ()
    table = examined.config.models[0]
    backend = make_backend(examined.bundles[table.name], table, examined.plugins.registries.model_backends)
    assert (backend.intra_op_threads, backend.warmup_runs, backend.providers) == (2, 0, ("cpu",))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ("{ intra_op_thread = 2 }", "intra_op_thread", "intra_op_threads"),
        ("{ intra_op_threads = 0 }", "intra_op_threads", "at least 1"),
        ('{ providers = ["gpu"] }', "providers", "cuda"),
        ("2", "backend", "a table"),
    ],
)
def test_a_setting_that_the_backend_does_not_have_is_a_fault_with_its_line(
    root: Path, tmp_path: Path, settings: str, key: str, words: str
) -> None:
    (fault,) = examine(write(root, tmp_path, settings)).faults
    assert key in fault.key
    assert fault.line is not None
    assert words in f"{fault.problem} {fault.hint}"


def test_a_provider_that_is_not_there_is_told_before_a_session_starts(root: Path, tmp_path: Path) -> None:
    told: list[str] = []
    (fault,) = try_out(examine(write(root, tmp_path, '{ providers = ["cuda"] }')), told.append).faults
    assert "is to run on cuda" in fault.problem
    assert "fallback = true" in fault.hint
    asked = examine(write(root, tmp_path, '{ providers = ["cuda"], fallback = true }'))
    assert not try_out(asked, told.append).faults


def test_a_session_does_not_open_a_model_with_settings_that_it_does_not_take(root: Path, tmp_path: Path) -> None:
    examined = examine(write(root, tmp_path, "{ warmup_runs = -1 }"))
    table = examined.config.models[0]
    with pytest.raises(ConfigError, match=r"of model 'embedded_direction': Expected `int` >= 0"):
        make_backend(examined.bundles[table.name], table, examined.plugins.registries.model_backends)
