"""A backend whose model does what a row's first number says: the well-behaved, and everything that goes wrong in the field.

Loaded as a local plugin, in the tests' process and in workers.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from vtframe.api import BundleError, BundleInfo, Model, ModelBackend

ECHO, RAISE, NAN, SHAPE, KILL, HANG, BOMB, SEGFAULT, SLOW, EXIT, LEAK = range(11)


class ScriptedModel:
    """Answers (sum, last number, rows in the batch) of each window."""

    def __init__(self, sleep_ms: float) -> None:
        self.sleep_ms = sleep_ms
        self.hoard: list[Any] = []

    def predict(self, batch: np.ndarray) -> np.ndarray:
        if self.sleep_ms:
            time.sleep(self.sleep_ms / 1_000)
        answers = np.empty((len(batch), 3), np.float32)
        answers[:, 0] = batch.sum(axis=(1, 2))
        answers[:, 1] = batch[:, -1, -1]
        answers[:, 2] = len(batch)
        for command in batch[:, -1, 0].astype(int).tolist():
            match command:
                case 1:
                    raise RuntimeError("as it was told")
                case 2:
                    answers[:, 1] = np.nan
                case 3:
                    return answers[:, :2]
                case 4:
                    os.kill(os.getpid(), signal.SIGKILL)
                case 5:
                    time.sleep(3_600)
                case 6:
                    while True:
                        self.hoard.append(np.ones(4_000_000))
                        time.sleep(0.001)
                case 7:
                    ctypes.string_at(1)
                case 8:
                    time.sleep(0.05)
                case 9:
                    os._exit(3)
                case 10:
                    self.hoard.append(np.ones(1_000_000))
        return answers

    def close(self) -> None:
        self.hoard.clear()


class OddModel(ScriptedModel):
    """Answers right, in another way than asked: ``double`` numbers, a ``list``, ``locked``, in ``columns``; or ``narrow``."""

    def __init__(self, way: str) -> None:
        super().__init__(0.0)
        self.way = way

    def predict(self, batch: np.ndarray) -> Any:
        answers = super().predict(batch)
        match self.way:
            case "double":
                return answers.astype(np.float64)
            case "list":
                return answers.tolist()
            case "locked":
                answers.flags.writeable = False
            case "columns":
                return np.asfortranarray(answers)
            case "narrow":
                return answers[:, :2]
        return answers


class ScriptedBackend(ModelBackend):
    """Opens any file; what it says may be the way of an ``OddModel``."""

    name = "scripted"
    suffixes = (".txt",)

    sleep_ms: Annotated[float, Meta(ge=0)] = 0.0

    def open(self, bundle: BundleInfo) -> Model:
        if (bundle.path / bundle.file).read_text() == "broken":
            raise BundleError(str(bundle.path / bundle.file), "is broken", "write something else into it")
        if (way := (bundle.path / bundle.file).read_text()) in {"double", "list", "locked", "columns", "narrow"}:
            return OddModel(way)
        return ScriptedModel(self.sleep_ms)


class SteadyModel(ScriptedModel):
    """Answers probabilities that depend on the row, whatever it says."""

    def predict(self, batch: np.ndarray) -> np.ndarray:
        if self.sleep_ms:
            time.sleep(self.sleep_ms / 1_000)
        powers = np.exp(np.tanh(batch[:, -1, :3].astype(np.float64)))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


class SteadyBackend(ScriptedBackend):
    """Opens any file, for sessions on real rows."""

    name = "steady"

    def open(self, bundle: BundleInfo) -> Model:
        return SteadyModel(self.sleep_ms)


class TroubledModel(SteadyModel):
    """Answers as a steady one does but for some calls in every life: nan, another shape, an exception. Its lives end in turn:
    by taking ever more memory, by a segmentation fault, by leaving."""

    def __init__(self, sleep_ms: float, life: int) -> None:
        super().__init__(sleep_ms)
        self.life = life
        self.calls = 0

    def predict(self, batch: np.ndarray) -> np.ndarray:
        answers = super().predict(batch)
        if not batch.any():  # a worker's calls for nothing, before its first row
            return answers
        self.calls += 1
        match self.calls:
            case 3:
                answers[:, 0] = np.nan
            case 5:
                return answers[:, :2]
            case 7:
                raise RuntimeError("as it was told")
            case 9 if self.life % 3 == 0:
                while True:
                    self.hoard.append(np.ones(1_000_000))
                    time.sleep(0.01)
            case 9 if self.life % 3 == 1:
                ctypes.string_at(1)
            case 9:
                os._exit(3)
        return answers


class TroubledBackend(ScriptedBackend):
    """Opens any file; ``lives`` is where lives are counted."""

    name = "troubled"

    lives: str = ""

    def open(self, bundle: BundleInfo) -> Model:
        with Path(self.lives).open("a+") as file:
            file.write("x")
            file.flush()
            return TroubledModel(self.sleep_ms, file.tell() - 1)
