"""The file of an ensemble: which bundles answer, and how their answers become one. Members are named by path and by hash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli_w
from msgspec import Meta

from vtframe.api import BundleError, BundleInfo
from vtframe.inference.bundle import load_bundle

Rule = Literal["mean", "weighted", "stack"]
FORMAT_VERSION = 1


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One bundle. ``hash`` is the bundle's own: another bundle in its folder is refused."""

    bundle: Annotated[str, Meta(min_length=1)]  # folder, relative to the ensemble's
    hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    weight: Annotated[float, Meta(gt=0)] = 1.0
    backend: dict[str, Any] = {}  # settings of the member's backend


class Members(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``mean`` and ``weighted`` average the members' outputs, ``stack`` asks one more bundle, which reads them."""

    format_version: int
    rule: Rule
    members: Annotated[tuple[Member, ...], Meta(min_length=2)]
    stack: Member | None = None


def read_members(path: Path) -> Members:
    """Raises BundleError naming the file and what is wrong with it."""
    hint = "`vtframe model ensemble` writes such a file"
    try:
        members = msgspec.toml.decode(path.read_bytes(), type=Members)
    except (OSError, msgspec.MsgspecError, ValueError) as e:
        raise BundleError(str(path), f"is no list of members: {e}", hint) from None
    if members.format_version != FORMAT_VERSION:
        problem = f"has format version {members.format_version}, this vtframe reads {FORMAT_VERSION}"
        raise BundleError(str(path), problem, "read it with the vtframe that wrote it")
    if (members.rule == "stack") is not (members.stack is not None):
        raise BundleError(
            str(path), f'rule = "{members.rule}" {"needs" if members.stack is None else "has no use for"} [stack]'
        )
    if members.rule == "mean" and any(member.weight != 1.0 for member in members.members):
        raise BundleError(str(path), 'rule = "mean" has no use for weights', 'rule = "weighted"')
    return members


def render_members(members: Members) -> bytes:
    """As TOML."""
    return tomli_w.dumps(msgspec.to_builtins(members)).encode()


def load_member(member: Member, folder: Path, where: str) -> BundleInfo:
    """The member's bundle, unaltered; ``where`` names it in messages. Raises BundleError."""
    path = (folder / member.bundle).resolve()
    bundle = load_bundle(path)
    if bundle.hash != member.hash:
        problem = f"{path} is not the bundle that the ensemble was made of: its hash is {bundle.hash}, expected {member.hash}"
        raise BundleError(where, problem, "put it back, or make the ensemble again")
    return bundle


def check_members(rule: Rule, members: list[BundleInfo], stack: BundleInfo | None, where: str) -> None:
    """Whether they go together. Raises BundleError naming the member that does not."""
    first = members[0]
    known = {feature.label: feature for feature in first.features}
    for number, member in enumerate(members[1:], 2):
        for what, mine, theirs in (
            ("dtype", member.dtype, first.dtype),
            ("sampling", member.sampling, first.sampling),
            ("label", member.label, first.label),
            *(
                (("outputs", member.classes, first.classes), ("heads", member.output_heads, first.output_heads))
                * (stack is None)
            ),
        ):
            if mine != theirs:
                told = f"{member.name!r} has {what} {mine}, {first.name!r} has {theirs}"
                raise BundleError(f"{where} [[members]] {number}", told, "members of one ensemble agree in it")
        for feature in member.features:
            other = known.setdefault(feature.label, feature)
            if (feature.use, feature.settings) != (other.use, other.settings):
                problem = f"{member.name!r} was trained on another feature {feature.label!r} than other members"
                raise BundleError(f"{where} [[members]] {number}", problem)
    if rule == "stack" and stack is not None:
        wanted = [(member.name, len(member.classes)) for member in members]
        found = [(feature.label, len(feature.columns)) for feature in stack.features]
        if stack.window != 1 or stack.dtype != "float32" or found != wanted:
            problem = f"{stack.name!r} reads {stack.window} row(s) of {stack.dtype}, features {_told(found)}"
            hint = f"expected one row of float32, one feature a member, with a column for each output: {_told(wanted)}"
            raise BundleError(f"{where} [stack]", problem, hint)


def _told(features: list[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in features)
