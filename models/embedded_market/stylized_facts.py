"""The embedded market beside the recordings: ``python models/embedded_market/stylized_facts.py --data FOLDER``.

Draws docs/images/market_facts.png and writes the table in docs/market.md. Needs matplotlib, which vtframe does not.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from recording import REGIMES, read
from series import DEPTH, Series, recorded, simulated

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1200.0
SEEDS = tuple(range(1, 9))  # one seed may lie outside what the others span: the table shows all of them
HORIZONS_MS = np.array([50, 100, 200, 500, 1000, 2000, 5000, 10000])
STYLES = {"busy": ("#c2410c", "busy (2024)"), "calm": ("#1d4ed8", "calm (2023)")}


def mids(series: Series, times: NDArray[np.float64]) -> NDArray[np.float64]:
    at = series.at(times)
    return np.asarray((series.bid[at] + series.ask[at]) / 2)


def signature(series: Series) -> NDArray[np.float64]:
    """Volatility by horizon: root mean square of mid changes, over the root of the horizon; ticks per root second."""
    result = []
    for horizon in HORIZONS_MS:
        change = np.diff(mids(series, np.arange(series.ts[0], series.ts[-1], horizon)))
        result.append(np.sqrt(np.mean(change**2) / (horizon / 1000)))
    return np.array(result)


def after_imbalance(
    series: Series, *, horizon_ms: float = 1000.0, bins: int = 8
) -> tuple[NDArray[Any], NDArray[Any], float, float]:
    """Mean sign of the next mid change within the horizon, by best-level imbalance; the correlation; how often the
    imbalance's sign is the move's, where there is a move."""
    times = np.arange(series.ts[0], series.ts[-1] - horizon_ms, 50.0)
    at = series.at(times)
    bid, ask = series.bid_lots[at], series.ask_lots[at]
    imbalance = (bid - ask) / (bid + ask)
    mid = (series.bid + series.ask) / 2
    change = np.sign(mid[series.at(times + horizon_ms)] - mid[at])
    edges = np.linspace(-1, 1, bins + 1)
    where = np.clip(np.digitize(imbalance, edges) - 1, 0, bins - 1)
    mean = np.array([change[where == index].mean() if (where == index).any() else np.nan for index in range(bins)])
    moved = change != 0
    hit = float(np.mean(np.sign(imbalance[moved]) == change[moved]))
    return (edges[1:] + edges[:-1]) / 2, mean, float(np.corrcoef(imbalance, change)[0, 1]), hit


def facts(series: Series) -> dict[str, float]:
    """The table's rows; every key says its unit."""
    sigma = signature(series)
    _, _, correlation, hit = after_imbalance(series)
    grid = mids(series, np.arange(series.ts[0], series.ts[-1], 50.0))
    quotes = np.diff(series.ts)
    return {
        "spread of one tick, % of 50 ms frames": 100 * float(np.mean(series.spread == 1)),
        "best queue, median, BTC": float(np.median(series.depth[:, 0])) / 1000,
        "best queue, mean, BTC": float(np.mean(series.depth[:, 0])) / 1000,
        "levels 2-10 behind the best, mean, BTC": float(np.mean(series.depth[:, 1:10])) / 1000,
        "levels 2-10 that hold orders, %": 100 * float(np.mean(series.depth[:, 1:10] > 0)),
        "changes of the best quotes per s": len(series.ts) / series.seconds,
        "time between them, median, ms": float(np.median(quotes)),
        "market orders per s": len(series.trades) / series.seconds,
        "traded, BTC per s": float(series.traded_lots.sum()) / 1000 / series.seconds,
        "50 ms intervals in which the mid moves, %": 100 * float(np.mean(np.diff(grid) != 0)),
        "volatility at 100 ms, ticks per root s": float(sigma[1]),
        "volatility at 1 s, ticks per root s": float(sigma[4]),
        "volatility at 10 s, ticks per root s": float(sigma[7]),
        "correlation of imbalance and the sign of the next 1 s": correlation,
        "imbalance names the move's side within 1 s, %": 100 * hit,
    }


def table(columns: dict[str, list[dict[str, float]]]) -> str:
    """One row a fact; a column of several series shows their median and, in brackets, the range."""
    names = list(columns)
    rows = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    cells = {fact: [_cell([one[fact] for one in columns[name]]) for name in names] for fact in columns[names[0]][0]}
    return "\n".join([*rows, *(f"| {fact} | {' | '.join(values)} |" for fact, values in cells.items())])


