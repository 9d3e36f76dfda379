"""Opens a bundle compiled, and compares it with its own backend before it decides anything."""

from __future__ import annotations

from vtframe.api import BundleInfo, ModelBackend, calibrated
from vtframe.inference.fused.check import check_against, rows_like_training
from vtframe.inference.fused.model import FusedModel


def open_fused(bundle: BundleInfo, backend: ModelBackend) -> FusedModel:
    """The bundle's graph, as ``backend`` tells it, compiled. Its outputs are not calibrated: see ``api.calibrated``.

    Where the bundle says how its columns lay in training, the compiled model answers 1,000 such rows beside the backend's own.
    Raises BundleError naming the operator that cannot be compiled, or the row on which they differ.
    """
    model = FusedModel(backend.graph(bundle), bundle)
    windows = rows_like_training(bundle)
    if windows is None:
        return model
    reference = backend.open(bundle)
    try:
        check_against(calibrated(model, bundle), reference, windows, where=str(bundle.path / bundle.file))
    finally:
        reference.close()
    return model
