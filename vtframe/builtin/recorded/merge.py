"""Several recordings as one, by the arrival of their inputs."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from vtframe.builtin.recorded.lines import Line, Recordings
from vtframe.builtin.recorded.new_recording import Made, NewRecording


def merge(sources: Sequence[Sequence[Path]], recordings: Recordings, out: Path, *, made_by: str) -> Made:
    """Write all lines of ``recordings`` to ``out`` by their arrival, those of equal times in the order of ``sources``, each of
    which keeps its own order. Connections of different sources become different ones."""
    output = NewRecording(recordings, out, made_by)
    names: dict[tuple[int, int], int] = {}
    position = 0
    streams = []
    for number, paths in enumerate(sources):
        streams.append(_in_order(recordings, range(position, position + len(paths)), number, output))
        position += len(paths)

    def name_of(source: int, connection: int) -> int:
        return names.setdefault((source, connection), len(names))

    with output:
        for _, source, line in heapq.merge(*streams, key=lambda one: one[:2]):
            output.write(line, connection_of=partial(name_of, source))
        output.made.connections = [
            f"{name}: connection {connection} of {', '.join(path.name for path in sources[source])}"
            for (source, connection), name in names.items()
        ]
        output.describe(connections=tuple(output.made.connections))
    return output.made


def _in_order(
    recordings: Recordings, positions: Sequence[int], number: int, output: NewRecording
) -> Iterator[tuple[int, int, Line]]:
    """Lines of one source with the time that they are merged at: it never goes back."""
    latest = 0
    for position in positions:
        for line in recordings.lines_of(position, output.on_damage):
            latest = max(latest, line.ts_recv)
            yield latest, number, line
