"""What a person asks of an import, and what is asked back where something is not known: nothing is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from vtframe.api import Head, Label
from vtframe.errors import InputError
from vtframe.inference.importing.compare import TOLERANCE
from vtframe.inference.importing.fit import Method
from vtframe.inference.importing.job import SourceHead
from vtframe.inference.importing.source import Form, Source

Kind = Literal["classification", "regression"]
_DIRECTIONS = {"-1": "down", "0": "flat", "1": "up", "down": "down", "flat": "flat", "up": "up"}
"""How ``vtframe features`` labels rows."""


class ImportWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. What is None or empty is taken from the source or from the rows, where they say it."""

    source: Source
    name: str
    form: Form | None = None
    columns: tuple[str, ...] = ()
    window: int = 1
    outputs: tuple[tuple[str, ...], ...] = ()  # names, head by head
    kinds: tuple[Kind, ...] = ()  # head by head, or one for all
    softmax: bool = False
    weights: Path | None = None
    tolerance: float = TOLERANCE
    trust_pickle: bool = False
    unseen: float | None = None  # share of the labeled rows, at their end, that the model was not trained on
    calibrate: Method | None = None
    label: Label | None = None  # where the rows have none
    expected_move_bps: tuple[float, ...] = ()
    variance_bps2: float | None = None
    horizon_ms: float | None = None

    @property
    def stated(self) -> bool:
        """Whether the economics are given, so that nothing needs to be measured."""
        return bool(self.expected_move_bps) and self.variance_bps2 is not None and self.horizon_ms is not None


def name_heads(wishes: ImportWishes, found: tuple[SourceHead, ...], *, sums_to_one: list[bool]) -> tuple[Head, ...]:
    """The heads with their outputs' names. ``sums_to_one`` says of each head whether all its answers are probabilities.

    Raises InputError where the names, or what the numbers are, is not known.
    """
    where = str(wishes.source)
    if wishes.outputs and len(wishes.outputs) != len(found):
        widths = ", ".join(str(head.width) for head in found)
        problem = f"has {len(found)} head(s) of {widths} output(s), and --outputs is given {len(wishes.outputs)} time(s)"
        raise InputError(where, problem, "give it once per head, in order")
    if len(wishes.kinds) > 1 and len(wishes.kinds) != len(found):
        raise InputError(where, f"has {len(found)} head(s), and --kind is given {len(wishes.kinds)} times", "once per head")
    stated = wishes.kinds if len(wishes.kinds) == len(found) else (wishes.kinds or (None,)) * len(found)
    heads = []
    for k, head in enumerate(found):
        kind = _kind(wishes, head, stated[k], probable=sums_to_one[k])
        names = wishes.outputs[k] if wishes.outputs else _names(wishes, head, kind)
        if len(names) != head.width:
            raise InputError(where, f"answers {head.width} numbers, and {len(names)} names were given: {', '.join(names)}")
        heads.append(Head(name=head.name, kind=kind, outputs=names))
    return tuple(heads)


def _kind(wishes: ImportWishes, head: SourceHead, stated: Kind | None, *, probable: bool) -> Kind:
    where = str(wishes.source)
    if stated == "regression":
        return "regression"
    if head.kind == "regression":
        if stated is not None:
            raise InputError(where, "is a regression, and its outputs are no probabilities", "leave --kind out")
        return "regression"
    if head.kind == "classification" or (probable and head.width > 1):
        return "classification"
    if stated is not None:
        problem = "its answers do not sum to 1, so they are no probabilities"
        raise InputError(where, problem, "--softmax puts a softmax behind it, where they are scores of classes")
    problem = (
        f"the {head.width} answer(s) of {head.name!r} do not sum to 1: are they numbers of their own, or scores of classes?"
    )
    raise InputError(where, problem, "say --kind regression, or --softmax (of several heads: --kind once for each, in order)")


def _names(wishes: ImportWishes, head: SourceHead, kind: Kind) -> tuple[str, ...]:
    if kind == "regression" and head.width == 1:
        return ("move_bps",)
    own = tuple(_DIRECTIONS.get(name, "") for name in head.classes)
    if kind == "classification" and own and all(own):
        return own
    told = f" (it calls them {', '.join(head.classes)})" if head.classes else ""
    problem = f"what are the {head.width} outputs of {head.name!r}?{told}"
    raise InputError(str(wishes.source), problem, "name them in order: --outputs down,flat,up")
