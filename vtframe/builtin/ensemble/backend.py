"""The backend of ensembles: opens the members, each with its own backend, wherever the ensemble runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from vtframe.api import BundleError, BundleInfo, Model, ModelBackend, VtframeError, calibrated
from vtframe.builtin.ensemble.members import Member, check_members, load_member, read_members
from vtframe.builtin.ensemble.model import EnsembleModel, Part
from vtframe.plugins import load_plugins
from vtframe.plugins.local import files_of

_ITSELF = "vtframe.builtin.ensemble.hooks"


class EnsembleBackend(ModelBackend):
    """Averages models, or lets one more model read what they answer. Its file, members.toml, names their bundles.

    A member's backend is found by name: one of the session's local plugins gives it, or an installed plugin is called like it.
    Members run one after the other.
    """

    name: ClassVar[str] = "ensemble"
    suffixes: ClassVar[tuple[str, ...]] = (".toml",)

    local: tuple[str, ...] = ()  # files of local plugins that give members' backends; a session adds its own

    def open(self, bundle: BundleInfo) -> Model:
        where = str(bundle.path / bundle.file)
        listed = read_members(bundle.path / bundle.file)
        named = [(f"{where} [[members]] {number}", member) for number, member in enumerate(listed.members, 1)]
        members = [load_member(member, bundle.path, place) for place, member in named]
        stack = load_member(listed.stack, bundle.path, f"{where} [stack]") if listed.stack is not None else None
        check_members(listed.rule, members, stack, where)
        _check_whole(bundle, members, stack, where)
        opened: list[Model] = []
        try:
            for (place, member), info in zip(named, members, strict=True):
                opened.append(self._open(member, info, place))
            if listed.stack is not None and stack is not None:
                opened.append(self._open(listed.stack, stack, f"{where} [stack]"))
        except BaseException:
            for model in opened:
                model.close()
            raise
        parts = [Part(model, info, bundle) for model, info in zip(opened, members, strict=False)]
        weights = [member.weight for member in listed.members]
        return calibrated(EnsembleModel(parts, weights, opened[-1] if stack is not None else None), bundle)

    def _open(self, member: Member, bundle: BundleInfo, where: str) -> Model:
        name = bundle.backend
        try:
            plugins = load_plugins((_ITSELF,), local=self.local)
            plugins.raise_errors()
            if name not in plugins.registries.model_backends.names():
                plugins = load_plugins((_ITSELF,), named=[name])
                plugins.raise_errors()
            backend: ModelBackend = msgspec.convert(member.backend, plugins.registries.model_backends.get(name))
            if isinstance(backend, EnsembleBackend):
                backend = msgspec.structs.replace(backend, local=self.local)
            return backend.open(bundle)
        except msgspec.ValidationError as e:
            raise BundleError(where, f"backend {name!r} does not take these settings: {e}") from None
        except BundleError:
            raise
        except VtframeError as e:
            hint = "install its plugin, or name its file in [vtframe] local"
            raise BundleError(where, f"{bundle.path} needs backend {name!r}: {e}", hint) from None


def knowing(backend: ModelBackend, others: Iterable[type[ModelBackend]]) -> ModelBackend:
    """``backend``; where it is an ensemble's, its members may have those of ``others`` that local plugins define, also in
    worker processes."""
    if not isinstance(backend, EnsembleBackend):
        return backend
    return msgspec.structs.replace(backend, local=(*backend.local, *files_of(others)))


def _check_whole(bundle: BundleInfo, members: list[BundleInfo], stack: BundleInfo | None, where: str) -> None:
    """Whether the ensemble's own description gives its members what they read, and says what they answer."""
    for number, member in enumerate(members, 1):
        lost = [name for name in member.columns if name not in bundle.columns]
        problem = ""
        if lost:
            problem = f"reads {', '.join(lost)}, which the ensemble does not"
        elif member.window > bundle.window:
            problem = f"reads {member.window} rows, the ensemble {bundle.window}"
        elif member.dtype != bundle.dtype:
            problem = f"reads {member.dtype}, the ensemble {bundle.dtype}"
        if problem:
            raise BundleError(f"{where} [[members]] {number}", f"{member.name!r} {problem}", "make the ensemble again")
    last = stack or members[0]
    if len(last.classes) != len(bundle.classes):
        problem = f"{last.name!r} answers {len(last.classes)} numbers, the ensemble states {len(bundle.classes)} outputs"
        raise BundleError(where, problem, "make the ensemble again")
