"""Bench of a trading session in real time: a frame in the process's hands to its order's frame handed to the socket, while
5,000 recorded frames come a second; beside a notebook's way at the same pace, and the jitter of a loop that does nothing."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import tomli_w

from vtframe.api import BundleInfo, InputFeature
from vtframe.assemble.own_venue import own_venue
from vtframe.assemble.session import Wishes, assemble
from vtframe.builtin import PLUGINS
from vtframe.cli.bench.feature_sets import twelve_features
from vtframe.cli.bench.fused import network_bundle
from vtframe.cli.bench.material import Material
from vtframe.cli.bench.naive import Naive
from vtframe.cli.bench.rows import Row, time_row
from vtframe.errors import InvariantError
from vtframe.features.pipeline import Pipeline

_PARTS: Final = (*PLUGINS, "vtframe.cli.bench.load_parts")
_PER_S: Final = 5_000
_IDLE: Final = 4_000  # turns of the loop that does nothing
_RISK: Final = (
    {"use": "stale_prediction", "max_age_ms": 10_000},
    {"use": "max_order_notional", "notional": 1_000_000},
    {"use": "max_position", "notional": 1_000_000},
    {"use": "price_collar", "bps": 1_000},
    {"use": "order_rate", "orders": 100_000},
)
_WAYS: Final = {"fused": ("fused", True), "inline": ("inline", True), "cold": ("fused", False)}  # model's place, keep_warm
_NAIVE: Final = "json, dict book, seven features, onnxruntime, HMAC at the same pace; no risk, journal or socket"

_now = time.perf_counter_ns


def run(recordings: tuple[Path, ...], say: Callable[[str], None]) -> Iterator[Row]:
    """A row for each way to run the model; none where the package onnx, which makes it, is missing, or where the recording is
    not one instrument's of USD-M."""
    if importlib.util.find_spec("onnx") is None:
        say("tick to order is not measured: its model is made with the package onnx, which is not installed")
        return
    material = Material(recordings)
    if [one.venue for one in material.instruments] != ["binance_usdm"]:
        say("tick to order is measured on a recording of one USD-M instrument")
        return
    with tempfile.TemporaryDirectory(prefix="vtframe-tick-") as folder:
        home = Path(folder)
        pipeline = Pipeline(twelve_features(), material.instruments, material.rules)
        bundle = network_bundle(home / "network", pipeline.schema)
        orders: dict[str, list[float]] = {}
        for way in _WAYS:
            with own_venue({}) as url:  # a venue for each: it counts an account's orders, and refuses those that are too many
                orders[way] = _session(home, bundle, way, recordings, url)
            said = f"{len(orders[way]):,} orders to the embedded venue in {len(material.messages) / _PER_S:.0f} s"
            say(f"MLP 12-64-32-3 {way}: {said}, {_PER_S:,} recorded frames a second")
        seven = tuple(InputFeature(use=f"f{k}", label=f"f{k}", columns=(f"f{k}",)) for k in range(7))
        naive = _naive(material, network_bundle(home / "naive", seven))
    cold = orders.pop("cold")
    for where, times in orders.items():
        told = "fused" if where == "fused" else "onnxruntime inline"
        yield time_row(f"live: tick to order, MLP 12-64-32-3 {told}", "us", times, _NAIVE, naive)
        yield _jitter(f"live: jitter of an idle loop, turns as long as {told}", times)
    yield time_row("live: tick to order, MLP 12-64-32-3 fused, keep_warm", "us", orders["fused"], "the same without", cold)


def _session(home: Path, bundle: BundleInfo, way: str, recordings: tuple[Path, ...], url: str) -> list[float]:
    """Microseconds of every order of one session."""
    where, keep_warm = _WAYS[way]
    features = [{"use": one.name, **_settings(one)} for one in twelve_features()]
    lane = {
        "id": "bench",
        "model": "network",
        "strategy": {"use": "bench_seldom"},
        "execution": {"use": "binance", "market": "usdm", "url": url, "existing": "ignore"},
        "capital": 1_000_000,
        "keep_warm": keep_warm,
    }
    feed = {"use": "bench_paced_recording", "paths": [str(path.resolve()) for path in recordings], "messages_per_s": _PER_S}
    data: dict[str, Any] = {
        "vtframe": {"plugins": ["onnx"]},
        "feed": feed,
        "sampling": {"every": "frame"},
        "features": features,
        "models": [{"bundle": str(bundle.path), "where": where, "deadline_us": 10_000_000, "stale_ms": 10_000}],
        "lanes": [lane],
        "risk": list(_RISK),
    }
    config = home / f"{way}.toml"
    config.write_text(tomli_w.dumps(data))
    session = assemble(config, Wishes(folder=home / f"session-{way}", builtin=_PARTS)).session
    stage = session.meters.stage("tick_to_order")
    samples: list[int] = []
    fold = session.meters.fold

    def keep() -> None:
        samples.extend(stage.samples)
        fold()

    session.meters.fold = keep  # type: ignore[method-assign]  # the raw samples, before they become buckets
    report = session.run().report
    if report["orders"].get("filled", 0) < len(samples) - 1 or len(samples) < 10:
        raise InvariantError(f"of {len(samples)} orders the venue filled {report['orders'].get('filled', 0)}")
    return [sample / 1e3 for sample in samples]


def _settings(feature: Any) -> dict[str, Any]:
    """What differs from the defaults, as TOML keys."""
    plain = msgspec.to_builtins(type(feature)())
    return {key: value for key, value in msgspec.to_builtins(feature).items() if value != plain[key]}


def _naive(material: Material, bundle: BundleInfo) -> list[float]:
    """Microseconds from a message to a signed request, for those that made a row; nothing is sent."""
    naive = Naive(material.instruments[0], bundle)
    times: list[float] = []
    began = _now()
    for number, (stored, _) in enumerate(material.messages):
        data = b"%b" % stored  # just written, as a socket leaves it
        while _now() < began + number * 1_000_000_000 // _PER_S:
            pass
        before = _now()
        order = naive.message(data)
        if order is not None:
            text = json.dumps({"id": number, "method": "order.place", "params": order})
            hmac.new(b"secret", text.encode(), hashlib.sha256).hexdigest()
            times.append((_now() - before) / 1e3)
    return times


def _jitter(name: str, times: list[float]) -> Row:
    """Turns of plain Python that take as long as ``times`` do in the median, at 350 a second: what the machine adds."""
    wanted = sorted(times)[len(times) // 2] * 1e3
    steps, spent = 64, 0
    while spent < wanted:
        steps *= 2
        spent = min(_turn(steps) for _ in range(5))
    steps = max(1, int(steps * wanted / spent))
    found: list[float] = []
    began = _now()
    for number in range(_IDLE):
        while _now() < began + number * 2_857_143:
            pass
        found.append(_turn(steps) / 1e3)
    return time_row(name, "us", found)


def _turn(steps: int) -> int:
    before = _now()
    total = 0
    for step in range(steps):
        total += step
    return _now() - before
