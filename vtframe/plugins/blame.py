"""Somebody else's exception in one line: what was raised, and where in their code."""

from __future__ import annotations

import traceback


def cause(error: BaseException) -> str:
    """``ModuleNotFoundError: No module named 'x' (strategies/a.py:3)``: the innermost place outside vtframe and importlib."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_machinery(frame.filename)]
    return f"{text} ({frames[-1].filename}:{frames[-1].lineno})" if frames else text


def _is_machinery(filename: str) -> bool:
    return filename.startswith("<frozen") or "importlib" in filename or "/vtframe/plugins/" in filename.replace("\\", "/")
