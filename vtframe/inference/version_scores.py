"""Scores of a model over a whole session, and of each of its versions where it was swapped: beside its own bundle's figures."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtframe.api import BundleInfo
from vtframe.inference.scores import Losses, Scores
from vtframe.inference.value_scores import ValueScores


class VersionScores:
    """Takes the predictions of every version. ``labels`` are None where the model's one output is the move itself.

    Versions are kept apart from the second one on; memory is then about a megabyte more for each.
    """

    def __init__(self, bundle: BundleInfo, *, of_classes: bool) -> None:
        self._bundles = {bundle.hash: bundle}
        self._first = self._newest = bundle.hash
        self._of_classes = of_classes
        self._all = self._scores(bundle)
        self._apart: dict[str, Scores | ValueScores] = {}

    def know(self, bundle: BundleInfo) -> None:
        """It may answer from now on. From any thread."""
        self._bundles[bundle.hash] = bundle

    def bundle(self, version: str) -> BundleInfo:
        """By its hash; the first one for a hash that nobody told."""
        return self._bundles.get(version) or self._bundles[self._first]

    def add(
        self,
        version: str,
        outputs: NDArray[Any],
        labels: NDArray[np.int8] | None,
        moves_bps: NDArray[np.float64],
    ) -> Losses | None:
        """Predictions of one version, ``outputs`` (n, outputs); the losses of those that name classes."""
        bundle = self.bundle(version)
        if bundle.hash != self._newest and not self._apart:
            self._apart[self._newest] = copy.deepcopy(self._all)
        self._newest = bundle.hash
        if self._apart:
            apart = self._apart.get(bundle.hash)
            if apart is None:
                apart = self._apart[bundle.hash] = self._scores(bundle)
            _add(apart, bundle, outputs, labels, moves_bps)
        return _add(self._all, bundle, outputs, labels, moves_bps)

    def report(self) -> dict[str, Any]:
        """The scores of all, with ``out_of_sample`` of the version scored last; ``versions`` by hash, if there are several."""
        found = self._beside(self._all, self._newest)
        if self._apart:
            found["versions"] = {version: self._beside(scores, version) for version, scores in self._apart.items()}
        return found

    def _beside(self, scores: Scores | ValueScores, version: str) -> dict[str, Any]:
        found, stated = scores.report(), self._bundles[version].metrics
        return {**found, "out_of_sample": {name: stated[name] for name in found if name in stated}}

    def _scores(self, bundle: BundleInfo) -> Scores | ValueScores:
        if self._of_classes:
            return Scores(bundle.classes, bundle.expected_move_bps)
        return ValueScores(bundle.expected_move_bps[0])


def _add(
    scores: Scores | ValueScores,
    bundle: BundleInfo,
    outputs: NDArray[Any],
    labels: NDArray[np.int8] | None,
    moves_bps: NDArray[np.float64],
) -> Losses | None:
    expects = bundle.expected_move_bps
    if isinstance(scores, ValueScores) or labels is None:
        if isinstance(scores, ValueScores):
            scores.add(outputs[:, 0], moves_bps, factor=expects[0])
        return None
    return scores.add(outputs, labels, moves_bps, expects=expects)
