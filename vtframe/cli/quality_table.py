"""How right the models of a session were, and what was found to drift: the tables of a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_CLASSES = (("accuracy", True), ("macro_f1", True), ("log_loss", False))  # True: more is better
_VALUES = (("mae", False), ("rmse", False))
_SHOWN = 4  # columns of a drift rule, worst first

Scores = Mapping[str, Any]


def table_of(title: str, *columns: str) -> Table:
    """An empty table in the look of the summary."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column(title, header_style="bold", min_width=22)
    for column in columns:
        table.add_column(column, justify="right", header_style="dim", min_width=7)
    return table


def quality_tables(quality: Mapping[str, Mapping[str, Scores]]) -> Iterator[Table]:
    """A table of the models that name classes, and one of those that say how far the mid moves."""
    scored = [(model, horizon, scores) for model, horizons in quality.items() for horizon, scores in horizons.items()]
    classes = [one for one in scored if "accuracy" in one[2]]
    values = [one for one in scored if "mae" in one[2]]
    if classes:
        table = table_of("Prediction quality", "scored", "accuracy", "macro-F1", "log loss", "IC")
        for model, horizon, scores in classes:
            _add(table, _title(model, horizon), scores, _CLASSES, beside="majority class")
            _add_versions(table, scores, _CLASSES)
            for kind, regimes in scores.get("regimes", {}).items():
                there = {name: part for name, part in regimes.items() if part["count"]}
                for name, part in there.items() if len(there) > 1 else ():
                    cells = (_better(part, part["baseline"], key, higher=higher) for key, higher in _CLASSES)
                    count, information = f"{part['count']:,}", part["information_coefficient"]
                    table.add_row(Text(f"  {name} {kind}", "dim"), count, *cells, _score(information))
        yield table
    if values:
        table = table_of("Predicted moves, bps", "scored", "MAE", "RMSE", "IC")
        for model, horizon, scores in values:
            _add(table, _title(model, horizon), scores, _VALUES, beside="always 0")
            _add_versions(table, scores, _VALUES)
        yield table


def drift_table(drift: Mapping[str, Any]) -> Table:
    """Each rule in each instrument: its answer, and the values that matter most."""
    table = table_of("Drift", "now", "most", "judged", "answer")
    for rule in drift["rules"]:
        for instrument, found in rule["instruments"].items():
            answer = Text(found["answer"], "green" if found["answer"] == "none" else "bold yellow")
            title = f"{rule['measure']} of {rule['watch']}, {rule['model']}, {instrument}"
            if isinstance(found["most"], Mapping):
                table.add_row(title, "", "", f"{found['judged']:,}", answer)
                worst = sorted(found["most"], key=lambda name: -found["most"][name])[:_SHOWN]
                for name in worst:
                    table.add_row(Text(f"  {name}", "dim"), _score(found["now"][name]), _score(found["most"][name]), "", "")
            else:
                table.add_row(title, _score(found["now"]), _score(found["most"]), f"{found['judged']:,}", answer)
    if not table.row_count:
        table.add_row("nothing was judged")
    return table


def _add(table: Table, title: str, scores: Scores, measures: tuple[tuple[str, bool], ...], *, beside: str) -> None:
    """A model, what a constant would have had, and what the bundle says of itself."""
    baseline, stated = scores["baseline"], scores.get("out_of_sample", {})
    cells = (_better(scores, baseline, key, higher=higher) for key, higher in measures)
    table.add_row(title, f"{scores['count']:,}", *cells, _score(scores["information_coefficient"]))
    table.add_row(Text(f"  {beside}", "dim"), "", *(Text(_score(baseline[key]), "dim") for key, _ in measures), "")
    if stated and "versions" not in scores:
        said = (Text(_score(stated.get(key)), "dim") for key, _ in measures)
        table.add_row(Text("  out of sample, as the bundle says", "dim"), "", *said, "")


def _add_versions(table: Table, scores: Scores, measures: tuple[tuple[str, bool], ...]) -> None:
    """Those that answered, where the model was swapped, each beside what its own bundle says."""
    for version, found in scores.get("versions", {}).items():
        cells = (_better(found, found["baseline"], key, higher=higher) for key, higher in measures)
        title = Text(f"  version {version[:12]}")
        table.add_row(title, f"{found['count']:,}", *cells, _score(found["information_coefficient"]))
        said = (Text(_score(found["out_of_sample"].get(key)), "dim") for key, _ in measures)
        table.add_row(Text("    out of sample, as its bundle says", "dim"), "", *said, "")


def _title(model: str, horizon: str) -> str:
    return f"{model}, {horizon} rows" if horizon.isdigit() else f"{model}, {horizon}"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _better(scores: Scores, baseline: Scores, key: str, *, higher: bool) -> Text:
    """Green where it beats the baseline, red where it does not."""
    value, other = scores[key], baseline[key]
    if value is None or other is None:
        return Text("-")
    return Text(_score(value), "green" if (value > other) is higher and value != other else "red")
