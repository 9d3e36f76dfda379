"""Which feature reads which: inputs found by column, and an order in which each runs after those that it reads."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple


class Unmet(NamedTuple):
    """Why a feature cannot have an input."""

    feature: int  # its place in the configuration
    column: str
    problem: str
    hint: str


def unmet(columns: Sequence[Sequence[str]], inputs: Sequence[Sequence[str]]) -> list[Unmet]:
    """What is wrong with ``inputs[i]``, the columns that feature ``i`` reads, where ``columns[k]`` are made by feature ``k``.

    An input that no feature makes is told once each; a circle once, at the first feature in it.
    """
    owners = {column: k for k, made in enumerate(columns) for column in made}
    faults = []
    for k, wanted in enumerate(inputs):
        for column in dict.fromkeys(wanted):
            if column not in owners:
                near = difflib.get_close_matches(column, owners, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(owners) or 'none'}"
                faults.append(Unmet(k, column, f"no feature makes the column {column!r} that it reads", hint))
    return faults or _circles(columns, inputs, owners)


def dependency_order(columns: Sequence[Sequence[str]], inputs: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """Every feature after those that it reads, otherwise in the order given. ``unmet`` found nothing."""
    owners = {column: k for k, made in enumerate(columns) for column in made}
    order: dict[int, None] = {}

    def place(k: int) -> None:
        for column in inputs[k]:
            if owners[column] not in order:
                place(owners[column])
        order.setdefault(k)

    for k in range(len(columns)):
        place(k)
    return tuple(order)


def _circles(columns: Sequence[Sequence[str]], inputs: Sequence[Sequence[str]], owners: dict[str, int]) -> list[Unmet]:
    done: set[int] = set()
    faults: list[Unmet] = []

    def walk(k: int, path: list[tuple[int, str]]) -> None:
        """``path``: the features on the way to ``k``, each with the column that it reads next."""
        if k in done:
            return
        on_the_way = [feature for feature, _ in path]
        if k in on_the_way:
            circle = path[on_the_way.index(k) :]
            start = circle.index(min(circle))
            circle = circle[start:] + circle[:start]
            words = " -> ".join([circle[-1][1], *(column for _, column in circle)])
            problem = f"features read each other in a circle: {words}"
            faults.append(Unmet(*circle[0], problem, "take one of them out of it"))
            done.update(feature for feature, _ in circle)
            return
        for column in inputs[k]:
            walk(owners[column], [*path, (k, column)])
        done.add(k)

    for k in range(len(columns)):
        walk(k, [])
    return faults
