"""Secrets by reference: looked up late, shown to nobody, and never repeated where a secret stands in place of a reference."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from types import ModuleType

import pytest

from vtframe.errors import ConfigError
from vtframe.secret import Secret, is_reference, look_up

PLANTED = "planted-in-plain-0c4d"


def test_a_secret_comes_from_the_environment_a_file_or_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", f" {PLANTED} \n")
    (tmp_path / "secret").write_text(f"{PLANTED}\n")
    keyring = ModuleType("keyring")
    keyring.get_password = lambda service, name: {("vtframe", "binance"): PLANTED}.get((service, name))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    for reference in ("env:A_SECRET", f"file:{tmp_path}/secret", "keyring:binance"):
        assert is_reference(reference)
        assert look_up(reference).reveal() == PLANTED


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(PLANTED)
    assert PLANTED not in f"{secret} {secret!r} {[secret]} {secret:}"
    with pytest.raises(TypeError, match="is not written down"):
        copy.copy(secret)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (PLANTED, "is no reference to a secret"),
        ("", "is no reference to a secret"),
        ("env:", "is no reference to a secret"),
        ("env:WITH SPACE", "is no reference to a secret"),
        (f"ENV:{PLANTED}", "is no reference to a secret"),
        ("file:relative", "is no reference to a secret"),
        ("https://example.com", "is no reference to a secret"),
        ("env:NOT_SET_ANYWHERE", "the environment variable NOT_SET_ANYWHERE is not set"),
        ("file:/nowhere/at/all", "/nowhere/at/all cannot be read: No such file or directory"),
        ("keyring:nobody", "the keyring has no 'nobody' of 'vtframe'"),
        ("keyring:broken", "the keyring cannot be read: RuntimeError"),
    ],
)
def test_what_is_not_there_is_told_and_what_was_found_is_not(
    reference: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_password(service: str, name: str) -> None:
        if name == "broken":
            raise RuntimeError(PLANTED)

    keyring = ModuleType("keyring")
    keyring.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    with pytest.raises(ConfigError) as caught:
        look_up(reference, key="secret")
    (fault,) = caught.value.faults
    assert fault.key == "secret"
    assert words in fault.problem
    assert fault.hint
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(("content", "words"), [(b" \n", "is empty"), (b"\xff\xfe\x00", "it is not text")])
def test_a_file_without_a_secret_is_told(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        look_up(f"file:{tmp_path}/secret")


def test_a_keyring_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="pip install keyring"):
        look_up("keyring:binance")
