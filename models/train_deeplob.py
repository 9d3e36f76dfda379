"""Makes models/deeplob: a CNN-LSTM on the last 100 rows of ten levels, from recorded USD-M BTCUSDT frames.

    python models/train_deeplob.py --data FOLDER

FOLDER (else $VTFRAME_DATA) has binance/usdm_btcusdt_20240808.gz, one of hftbacktest's examples. A few minutes of one market and
a few epochs: this shows how a sequence model comes into a bundle, not that it earns money.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click
import numpy as np
import torch
from deeplob import WINDOW, DeepLOB
from numpy.typing import NDArray

from vtframe.api import ModelBackend
from vtframe.assemble.data_set import DataSetRun, DataSetWishes
from vtframe.cli.model_backends import backend_class
from vtframe.dataset.labels import LabelRule
from vtframe.inference.importing.make_bundle import make_bundle
from vtframe.inference.importing.rows import RowSet, read_rows
from vtframe.inference.importing.source import identify
from vtframe.inference.importing.wishes import ImportWishes

HERE = Path(__file__).parent
CONFIG = HERE / "deeplob.toml"
RECORDING = "binance/usdm_btcusdt_20240808.gz"
SEED = 20240808
HORIZON_ROWS = 20
SEEN = 0.6  # of the labeled rows; of the rest the first half calibrates, the second judges
BATCH = 64


def rows_of(data: Path, folder: Path) -> RowSet:
    """The recording's rows with their labels, as `vtframe features` makes them."""
    out = folder / "rows.parquet"
    run = DataSetRun(
        DataSetWishes(
            config=CONFIG,
            out=out,
            recordings=(data / RECORDING,),
            label=LabelRule(kind="mid_direction", horizon_rows=HORIZON_ROWS),
        )
    )
    with run.work:
        run.make_rows()
        run.write()
    return read_rows(out)


def mirror(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The market with its sides exchanged, where up is down: the trend of a few minutes is not to be learnt."""
    levels = rows.reshape(*rows.shape[:-1], -1, 4)[..., [2, 3, 0, 1]] * np.array([-1, 1, -1, 1], np.float32)
    return levels.reshape(rows.shape)


def train(rows: RowSet, *, epochs: int) -> DeepLOB:
    """Fit on the first windows by time, less those whose label reaches beyond them."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    labels = rows.labels
    if labels is None:
        raise SystemExit("the rows have no labels")
    usable = rows.usable(WINDOW)
    labeled = usable[labels.there[usable]]
    seen = labeled[: int(len(labeled) * SEEN) - HORIZON_ROWS]
    model = DeepLOB()
    early = rows.values[: seen[-1] + 1][rows.valid[: seen[-1] + 1]]
    model.fit_scale(torch.from_numpy(np.concatenate([early, mirror(early)])))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    targets = labels.direction.astype(np.int64) + 1
    order = np.random.default_rng(SEED)
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for chosen in np.array_split(order.permutation(seen), len(seen) // BATCH):
            windows, target = rows.windows(chosen, WINDOW), targets[chosen]
            turned = order.random(len(chosen)) < 0.5
            windows[turned], target[turned] = mirror(windows[turned]), 2 - target[turned]
            loss = torch.nn.functional.cross_entropy(model.scores(torch.from_numpy(windows)), torch.from_numpy(target))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(chosen)
        print(f"  epoch {epoch + 1}: training log loss {total / len(seen):.4f} on {len(seen)} windows", flush=True)
    return model.eval()


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), default=os.environ.get("VTFRAME_DATA"))
@click.option("--out", type=click.Path(path_type=Path), default=HERE / "deeplob", show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True)
def main(*, data: Path | None, out: Path, epochs: int) -> None:
    """Train, convert, compare, calibrate and judge; replaces the bundle at --out."""
    if data is None:
        raise click.UsageError("say where the recorded data is: --data FOLDER, or set VTFRAME_DATA")

    def backend(name: str) -> ModelBackend:
        return backend_class(name, None)()

    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(data.resolve(), Path(folder))
        weights = Path(folder) / "weights.pt"
        torch.save(train(rows, epochs=epochs).state_dict(), weights)
        wishes = ImportWishes(
            source=identify(f"{HERE / 'deeplob.py'}:DeepLOB"),
            name=out.name,
            window=WINDOW,
            outputs=(("down", "flat", "up"),),
            weights=weights,
            unseen=1 - SEEN,
            calibrate="temperature",
        )
        bundle = make_bundle(wishes, rows, out, backend, replace=True).bundle
    for name, value in bundle.metrics.items():
        print(f"  {name:18} {value:8.4f}  {bundle.baselines.get(name, '')}")
    print(f"  hash {bundle.hash}")


if __name__ == "__main__":
    main()
