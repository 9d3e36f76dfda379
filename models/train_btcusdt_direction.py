"""Makes models/btcusdt_direction: the direction of USD-M BTCUSDT's mid, from recorded frames.

    python models/train_btcusdt_direction.py --data FOLDER

FOLDER (else $VTFRAME_DATA) has binance/usdm_btcusdt_20240808.gz, one of hftbacktest's examples. Five minutes of one market
on one day: this shows how a model is made and judged, not that it earns money.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
from dataset import collect, join, label_rows, mirror, split_by_time
from features import configured_features, mirror_signs
from training import (
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
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.recorded.feed import RecordedFeed
from vtframe.inference.bundle import write_bundle

NAME = "btcusdt_direction"
SEED = 20240808
HORIZON_ROWS = 20
THRESHOLD_BPS = 0.0  # half of the rows end where they began: any move counts
RECORDING = "binance/usdm_btcusdt_20240808.gz"


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), default=os.environ.get("VTFRAME_DATA"))
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parent / NAME, show_default=True)
def main(*, data: Path | None, out: Path) -> None:
    """Train, judge and export the model; replaces the bundle at --out."""
    if data is None:
        raise click.UsageError("say where the recorded data is: --data FOLDER, or set VTFRAME_DATA")

    feed = RecordedFeed(paths=(str(data.resolve() / RECORDING),))
    rows = collect(feed, configured_features(), sampling=Sampling(), codecs={BinanceCodec.name: BinanceCodec})
    signs = mirror_signs(rows.schema)
    label = Label(horizon_rows=HORIZON_ROWS, threshold_bps=THRESHOLD_BPS)
    training, validation, test = split_by_time(label_rows(rows, label), (0.58, 0.12, 0.30), embargo=HORIZON_ROWS)
    mirrored = mirror(training, signs)
    model = train(mirrored, mirror(validation, signs), seed=SEED)
    graph = export(model, len(signs), name=NAME)
    description = describe(
        name=NAME,
        made_by=f"models/{Path(__file__).name}",
        rows=rows,
        sampling="frame",
        label=label,
        data=[f"recorded USD-M BTCUSDT, {RECORDING} of hftbacktest's examples (MIT)"],
        parts={"training": training, "validation": validation, "test": test},
        split=(
            f"by time, 58% training, 12% validation, 30% test, {HORIZON_ROWS} rows between them left out; training and "
            "validation with their mirror images"
        ),
        judged=judge(probabilities(model, test), mirrored, test, simple=probabilities(logistic(mirrored), test)),
        worth=economics(model, test, signs),
        edge=judge_edge(model, test, signs),
        apart=check_export(graph, model, join(training, test)),
    )
    bundle = write_bundle(out, description, {"model.onnx": graph}, replace=True)
    report(description)
    print(f"  hash {bundle.hash}")


if __name__ == "__main__":
    main()
