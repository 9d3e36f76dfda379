"""What can go wrong, sorted by who can put it right. The command line turns each into one message and an exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

import msgspec


def nearest(name: str, valid: Iterable[str]) -> str:
    """``did you mean 'levels'?``, a hint, or nothing where no valid name is near."""
    near = difflib.get_close_matches(name, list(valid), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


class VtframeError(Exception):
    """Anything vtframe says of a fault that somebody can put right."""

    exit_code: ClassVar[int] = 1


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a configuration, and where."""

    file: str = ""
    line: int | None = None  # None where the position is not known
    table: str = ""
    key: str = ""
    problem: str  # what was found and what was expected
    hint: str = ""  # what to do; often the nearest valid name

    def __str__(self) -> str:
        place = self.file + (f":{self.line}" if self.line is not None else "")
        named = " ".join(part for part in (place, self.table, self.key) if part)
        hint = f"; {self.hint}" if self.hint else ""
        return f"{named}: {self.problem}{hint}" if named else f"{self.problem}{hint}"


class ConfigError(VtframeError):
    """The configuration is wrong; the person who wrote it can put it right. Carries every fault found."""

    exit_code = 2

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class InputError(VtframeError):
    """A file that the user named cannot be used: ``where`` names it (and its line), ``problem`` says why."""

    exit_code = 2

    def __init__(self, where: str, problem: str, hint: str = "") -> None:
        self.where = where
        self.problem = problem
        self.hint = hint
        super().__init__(f"{where}: {problem}" + (f"; {hint}" if hint else ""))


class RecordingError(InputError):
    """A recording is missing, damaged, ambiguous or not what it was said to be."""


class BrokenRecordingError(RecordingError):
    """A recording turned out to be broken while it was played: the run failed, after an orderly stop."""

    exit_code = 1


class BundleError(InputError):
    """A model bundle is incomplete, altered, or made for other features."""


class SessionError(InputError):
    """A session folder cannot be made, read or continued."""


class JournalError(InputError):
    """A journal cannot be read or written."""


class PluginError(VtframeError):
    """A plugin cannot be loaded or breaks the contract; its author or installer can put it right."""

    exit_code = 2

    def __init__(self, plugin: str, problem: str, hint: str = "") -> None:
        self.plugin = plugin
        self.problem = problem
        self.hint = hint
        super().__init__(f"plugin {plugin!r}: {problem}" + (f"; {hint}" if hint else ""))


class KernelError(VtframeError):
    """The kernel of a feature (or of another ``kind`` of part) cannot be built or compiled; its author can put it right."""

    exit_code = 2

    def __init__(self, feature: str, problem: str, where: str = "", kind: str = "feature") -> None:
        self.feature = feature
        self.problem = problem
        self.where = where
        super().__init__((f"{where}: " if where else "") + f"{kind} {feature!r}: {problem}")


class JournalWriteError(JournalError):
    """A journal could not be written: the disk is full or failing. Nothing is wrong with the input."""

    exit_code = 1


class DecodeError(VtframeError):
    """One received message is broken. The session counts it and goes on."""


class InvariantError(VtframeError):
    """vtframe itself is wrong. The session stops trading; the fault should be reported."""


class HaltedError(VtframeError):
    """Risk halted the session; only a person resumes it."""

    exit_code = 3