def _cell(values: list[float]) -> str:
    middle = f"{np.median(values):.3g}"
    return middle if len(values) == 1 else f"{middle} [{min(values):.3g}, {max(values):.3g}]"


def _survival(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ordered = np.sort(values)
    keep = np.unique(np.geomspace(1, len(ordered), 400).astype(int)) - 1
    index = len(ordered) - 1 - keep
    return ordered[index], (len(ordered) - index) / len(ordered)


def draw(pairs: dict[str, tuple[list[Series], list[Series]]], path: Path) -> None:
    """Six panels: dots are recorded, lines are simulated, one for each seed."""
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True})
    plt.rcParams.update(
        {"grid.color": "#e5e7eb", "axes.edgecolor": "#9ca3af", "axes.titleweight": "bold", "axes.titlesize": 10}
    )
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.6), constrained_layout=True)
    for regime, both in pairs.items():
        color, label = STYLES[regime]
        shown = [
            (series, real, number) for real, many in zip((True, False), both, strict=True) for number, series in enumerate(many)
        ]
        for series, real, number in shown:
            name = f"{label}, {'recorded' if real else f'simulated, {len(SEEDS)} seeds'}"
            look: dict[str, Any] = {"color": color, "label": None if number else name}
            look |= {"marker": "o", "ms": 4.5, "ls": "none", "zorder": 3} if real else {"lw": 0.9, "alpha": 0.55}
            widths = np.array([1, 2, 3, 5, 10, 20])
            axes[0, 0].plot(widths, [max(1e-6, np.mean(series.spread >= width)) for width in widths], **look)
            axes[0, 1].plot(np.arange(1, DEPTH + 1), series.depth.mean(axis=0) / 1000, **look)
            quantity, share = _survival(series.depth[:, 0] / 1000)
            axes[0, 2].plot(quantity[:: 12 if real else 1], share[:: 12 if real else 1], **look)
            gaps, share = _survival(np.diff(series.ts)[np.diff(series.ts) > 0])
            axes[1, 0].plot(gaps[:: 12 if real else 1], share[:: 12 if real else 1], **look)
            where, mean, _, _ = after_imbalance(series)
            axes[1, 1].plot(where, mean, **look)
            axes[1, 2].plot(HORIZONS_MS / 1000, signature(series), **look)
    for axis, title, x, y, scales in (
        (axes[0, 0], "Spread", "at least so many ticks", "share of 50 ms frames", ("log", "log")),
        (axes[0, 1], "Depth by level", "ticks from the best, 1 = best", "mean quantity, BTC", ("linear", "log")),
        (axes[0, 2], "Best queue", "quantity, BTC", "share of frames above", ("log", "log")),
        (axes[1, 0], "Time between changes of the best quotes", "ms", "share of gaps above", ("log", "log")),
        (
            axes[1, 1],
            "Signed return after imbalance",
            "imbalance of the best queues",
            "mean sign of the next 1 s",
            ("linear", "linear"),
        ),
        (axes[1, 2], "Volatility signature", "horizon, s", "ticks per root second", ("log", "log")),
    ):
        axis.set(title=title, xlabel=x, ylabel=y, xscale=scales[0], yscale=scales[1])
    axes[0, 0].set_ylim(5e-5, 1.5)
    axes[0, 2].set_ylim(1e-3, 1.3)
    axes[0, 2].set_xlim(1e-2, 100)
    axes[1, 0].set_ylim(1e-4, 1.3)
    axes[1, 0].set_xlim(0.1, 1000)
    axes[1, 1].axhline(0, color="#9ca3af", lw=0.8)
    axes[1, 2].set_ylim(3, 300)
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds binance/")
    arguments = parser.parse_args()
    pairs = {
        regime: ([recorded(read(arguments.data, names))], [simulated(regime, seconds=SECONDS, seed=seed) for seed in SEEDS])
        for regime, names in REGIMES.items()
    }
    columns = {
        f"{regime}, {kind}": [facts(series) for series in many]
        for regime, both in pairs.items()
        for kind, many in zip(("recorded", "simulated"), both, strict=True)
    }
    text = table(columns)
    print(text)
    draw(pairs, ROOT / "docs" / "images" / "market_facts.png")
    page = ROOT / "docs" / "market.md"
    marked = re.compile(r"(<!-- facts -->\n).*?(<!-- /facts -->)", re.DOTALL)
    page.write_text(marked.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page.read_text()))


if __name__ == "__main__":
    main()
