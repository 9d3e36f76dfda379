"""Compiled kernels on disk, by the digest of all that decides them. A folder appears whole or not at all, and is checked
before it is loaded: damaged machine code would end the process, not raise."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numba
import platformdirs

from vtframe.kernels.bind import STRICT, settings

_SOURCE = "kernel.py"
_MANIFEST = "manifest.json"
_STAMP = 1_000_000_000  # one modification time for all: numba compares it


class Generated(msgspec.Struct, frozen=True):
    """A generated module with a function ``run``."""

    digest: str
    source: str
    link: Callable[[dict[str, Any]], None]  # completes the module's globals
    signature: Any  # of ``run``, numba's
    what: str  # in words, for messages

    @property
    def name(self) -> str:
        """Its reserved name in sys.modules: numba's cache needs an importable module."""
        return f"vtframe_kernel_{self.digest[:32]}"


_announce: ContextVar[Callable[[str], None]] = ContextVar("announce", default=lambda _: None)


@contextmanager
def announcing(announce: Callable[[str], None]) -> Iterator[None]:
    """Within it, every cache that was told nothing else says what it compiles: for parts that are opened deep inside others."""
    token = _announce.set(announce)
    try:
        yield
    finally:
        _announce.reset(token)


class KernelCache:
    """``folder``, ``$VTFRAME_CACHE`` or the user's cache folder; a temporary one where that cannot be written."""

    def __init__(self, folder: Path | None = None, on_compile: Callable[[str], None] | None = None) -> None:
        chosen = folder or os.environ.get("VTFRAME_CACHE") or platformdirs.user_cache_dir("vtframe", appauthor=False)
        self.folder = Path(chosen).expanduser() / "kernels"
        self._report = on_compile or _announce.get()

    def load(self, code: Generated) -> Any:
        """The compiled ``run``: this process's, from disk, or compiled now. Raises numba's errors where that fails."""
        if code.name in sys.modules:
            return sys.modules[code.name].run
        if settings.DISABLE_JIT:
            return _execute(code, "<vtframe kernel>").run
        folder = self.folder / code.digest[:32]
        module = self._from_disk(folder, code)
        if module is None:
            module = self._compile(folder, code)
        return module.run

    def _from_disk(self, folder: Path, code: Generated) -> ModuleType | None:
        """The kernel in ``folder``; None where there is none that is whole."""
        if not _is_intact(folder):
            return None
        try:
            with suppress(OSError):
                os.utime(folder / _SOURCE, (_STAMP, _STAMP))  # a copied cache has other times
            if _is_writable(folder / "__pycache__"):
                return _build(folder, code)
            copy = Path(tempfile.mkdtemp(prefix="vtframe-"))  # numba reads only where it may write
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            module = _build(copy, code)
            weakref.finalize(module, shutil.rmtree, copy, ignore_errors=True)
        except Exception as error:  # noqa: BLE001 - whatever a damaged cache raises, compiling afresh is the answer
            sys.modules.pop(code.name, None)
            shutil.rmtree(folder, ignore_errors=True)
            self._report(f"the kernel cache {folder} cannot be read ({error}); compiling afresh")
            return None
        return module

    def _compile(self, folder: Path, code: Generated) -> ModuleType:
        """Compile in a folder of our own, then move it into place in one step."""
        self._report(f"compiling {code.what}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        except OSError as error:
            self._report(f"the kernel cache {folder.parent} cannot be written ({error.strerror}); this kernel is not kept")
            work = Path(tempfile.mkdtemp(prefix="vtframe-"))
            module = _build_or_remove(work, code)
            weakref.finalize(module, shutil.rmtree, work, ignore_errors=True)
            return module
        module = _build_or_remove(work, code)
        (work / _MANIFEST).write_text(json.dumps(_hashes(work)))
        if folder.exists() and not _is_intact(folder):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            work.rename(folder)
        except OSError:  # another process was first; its kernel is as good
            shutil.rmtree(work, ignore_errors=True)
        return module


def _build_or_remove(work: Path, code: Generated) -> ModuleType:
    try:
        (work / _SOURCE).write_text(code.source)
        os.utime(work / _SOURCE, (_STAMP, _STAMP))
        return _build(work, code)
    except BaseException:
        sys.modules.pop(code.name, None)
        shutil.rmtree(work, ignore_errors=True)
        raise


def _build(folder: Path, code: Generated) -> ModuleType:
    """Run the module and compile (or load) its ``run`` for one signature only."""
    module = _execute(code, str(folder / _SOURCE))
    with _cached_beside_source():
        run = numba.njit(cache=True, **STRICT)(module.run)
    run.compile(code.signature)
    run.disable_compile()
    module.__dict__["run"] = run
    return module


def _execute(code: Generated, path: str) -> ModuleType:
    module = ModuleType(code.name)
    module.__file__ = path
    sys.modules[code.name] = module
    exec(compile(code.source, path, "exec"), module.__dict__)  # noqa: S102 - our own generated text
    code.link(module.__dict__)
    return module


@contextmanager
def _cached_beside_source() -> Iterator[None]:
    """Numba's own settings for caches would put this one where it is not checked."""
    before = {name: getattr(settings, name) for name in ("CACHE_DIR", "CACHE_LOCATOR_CLASSES") if hasattr(settings, name)}
    for name in before:
        setattr(settings, name, "")
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _MANIFEST)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _is_intact(folder: Path) -> bool:
    try:
        stated = json.loads((folder / _MANIFEST).read_bytes())
        return bool(stated == _hashes(folder)) and any(name.endswith(".nbc") for name in stated)
    except (OSError, ValueError):
        return False
