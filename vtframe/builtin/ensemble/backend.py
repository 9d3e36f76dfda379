"""The backend of ensembles: opens the members, each with its own backend, wherever the ensemble runs."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from vtframe.api import BundleError, BundleInfo, Model, ModelBackend, VtframeError, calibrated
from vtframe.builtin.ensemble.members import Member, check_members, load_member, read_members
from vtframe.builtin.ensemble.model import EnsembleModel, Part
from vtframe.plugins import load_plugins

_ITSELF = "vtframe.builtin.ensemble.hooks"


class EnsembleBackend(ModelBackend):
    """Averages models, or lets one more model read what they answer. Its file, members.toml, names their bundles.

    A member's backend is found by name: an installed plugin that is called like it. Members run one after the other.
    """

    name: ClassVar[str] = "ensemble"
    suffixes: ClassVar[tuple[str, ...]] = (".toml",)

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
                opened.append(_open(member, info, place))
            if listed.stack is not None and stack is not None:
                opened.append(_open(listed.stack, stack, f"{where} [stack]"))
        except BaseException:
            for model in opened:
                model.close()
            raise
        parts = [Part(model, info, bundle) for model, info in zip(opened, members, strict=False)]
        weights = [member.weight for member in listed.members]
        return calibrated(EnsembleModel(parts, weights, opened[-1] if stack is not None else None), bundle)


def _open(member: Member, bundle: BundleInfo, where: str) -> Model:
    try:
        plugins = load_plugins((_ITSELF,), named=[] if bundle.backend == EnsembleBackend.name else [bundle.backend])
        plugins.raise_errors()
        cls = plugins.registries.model_backends.get(bundle.backend)
        return msgspec.convert(member.backend, cls).open(bundle)
    except msgspec.ValidationError as e:
        raise BundleError(where, f"backend {bundle.backend!r} does not take these settings: {e}") from None
    except BundleError:
        raise
    except VtframeError as e:
        raise BundleError(where, f"{bundle.path} needs backend {bundle.backend!r}: {e}", "install its plugin") from None


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
