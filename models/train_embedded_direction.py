"""Makes models/embedded_direction: the direction of the embedded market's mid. Needs no data.

    python models/train_embedded_direction.py

Training, validation and test are markets of their own seeds, none of them the seed that a session has by default. The market
is a simulation without news, trends or other people's models: what can be learnt here is its mechanics, and nothing of a real
one.
"""

from __future__ import annotations

from pathlib import Path

import click
from dataset import Rows, collect, even_threshold_bps, join, label_rows, mirror
from features import configured_features, mirror_signs
from training import (
    Grid,
    check_export,
    describe,
    economics,
    export,
    judge,
    judge_edge,
    logistic,
    probabilities,
    report,
    train,
)

from vtframe.api import Label, Sampling
from vtframe.builtin.market.feed import EmbeddedMarket
from vtframe.inference.bundle import write_bundle

NAME = "embedded_direction"
SEED = 61800
HORIZON_ROWS = 200  # about a second: long beside a venue's latency, short enough for the queues to tell
MARKETS = {"training": 101, "validation": 102, "test": 103}  # seeds
ROWS = {"training": 1_000_000, "validation": 300_000, "test": 300_000}
GRID = Grid(penalties=(1e-2, 1.0), epochs=10, patience=2, batch=4096)


def rows_of(seed: int, count: int) -> Rows:
    """About ``count`` rows of the market with that seed."""
    return collect(EmbeddedMarket(seed=seed, duration_s=1e6), configured_features(), sampling=Sampling(), limit=count)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parent / NAME, show_default=True)
def main(*, out: Path) -> None:
    """Train, judge and export the model; replaces the bundle at --out."""
    rows = {part: rows_of(seed, ROWS[part]) for part, seed in MARKETS.items()}
    signs = mirror_signs(rows["training"].schema)
    label = Label(horizon_rows=HORIZON_ROWS, threshold_bps=even_threshold_bps(rows["training"], HORIZON_ROWS))
    parts = {part: label_rows(made, label) for part, made in rows.items()}
    mirrored, test = mirror(parts["training"], signs), parts["test"]
    model = train(mirrored, mirror(parts["validation"], signs), seed=SEED, grid=GRID)
    graph = export(model, len(signs), name=NAME)
    description = describe(
        name=NAME,
        made_by=f"models/{Path(__file__).name}",
        rows=rows["training"],
        sampling="frame",
        label=label,
        data=[f"the embedded market, seeds {', '.join(f'{seed} ({part})' for part, seed in MARKETS.items())}"],
        parts=parts,
        split="a market of its own seed each; training and validation with their mirror images",
        judged=judge(probabilities(model, test), mirrored, test, simple=probabilities(logistic(mirrored), test)),
        worth=economics(model, test, signs),
        edge=judge_edge(model, test, signs),
        apart=check_export(graph, model, join(parts["validation"], test)),
    )
    bundle = write_bundle(out, description, {"model.onnx": graph}, replace=True)
    report(description)
    print(f"  hash {bundle.hash}")


if __name__ == "__main__":
    main()
