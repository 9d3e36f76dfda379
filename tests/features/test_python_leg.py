"""With compilation switched off the same generated source runs as Python: rows agree within 1e-12, nan with nan."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

RUN = """
import sys
import numpy as np
from vtframe.builtin.binance.codec import BinanceCodec
from vtframe.builtin.features import (
    BookImbalance, MicroPrice, MicroSpread, OrderFlowImbalance, RollingVolatility, TradeImbalance,
)
from vtframe.domain import Records
from vtframe.features import Pipeline

features = [BookImbalance(levels=5), MicroSpread(), MicroPrice(), RollingVolatility(window=9),
            OrderFlowImbalance(window=5), TradeImbalance(window=7)]
raw = [line.split(b" ", 1) for line in open(sys.argv[1], "rb")]
instruments = list(BinanceCodec.recognize(message for _, message in raw))
codec, records = BinanceCodec(), Records()
codec.open(instruments)
for number, (received, message) in enumerate(raw):
    first = records.n_frames
    codec.decode(message, records)
    records.stamp(number=number, ts_recv=int(received), first_frame=first)
pipeline = Pipeline(features, instruments, [codec.sequence_rule(0)], dtype="float64")
batches = list(pipeline.batch(records.frames[: records.n_frames], records.events[: records.n_events]))
np.savez(sys.argv[2], meta=np.concatenate([b.meta for b in batches]), values=np.concatenate([b.values for b in batches]))
"""


def run(script: Path, sample: Path, out: Path, **environment: str) -> tuple[np.ndarray, np.ndarray]:
    answer = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(sample), str(out)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    with np.load(out) as arrays:
        return arrays["meta"], arrays["values"]


def test_the_generated_source_run_as_python_gives_the_same_rows(data: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample"
    with gzip.open(data / "binance" / "usdm_btcusdt_20240808.gz") as lines:
        sample.write_bytes(b"".join(next(lines) for _ in range(1500)))
    script = tmp_path / "rows.py"
    script.write_text(RUN)
    meta, values = run(script, sample, tmp_path / "compiled.npz")
    python_meta, python_values = run(script, sample, tmp_path / "python.npz", NUMBA_DISABLE_JIT="1")
    assert len(values) > 50
    assert meta["valid"].sum() > 40
    assert meta.tolist() == python_meta.tolist()
    np.testing.assert_allclose(python_values, values, rtol=1e-12, atol=0.0, equal_nan=True)
    assert (np.isnan(values) == np.isnan(python_values)).all()
