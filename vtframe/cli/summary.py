"""A session's report for people: what happened, how fast, how right, and what it cost. Fits 80 columns, looks best on 100."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vtframe.cli.quality_table import drift_table, quality_tables, table_of

_COUNTS = (
    ("frames", "events", "gaps", "resyncs"),
    ("rows", "predictions", "late", "stale"),
    ("intents", "orders", "fills", "denied"),
)
_PLACES = 3  # of damage that are shown; report.json has more
_MORE = ("conflated", "invalid", "failed", "overrun", "pending")


def print_summary(report: Mapping[str, Any], folder: Path, console: Console) -> None:
    """Print ``report`` (as engine.report makes it) and where the session's files are."""
    if not console.is_terminal:
        console.width = max(console.width, 100)  # a pipe has no width of its own, and rich takes 80
    console.print(summary(report))
    console.print(Text.assemble(("session folder  ", "dim"), str(folder)), soft_wrap=True)  # a path must not be cut


def summary(report: Mapping[str, Any]) -> RenderableType:
    """What there is to say of a session, table by table."""
    parts: list[RenderableType] = [_head(report), _counts(report), _latency(report)]
    parts += quality_tables(report["quality"])
    if report.get("drift"):
        parts.append(drift_table(report["drift"]))
    parts.append(_money(report))
    if report["denials"]:
        parts.append(_denials(report["denials"]))
    if notes := _notes(report):
        parts.append(notes)
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _head(report: Mapping[str, Any]) -> Text:
    session = report["session"]
    wall, speed = session["wall_seconds"], session["events_per_second"]
    line = Text.assemble(("Session ", "bold"), (session["id"], "bold cyan"), "  ")
    line.append(session["reason"], "green" if session["orderly"] and not session["reason"].startswith("failed") else "bold red")
    line.append("   " + ", ".join(session["instruments"][:3]) + (" ..." if len(session["instruments"]) > 3 else ""), "dim")
    facts = [session["started"].replace("T", " ").replace("+00:00", " UTC")]
    if wall is not None:
        facts.append(f"{wall:,.1f} s")
    if speed is not None:
        facts.append(f"{speed:,.0f} events/s")
    if report.get("first_prediction_at_ns") is not None:
        after = (report["first_prediction_at_ns"] - report["session"]["started_ns"]) / 1e9
        facts.append(f"first prediction after {after:.2f} s")
    line.append("\n" + "  ".join(facts), "dim")
    return line


def _counts(report: Mapping[str, Any]) -> Table:
    counts = {**report["counts"], "denied": sum(report["denials"].values())}
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(style="dim")
        table.add_column(justify="right", min_width=6)
    for names in _COUNTS:
        table.add_row(*(cell for name in names for cell in (name, _number(counts.get(name)))))
    if any(counts.get(name) for name in _MORE):
        table.add_row(*(cell for name in _MORE for cell in (name, _number(counts.get(name)))))
    return table


def _latency(report: Mapping[str, Any]) -> Table:
    table = table_of("Latency, us", "p50", "p99", "p99.9", "max", "samples")
    stages = {name.replace("_", " "): values for name, values in report["latency_ns"].items()}
    for name, values in (*stages.items(), ("prediction age", report["prediction_age_ns"])):
        if values["count"]:
            times = (_microseconds(values[key]) for key in ("p50", "p99", "p999", "max"))
            table.add_row(name, *times, _number(values["count"]), style="bold" if name == "tick to order" else "")
    if not table.row_count:
        table.add_row("nothing was measured")
    return table


def _money(report: Mapping[str, Any]) -> Table:
    unrealized = report.get("unrealized") or {}
    table = table_of("Profit and loss, realized", "gross", "fees", "net", *(["still held, at mid"] if unrealized else []))
    for currency, money in report["pnl"].items():
        net = money["net"]
        color = "green" if net > 0 else "red" if net < 0 else ""
        open_profit = [_amount(float(unrealized.get(currency, 0)))] if unrealized else []
        table.add_row(currency, _amount(money["gross"]), _amount(money["fees"]), Text(_amount(net), color), *open_profit)
    if not table.row_count:
        table.add_row("no instrument")
    lanes = report["lanes"]
    for lane, values in lanes.items():
        for currency, money in values["pnl"].items() if len(lanes) > 1 else ():
            amounts = (Text(_amount(money[key]), "dim") for key in ("gross", "fees", "net"))
            table.add_row(Text(f"  lane {lane}, {currency}", "dim"), *amounts)
    return table


def _denials(denials: Mapping[str, int]) -> Table:
    table = table_of("Orders denied by", "orders")
    for policy, count in denials.items():
        table.add_row(policy, _number(count))
    return table


def _notes(report: Mapping[str, Any]) -> Table | None:
    """What a person should know of: open positions, damage, parts that were left out."""
    notes: list[tuple[str, str]] = [("warning", text) for text in report["warnings"]]
    torn = report.get("journal", {}).get("torn")
    if torn:
        notes.append(("journal", f"torn tail of {torn['file']} cut at byte {torn['offset']}, {torn['dropped']} bytes dropped"))
    for lane, values in report["lanes"].items():
        if values["problem"]:
            notes.append(("lane failed", f"{lane}: {values['problem']}"))
        if values["positions"]:
            held = ", ".join(f"{quantity} {name}" for name, quantity in values["positions"].items())
            notes.append(("still held", f"{lane}: {held} (not in the realized profit)"))
    if report["orders"]["open"]:
        notes.append(("open orders", _number(report["orders"]["open"])))
    notes += [("damage at", place) for place in report.get("damaged_at", [])[:_PLACES]]
    titles = (("damage", "damage"), ("messages left aside", "unknown_frames"), ("read the slow way", "codec_fallbacks"))
    for title, key in titles:
        if report.get(key):
            notes.append((title, ", ".join(f"{name} {count:,}" for name, count in report[key].items())))
    notes += [("sink left out", f"{name}: {reason}") for name, reason in report["sinks_failed"].items()]
    row_log = report.get("row_log", {})
    if row_log.get("lost"):
        notes.append(("rows lost", _number(row_log["lost"])))
    if not notes:
        return None
    table = Table.grid(padding=(0, 2))
    table.add_column(style="yellow", no_wrap=True)
    table.add_column(overflow="fold")
    for note in notes:
        table.add_row(note[0], Text(note[1]))
    return table


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _microseconds(ns: int) -> str:
    value = ns / 1000
    return f"{value:,.1f}" if value < 10_000 else f"{value:,.0f}"


def _amount(value: float) -> str:
    """Money with the digits that matter: coins have eight, dollars two."""
    return f"{value:,.2f}" if abs(value) >= 100 or not value else f"{value:,.4f}" if abs(value) >= 0.01 else f"{value:.8f}"
