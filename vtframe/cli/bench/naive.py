"""The path from message to order as a notebook's author writes it: json, plain Python, NumPy, ONNX Runtime."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from vtframe.api import BundleInfo
from vtframe.cli.bench.plain import Frame, PlainPipeline
from vtframe.domain import EventFlag, EventKind, FrameKind, Instrument


class Naive:
    """``message(bytes)`` returns an order (a dictionary of what would be sent) or None."""

    def __init__(self, instrument: Instrument, bundle: BundleInfo) -> None:
        import onnxruntime  # noqa: PLC0415 - only this bench needs it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(bundle.path / bundle.file), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._instrument = instrument
        self._pipeline = PlainPipeline(instrument, deep=True)
        self._price = 10**instrument.price_decimals
        self._quantity = 10**instrument.quantity_decimals
        self._side = 1

    def message(self, data: bytes) -> dict[str, Any] | None:
        body = json.loads(data)
        frame = self._frame(body.get("data", body))
        row = self._pipeline.frame(frame) if frame is not None else None
        if row is None:
            return None
        probabilities = self._session.run(None, {self._input: np.array([row], np.float32)})[0][0]
        self._side = -self._side  # the bench's strategy: another side on every row
        side = "BUY" if self._side > 0 else "SELL"
        return {"symbol": self._instrument.symbol, "side": side, "quantity": 0.1, "confidence": float(max(probabilities))}

    def _frame(self, body: dict[str, Any]) -> Frame | None:
        if "lastUpdateId" in body:
            clear = [(int(EventKind.BOOK_CLEAR), 0, int(EventFlag.SNAPSHOT), 0, 0)]
            return int(FrameKind.SNAPSHOT), clear + self._levels(body["bids"], 1) + self._levels(body["asks"], -1)
        if body.get("e") == "depthUpdate":
            return int(FrameKind.DEPTH), self._levels(body["b"], 1) + self._levels(body["a"], -1)
        if body.get("e") == "trade":
            side = -1 if body["m"] else 1
            price, quantity = round(float(body["p"]) * self._price), round(float(body["q"]) * self._quantity)
            return int(FrameKind.TRADE), [(int(EventKind.TRADE), side, 0, price, quantity)]
        return None

    def _levels(self, levels: list[list[str]], side: int) -> list[tuple[int, int, int, int, int]]:
        kind, price, quantity = int(EventKind.BOOK_DELTA), self._price, self._quantity
        return [(kind, side, 0, round(float(p) * price), round(float(q) * quantity)) for p, q in levels]
